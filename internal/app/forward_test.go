package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/saker-sec/saker/internal/sink/servertest"
)

// receiver is a destination that remembers what it got.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	got   map[string]int // by rule
	order []string
	flap  bool // fails now and then
}

func receive(t *testing.T, flap bool) *receiver {
	r := &receiver{got: map[string]int{}, flap: flap}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	var a struct{ Rule string }
	if err := json.NewDecoder(q.Body).Decode(&a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.flap && rand.N(10) == 0 {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	if strings.HasPrefix(a.Rule, "refused") {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.got[a.Rule]++; r.got[a.Rule] == 1 {
		r.order = append(r.order, a.Rule)
	}
}

func (r *receiver) distinct() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

// environment returns a Getenv.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if n, v, _ := strings.Cut(p, "="); n == name {
				return v
			}
		}
		return ""
	}
}

func body(rule string, priority string) io.Reader {
	return strings.NewReader(fmt.Sprintf(`{"rule":%q,"priority":%q,"time":"2026-11-23T18:46:58Z","output":"o","output_fields":{}}`, rule, priority))
}

// lines is a writer for several goroutines.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

// TestForward runs the command with a file and the environment, refuses an alert, and replays it.
func TestForward(t *testing.T) {
	all, severe := receive(t, false), receive(t, false)
	dir, port := t.TempDir(), servertest.Number(t, servertest.Free(t))
	config := filepath.Join(dir, "config.yaml")
	secret := filepath.Join(dir, "address")
	if err := os.WriteFile(secret, []byte(severe.URL+"/s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(fmt.Sprintf(`
ListenPort: 1
customfields: {Cluster: one}
webhook:
  address: %s
  custumheaders: {}
queue: {dir: %s}
destinations:
  - {name: Pager, type: webhook, minimumpriority: error, customheaders: {X-Name: value}}
`, all.URL, filepath.Join(dir, "queue"))), 0o600); err != nil {
		t.Fatal(err)
	}
	env := environment("LISTENPORT="+strconv.Itoa(port), "PAGER_ADDRESS_FILE="+secret, "LISTENADDRESS=127.0.0.1")
	ctx, cancel := context.WithCancel(t.Context())
	var out, log lines
	done := make(chan int)
	go func() {
		done <- Run(ctx, Env{Args: []string{"forward", "-c", config}, Stdout: &out, Stderr: &log, Getenv: env})
	}()
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	eventually(t, "starting", func() bool {
		answer, err := http.Get(url + "/ping")
		return err == nil && answer.StatusCode == 200
	})
	for rule, priority := range map[string]string{"a": "Notice", "b": "Error", "refused": "Notice"} {
		if answer, err := http.Post(url, "", body(rule, priority)); err != nil || answer.StatusCode != 200 {
			t.Fatalf("posting: %v, %v", answer, err)
		}
	}
	for body, want := range map[string]string{
		strings.Repeat("x", 20<<20): "413 the alert is larger than 1048576 bytes\n", "{": "400 decoding an alert: it is not JSON: unexpected end of JSON input\n",
		`{"rule":"","priority":"error","time":"2026-11-23T18:46:58Z"}`: "400 decoding an alert: rule is missing or empty, it must be the name of a rule\n",
	} {
		answer, err := http.Post(url, "", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		if got := fmt.Sprint(answer.StatusCode, " ", string(text)); got != want {
			t.Errorf("%.60s: %s, want %s", body, got, want)
		}
	}
	if answer, err := http.Post(url+"/test", "", nil); err != nil || answer.StatusCode != 200 {
		t.Fatalf("test: %v, %v", answer, err)
	}
	eventually(t, "delivering", func() bool { return all.distinct() == 3 && severe.distinct() == 2 })
	command := func(args ...string) string {
		var out, errs bytes.Buffer
		code := Run(t.Context(), Env{Args: append(args, "-c", config), Stdout: &out, Stderr: &errs, Getenv: env})
		return fmt.Sprint(code, " ", out.String(), errs.String())
	}
	list := regexp.MustCompile(`^0 {"seq":1,"destination":"webhook","time":"[^"]+","reason":"webhook: .*400 Bad Request: no","alert":{"uuid".*"rule":"refused".*"Cluster":"one".*}\n$`)
	eventually(t, "burying", func() bool { return list.MatchString(command("dead-letters", "list")) })
	if got := command("dead-letters", "replay", "--to", "webhook", "1"); got != "0 1 dead letters are queued again\n" {
		t.Errorf("replaying: %s", got)
	}
	eventually(t, "burying again", func() bool {
		return strings.HasPrefix(command("dead-letters", "list"), `0 {"seq":2,`)
	})
	answer, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(answer.Body)
	for _, want := range []string{
		`falcosecurity_falcosidekick_outputs_total{destination="webhook",status="ok"} 3`, `saker_forward_dead_letters{destination="webhook"} 1`,
		`rule="b",source="syscalls",Cluster="one"} 1`, `saker_forward_attempt_seconds_count{destination="pager"} 2`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the metrics lack %s:\n%s", want, text)
		}
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("it ends with %d", code)
	}
	if got := log.text(); !strings.Contains(got, "webhook.custumheaders, which is not known and without effect; the nearest known one is webhook.customheaders") ||
		strings.Contains(got, "s3cret") {
		t.Errorf("the log is %s", got)
	}
	if got := command("dead-letters", "list", "--to", "pager"); got != "0 " {
		t.Errorf("dead letters of the stopped process: %s", got)
	}
	if got := command("dead-letters", "replay"); got != "0 1 dead letters are queued again\n" {
		t.Errorf("replaying when it is stopped: %s", got)
	}
}

// TestForwardErrors has configurations that are wrong.
func TestForwardErrors(t *testing.T) {
	for name, c := range map[string]struct{ config, env, want string }{
		"an endless alias": {"slack: &a {webhookurl: 'http://x', b: *a}\nlistenport: x", "", `listenport is "x"`},
		"no such type":     {"destinations: [{name: a, type: slak}]", "", `no destination of type "slak"; the nearest known one is slack`},
		"a name twice":     {"destinations: [{name: Slack, type: slack}]", "", `line 1: the name "Slack" is taken`},
		"no YAML":          {"a: [", "", "reading the configuration"},
		"a list":           {"[a]", "", "line 1: it must be a map"},
		"wrong port":       {"listenport: x", "", `listenport is "x", it must be a number`},
		"wrong priority":   {"slack: {webhookurl: 'http://x', minimumpriority: loud}", "", `slack.minimumpriority is "loud"`},
		"wrong rate":       {"slack: {webhookurl: 'http://x', rate: fast}", "", `slack.rate is "fast"`},
		"wrong filter":     {"slack: {webhookurl: 'http://x', filter: 'priority <= loud'}", "", `slack.filter: the filter is wrong at line 1, column 13: "loud" is no priority`},
		"wrong age":        {"slack: {webhookurl: 'http://x', batchage: soon}", "", `slack.batchage is "soon"`},
		"wrong window":     {"slack: {webhookurl: 'http://x', group: {by: [rule], window: -1s}}", "", `slack.group.window is "-1s"`},
		"wrong URL":        {"slack: {webhookurl: 's3cret'}", "", "slack: the address is not a URL"},
		"wrong template":   {"templatedfields: {a: '{{'}", "", `template of "a"`},
		"no such file":     {"", "SLACK_WEBHOOKURL_FILE=/nowhere", "the file that SLACK_WEBHOOKURL_FILE names"},
		"no certificate":   {"tlsserver: {deploy: true, certfile: /nowhere}", "", "tlsserver.certfile"},
		"no such cluster":  {"bus: {url: 'nats://127.0.0.1:1'}", "", "connecting to the NATS cluster"},
		"no credentials":   {"bus: {url: 'nats://127.0.0.1:1', cacertfile: /nowhere}", "", "reading the authorities of the NATS cluster"},
		"a wrong argument": {"", "ARG=now", `takes no argument "now"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "c.yaml")
			if err := os.WriteFile(path, []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"forward", "-c", path}
			if arg, ok := strings.CutPrefix(c.env, "ARG="); ok {
				args = append(args, arg)
			}
			var log bytes.Buffer
			code := Run(t.Context(), Env{Args: args, Stdout: io.Discard, Stderr: &log, Getenv: environment(c.env, "QUEUE_DIR="+filepath.Join(dir, "queue"))})
			if code != 1 || !strings.Contains(log.String(), c.want) || strings.Contains(log.String(), "s3cret") {
				t.Errorf("exit code %d, log %s, want %s", code, log.String(), c.want)
			}
		})
	}
}
