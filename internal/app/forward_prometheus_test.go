package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/saker-sec/saker/internal/sink/servertest"
)

// TestForwardPrometheus has a Prometheus scrape saker forward and answer the questions of Falcosidekick's dashboards.
func TestForwardPrometheus(t *testing.T) {
	all := receive(t, false)
	dir, port := t.TempDir(), servertest.Number(t, servertest.Free(t))
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf("webhook: {address: %q}\nqueue: {dir: %q}\n", all.URL, filepath.Join(dir, "queue"))), 0o600); err != nil {
		t.Fatal(err)
	}
	prometheus := servertest.StartPrometheus(t, "127.0.0.1:"+strconv.Itoa(port))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	var out, log lines
	go func() {
		done <- Run(ctx, Env{
			Args: []string{"forward", "-c", config}, Stdout: &out, Stderr: &log,
			Getenv: environment("LISTENADDRESS=127.0.0.1", "LISTENPORT="+strconv.Itoa(port)),
		})
	}()
	defer func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("it ends with %d: %s", code, log.text())
		}
	}()
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	eventually(t, "starting", func() bool {
		answer, err := http.Get(address + "/ping")
		return err == nil && answer.StatusCode == http.StatusOK
	})
	for _, rule := range []string{"a", "b", "b"} {
		if answer, err := http.Post(address, "", body(rule, "Notice")); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("posting: %v, %v", answer, err)
		}
	}
	for question, want := range map[string]string{
		`falcosecurity_falcosidekick_inputs_total{status="accepted"}`:                    "3",
		`sum(falcosecurity_falcosidekick_falco_events_total{rule="b"})`:                  "2",
		`falcosecurity_falcosidekick_outputs_total{destination="webhook",status="ok"}`:   "3",
		`histogram_quantile(1, saker_forward_attempt_seconds_bucket) > 0 and on() up==1`: "",
	} {
		eventually(t, question, func() bool {
			text, err := servertest.Get(t.Context(), http.MethodGet, "http://"+prometheus.Addr+"/api/v1/query?query="+url.QueryEscape(question))
			var answer struct {
				Data struct {
					Result []struct{ Value [2]any }
				}
			}
			if err != nil || json.Unmarshal(text, &answer) != nil || len(answer.Data.Result) != 1 {
				return false
			}
			return want == "" || answer.Data.Result[0].Value[1] == want
		})
	}
}
