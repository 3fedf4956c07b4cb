package servertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
)

// Get makes a request and returns the body of an answer with status 200.
func Get(ctx context.Context, method, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status + ": " + string(body))
	}
	return body, err
}

// StartAlertmanager starts an Alertmanager that tells nobody.
func StartAlertmanager(t testing.TB) *Server {
	t.Helper()
	dir, addr := Dir(t, ""), Free(t)
	return Run(t, Program{
		Package: "prometheus-alertmanager", Path: "prometheus-alertmanager", Addr: addr, Dir: dir,
		Args: []string{
			"--config.file=" + Write(t, dir, "alertmanager.yml", "route:\n  receiver: nobody\nreceivers:\n- name: nobody\n"), "--storage.path=" + dir + "/data",
			"--web.listen-address=" + addr, "--cluster.listen-address=",
		},
		Ready: func(ctx context.Context) error {
			_, err := Get(ctx, http.MethodGet, "http://"+addr+"/-/ready")
			return err
		},
	})
}

// StartPrometheus starts a Prometheus that scrapes the target, host:port, every second.
func StartPrometheus(t testing.TB, target string) *Server {
	t.Helper()
	dir, addr := Dir(t, ""), Free(t)
	config := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: saker, static_configs: [{targets: [%q]}]}]\n", target)
	return Run(t, Program{
		Package: "prometheus", Path: "prometheus", Addr: addr, Dir: dir,
		Args: []string{"--config.file=" + Write(t, dir, "prometheus.yml", config), "--storage.tsdb.path=" + dir + "/data", "--web.listen-address=" + addr},
		Ready: func(ctx context.Context) error {
			_, err := Get(ctx, http.MethodGet, "http://"+addr+"/-/ready")
			return err
		},
	})
}

// StartInfluxDB starts an InfluxDB 1 with one user and a database.
func StartInfluxDB(t testing.TB, user, password, database string) *Server {
	t.Helper()
	dir, addr := Dir(t, ""), Free(t)
	config := fmt.Sprintf(`reporting-disabled = true
bind-address = "%s"
[meta]
dir = "%s/meta"
[data]
dir = "%s/data"
wal-dir = "%s/wal"
[http]
bind-address = "%s"
auth-enabled = true
log-enabled = false
[monitor]
store-enabled = false
`, Free(t), dir, dir, dir, addr)
	s := Run(t, Program{
		Package: "influxdb", Path: "influxd", Args: []string{"-config", Write(t, dir, "influxdb.conf", config)}, Addr: addr, Dir: dir, Env: []string{"HOME=" + dir},
	})
	for _, q := range []string{fmt.Sprintf(`CREATE USER %s WITH PASSWORD '%s' WITH ALL PRIVILEGES`, user, password), "CREATE DATABASE " + database} {
		if _, err := InfluxQuery(t.Context(), addr, user, password, database, q); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// InfluxQuery makes a query and returns the answer, which is JSON.
func InfluxQuery(ctx context.Context, addr, user, password, database, query string) ([]byte, error) {
	v := url.Values{"u": {user}, "p": {password}, "db": {database}, "q": {query}}
	return Get(ctx, http.MethodPost, "http://"+addr+"/query?"+v.Encode())
}
