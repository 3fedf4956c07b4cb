package timescaledb_test

import (
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/timescaledb"
)

func open(v setting.Values) (route.Sink, error) {
	return setting.Open("timescaledb", v, timescaledb.New)
}

func settings(addr string, tls bool) setting.Values {
	host, port, _ := strings.Cut(addr, ":")
	v := setting.Values{
		"timescaledb.host": host, "timescaledb.port": port, "timescaledb.password": "s3cretPassword", "timescaledb.database": "postgres", "timescaledb.uuidcolumn": "uuid",
	}
	if tls {
		v["timescaledb.sslmode"] = "require"
	}
	return v
}

const columns = `(n bigserial, time timestamptz, rule text, priority varchar(20), source varchar(100), output text, tags text, hostname text, uuid text unique,
	"fd.name" text, "proc.cmdline" text, "select" text)`

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "timescaledb", Secrets: []string{"s3cretPassword", "s3cretWrong"}, Open: open, Large: true,
		Start: func(t *testing.T, how sinktest.Security) sinktest.Peer {
			p := servertest.StartPostgres(t, "s3cretPassword", how.TLS, how.Mutual)
			p.Query(t, "CREATE TABLE falcosidekick_events "+columns, "CREATE SCHEMA other", `CREATE TABLE other."Al""erts; DROP TABLE x" `+columns)
			return sinktest.Peer{Addr: p.Addr, Stop: p.Stop, Start: func() { p.Start(t) }, Read: func() []string {
				var out []string
				for _, table := range []string{"falcosidekick_events", `other."Al""erts; DROP TABLE x"`} {
					out = append(out, p.Query(t, "SET timezone TO 'UTC'", "SELECT (to_jsonb(t) - 'n')::text FROM "+table+" t ORDER BY n")...)
					p.Query(t, "TRUNCATE "+table)
				}
				return out
			}}
		},
		Settings: settings,
		Wrong:    setting.Values{"timescaledb.password": "s3cretWrong"},
		Variants: map[string]setting.Values{"fields": {
			"timescaledb.hypertablename": `OTHER.Al"erts; DROP TABLE x`, "timescaledb.uuidcolumn": "", "timescaledb.sslmode": "disable",
			"customfields": "fd.name:x", "templatedfields.proc.cmdline": "{{ 1 }}",
		}},
	}.Run(t)
}

// TestRows inserts what the table does not take, what it has already, and into a table that is not there.
func TestRows(t *testing.T) {
	p := servertest.StartPostgres(t, "s3cretPassword", nil, false)
	s, err := setting.Open("timescaledb", settings(p.Addr, false), timescaledb.New)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	a := sinktest.Samples()[0].Alert(t)
	if err := s.Send(t.Context(), a, nil); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "42P01") {
		t.Errorf("no table: %v", err)
	}
	p.Query(t, "CREATE TABLE falcosidekick_events "+columns)
	for range 2 {
		if err := s.Send(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.Query(t, "SELECT count(*)::text FROM falcosidekick_events"); got[0] != "1" {
		t.Errorf("%v rows, want 1", got)
	}
	long := sinktest.Samples()[1].Alert(t)
	long.Source = strings.Repeat("x", 101)
	odd := sinktest.Samples()[2].Alert(t)
	odd.Output, odd.Rule = "a\x00b\xffc", "'); DROP TABLE falcosidekick_events; --"
	errs := s.SendBatch(t.Context(), []*alert.Alert{long, odd})
	if len(errs) != 2 || !route.Permanent(errs[0]) || errs[1] != nil {
		t.Errorf("a value that is too long: %v", errs)
	}
	if got := p.Query(t, "SELECT output FROM falcosidekick_events WHERE rule LIKE '%DROP%'"); len(got) != 1 || got[0] != "a\uFFFDb\uFFFDc" {
		t.Errorf("%q", got)
	}
}
