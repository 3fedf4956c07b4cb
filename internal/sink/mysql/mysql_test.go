package mysql_test

import (
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/mysql"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func settings(addr string, tls bool) setting.Values {
	host, port, _ := strings.Cut(addr, ":")
	v := setting.Values{"mysql.host": host, "mysql.port": port, "mysql.user": "saker", "mysql.password": "s3cretPassword"}
	if tls {
		v["mysql.tls"] = "true"
	}
	return v
}

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "mysql", Secrets: []string{"s3cretPassword", "s3cretWrong"}, Large: true, Unordered: true,
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("mysql", v, mysql.New) },
		Start: func(t *testing.T, how sinktest.Security) sinktest.Peer {
			m := servertest.StartMariaDB(t, "saker", "s3cretPassword", how.TLS, how.Mutual)
			return sinktest.Peer{Addr: m.Addr, Stop: m.Stop, Start: func() { m.Start(t) }, Read: func() (out []string) {
				for _, table := range m.Query(t, "SHOW TABLES") {
					table = "`" + strings.ReplaceAll(table, "`", "``") + "`"
					out = append(out, m.Query(t, "SELECT CONCAT_WS('|', uuid, time, rule, priority, source, hostname, output, tags, output_fields) FROM "+table+" ORDER BY time, uuid")...)
					m.Query(t, "TRUNCATE "+table)
				}
				return out
			}}
		},
		Settings: settings,
		Wrong:    setting.Values{"mysql.password": "s3cretWrong"},
		Variants: map[string]setting.Values{"table": {"mysql.table": "al`erts; DROP TABLE x"}},
	}.Run(t)
}

// TestRows inserts what the table does not take, what it has already, and into a table that is not there.
func TestRows(t *testing.T) {
	m := servertest.StartMariaDB(t, "saker", "s3cretPassword", nil, false)
	v := settings(m.Addr, false)
	v["mysql.createtable"] = "false"
	s, err := setting.Open("mysql", v, mysql.New)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	a := sinktest.Samples()[0].Alert(t)
	if err := s.Send(t.Context(), a, nil); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "1146") {
		t.Errorf("no table: %v", err)
	}
	v["mysql.createtable"] = "true"
	s, err = setting.Open("mysql", v, mysql.New)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	for range 2 {
		if err := s.Send(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
	}
	if errs := s.SendBatch(t.Context(), []*alert.Alert{a, a}); errs != nil {
		t.Fatal(errs)
	}
	if got := m.Query(t, "SELECT COUNT(*) FROM falco_events"); got[0] != "1" {
		t.Errorf("%v rows, want 1", got)
	}
	m.Query(t, "ALTER TABLE falco_events MODIFY source VARCHAR(100) NOT NULL")
	long := sinktest.Samples()[1].Alert(t)
	long.Source = strings.Repeat("x", 101)
	odd := sinktest.Samples()[2].Alert(t)
	odd.Output, odd.Rule = "a\xffc", "'); DROP TABLE falco_events; --"
	if errs := s.SendBatch(t.Context(), []*alert.Alert{long, odd}); len(errs) != 2 || !route.Permanent(errs[0]) || errs[1] != nil {
		t.Errorf("a value that is too long: %v", errs)
	}
	if got := m.Query(t, "SELECT output FROM falco_events WHERE rule LIKE '%DROP%'"); len(got) != 1 || got[0] != "a\uFFFDc" {
		t.Errorf("%q", got)
	}
	// More than a packet: what is refused holds up nothing.
	m.Query(t, "SET GLOBAL max_allowed_packet = 10240")
	small, err := setting.Open("mysql", v, mysql.New)
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close(t.Context())
	large, next := sinktest.Samples()[5].Alert(t), sinktest.Samples()[3].Alert(t)
	if errs := small.SendBatch(t.Context(), []*alert.Alert{large, next}); len(errs) != 2 || !route.Permanent(errs[0]) || errs[1] != nil {
		t.Errorf("more than a packet: %v", errs)
	}
}
