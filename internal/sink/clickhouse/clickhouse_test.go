package clickhouse_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/clickhouse"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "clickhouse", Secrets: []string{"s3cretPassword"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("clickhouse", v, clickhouse.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"clickhouse.hostport": url, "clickhouse.password": "s3cretPassword", "clickhouse.createtable": "false"}
		},
		Variants: map[string]setting.Values{
			"create": {"clickhouse.createtable": "true", "clickhouse.table": "al`er\\ts", "clickhouse.database": "security", "clickhouse.user": "falco", "clickhouse.password": ""},
		},
	}.Run(t)
}

// TestTable makes the table again until that has succeeded, and no more.
func TestTable(t *testing.T) {
	var requests []string
	fault := http.StatusServiceUnavailable
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		what := strings.Fields(r.URL.Query().Get("query") + string(body))[0]
		requests = append(requests, what)
		if what == "CREATE" {
			w.WriteHeader(fault)
		}
	}))
	defer server.Close()
	s, err := setting.Open("clickhouse", setting.Values{"clickhouse.hostport": server.URL}, clickhouse.New)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault = range []int{http.StatusServiceUnavailable, http.StatusForbidden} { // a right that is missing says nothing of the alert
		if err := s.Send(t.Context(), sinktest.Alert("m"), nil); err == nil || route.Permanent(err) {
			t.Error(err)
		}
	}
	fault = http.StatusOK
	for range 2 {
		if err := s.Send(t.Context(), sinktest.Alert("m"), nil); err != nil {
			t.Error(err)
		}
	}
	if got := strings.Join(requests, " "); got != "CREATE CREATE CREATE INSERT INSERT" {
		t.Error(got)
	}
}
