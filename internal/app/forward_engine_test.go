package app

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/sink/servertest"
)

// TestForwardInEngine has the engine deliver its own alerts: to one destination at once, and to one that is away after the next start.
func TestForwardInEngine(t *testing.T) {
	there := receive(t, false)
	dir, port, late := t.TempDir(), servertest.Number(t, servertest.Free(t)), servertest.Number(t, servertest.Free(t))
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules := "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: NOTICE\n"
	config := func(more string) string {
		return fmt.Sprintf(`
engine: {kind: nodriver}
rules_files: [%s]
webserver: {enabled: true, listen_address: 127.0.0.1, listen_port: %d, prometheus_metrics_enabled: true}
metrics: {enabled: true, interval: 1h, output_rule: true}
watch_config_files: false
forward:
  queue: {dir: %s}
  destinations:
    - {name: there, type: webhook, address: "%s"%s}
    - {name: away, type: webhook, address: "http://127.0.0.1:%d"}
`, path("rules.yaml"), port, path("queue"), there.URL, more, late)
	}
	write("rules.yaml", rules)
	write("falco.yaml", config(""))
	s := start(t, "-c", path("falco.yaml"))
	s.err.wait(t, "watching", 1)
	ask := func(name string) string {
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, name))
		if err != nil {
			return err.Error()
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(answer.StatusCode, " ", string(text))
	}
	write("rules.yaml", "- rule: [")
	s.reload <- struct{}{}
	eventually(t, "the alert about the failed reload is delivered", func() bool {
		there.mu.Lock()
		defer there.mu.Unlock()
		return there.got["Falco internal: hot restart failure"] == 1
	})
	eventually(t, "the health names the destination that fails, and is well", func() bool {
		text := ask("/healthz")
		return strings.HasPrefix(text, `200 {"status": "ok", "destinations": [{"name":"there","queued":0,"failing":false},{"name":"away","queued":`) &&
			strings.Contains(text, `"failing":true,"error":"webhook: `) && strings.Contains(text, `"uuid":"`)
	})
	for _, want := range []string{
		`saker_forward_queued{destination="there"} 0`, `falcosecurity_falcosidekick_outputs_total{destination="there",status="ok"}`,
		`saker_forward_attempt_seconds_count{destination="away"}`, `saker_forward_queue_bytes`, `output="forward"`,
	} {
		if text := ask("/metrics"); !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s:\n%s", want, text)
		}
	}
	write("rules.yaml", rules)
	write("falco.yaml", config(", filter: rule = nothing"))
	s.reload <- struct{}{}
	s.err.wait(t, "Warning: a change of forward takes effect when Saker is started anew", 1)
	s.err.wait(t, "reloaded: ", 1)
	// The outputs are made anew, the queue is not.
	write("falco.yaml", "json_output: true\n"+config(", filter: rule = nothing"))
	s.reload <- struct{}{}
	s.err.wait(t, "reloaded: ", 2)
	write("rules.yaml", "- rule: [")
	s.reload <- struct{}{}
	eventually(t, "the alert about the other failed reload is delivered", func() bool {
		there.mu.Lock()
		defer there.mu.Unlock()
		return there.got["Falco internal: hot restart failure"] == 2
	})
	write("rules.yaml", rules)
	write("falco.yaml", config(", filter: rule = "))
	s.reload <- struct{}{}
	s.err.wait(t, "Error: reloading: forward: reading the configuration: there.filter: the filter is wrong at line 1, column 7", 1)
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.err)
	}
	if text := s.err.String(); !strings.Contains(text, "alerts for away are in the queue; they are delivered at the next start") {
		t.Errorf("the log is %s", text)
	}

	write("falco.yaml", strings.ReplaceAll(config(""), fmt.Sprintf("127.0.0.1:%d\"", late), strings.TrimPrefix(there.URL, "http://")+"/late\""))
	s = start(t, "-c", path("falco.yaml"))
	eventually(t, "the alert arrives where the destination is now", func() bool {
		there.mu.Lock()
		defer there.mu.Unlock()
		return there.got["Falco internal: hot restart failure"] >= 4
	})
	s.err.wait(t, "watching", 1)
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.err)
	}
}

// TestForwardTwice has two processes that would use one queue.
func TestForwardTwice(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "falco.yaml")
	rules := filepath.Join(dir, "rules.yaml")
	for name, text := range map[string]string{
		rules:  "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: NOTICE\n",
		config: fmt.Sprintf("engine: {kind: nodriver}\nrules_files: [%s]\nforward: {queue: {dir: %s}, webhook: {address: 'http://127.0.0.1:1'}}\n", rules, filepath.Join(dir, "queue")),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := start(t, "-c", config)
	first.err.wait(t, "watching", 1)
	second := start(t, "-c", config)
	second.err.wait(t, "another process uses it", 1)
	if code := <-second.code; code != 1 {
		t.Errorf("the second one ends with %d", code)
	}
	if code := first.end(); code != 0 {
		t.Errorf("the first one ends with %d: %s", code, first.err)
	}
}
