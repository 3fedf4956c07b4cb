package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// kept is a queue in memory.
type kept struct {
	alerts []*alert.Alert
	err    error
}

func (k *kept) publish(_ context.Context, a *alert.Alert) error {
	if k.err == nil {
		k.alerts = append(k.alerts, a)
	}
	return k.err
}

func handler(t testing.TB, k *kept, cfg TransformConfig) *Handler {
	t.Helper()
	transform, err := NewTransform(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Publish: k.publish, Transform: transform, Metrics: NewMetrics([]string{"my.field", "rule"}, nil), Limit: 4096})
}

func ask(h http.Handler, method, path, body string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

const good = `{"output":"19:46:58.138453459: Warning file=/etc/shadow","priority":"Warning","rule":"Read sensitive file","source":"syscall",` +
	`"tags":["T1555","host"],"time":"2026-11-23T18:46:58.138453459Z","hostname":"lab","output_fields":{"fd.name":"/etc/shadow","proc.aname[2]":"sh","n":1.50}}`

func with(old, new string) string { return strings.Replace(good, old, new, 1) }

func TestInput(t *testing.T) {
	for name, c := range map[string]struct {
		method, body string
		code         int
		says         string
	}{
		"an alert":             {"POST", good, 200, ""},
		"no output_fields":     {"POST", with(`{"fd.name":"/etc/shadow","proc.aname[2]":"sh","n":1.50}`, "{}"), 200, ""},
		"informational":        {"POST", with("Warning\",\"rule", "informational\",\"rule"), 200, ""},
		"numbers, null, lists": {"POST", with(`1.50`, `123456789012345678901234567890, "a":null, "k8s.ns.name":7, "l":[1,"x"], "o":{"p":1}`), 200, ""},
		"GET":                  {"GET", "", 400, "send alerts with POST"},
		"nothing":              {"POST", "", 400, "not JSON"},
		"no JSON":              {"POST", "{", 400, "not JSON"},
		"two":                  {"POST", good + good, 400, "not JSON"},
		"an array":             {"POST", "[" + good + "]", 400, "array"},
		"unknown priority":     {"POST", with("Warning\",\"rule", "loud\",\"rule"), 400, `priority is "loud"`},
		"empty priority":       {"POST", with("Warning\",\"rule", "\",\"rule"), 400, "priority is missing or empty"},
		"empty rule":           {"POST", with("Read sensitive file", ""), 400, "rule is missing or empty"},
		"no time":              {"POST", with(`"time":"2026-11-23T18:46:58.138453459Z",`, ""), 400, "time is missing"},
		"zero time":            {"POST", with("2026-11-23T18:46:58.138453459Z", "0001-01-01T00:00:00Z"), 400, "time is"},
		"too large":            {"POST", with("/etc/shadow", strings.Repeat("x", 5000)), 413, "larger than 4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			k := &kept{}
			h := handler(t, k, TransformConfig{})
			code, body := ask(h, c.method, "/", c.body)
			if code != c.code || !strings.Contains(body, c.says) {
				t.Errorf("the answer is %d %s, want %d %s", code, body, c.code, c.says)
			}
			if (len(k.alerts) == 1) != (c.code == 200) {
				t.Errorf("%d alerts are kept", len(k.alerts))
			}
			status := "accepted"
			if c.code != 200 {
				status = "rejected"
			}
			if _, text := ask(h, "GET", "/metrics", ""); !strings.Contains(text, `falcosecurity_falcosidekick_inputs_total{source="requests",status="`+status+`"} 1`) {
				t.Errorf("the metrics are %s", text)
			}
		})
	}
}

func TestNotKept(t *testing.T) {
	h := handler(t, &kept{err: errors.New("the disk is full")}, TransformConfig{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(good)))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "the disk is full") {
		t.Errorf("the answer is %d %v %s", w.Code, w.Header(), w.Body)
	}
}

type never struct{}

func (never) Error() string   { return "it does not fit" }
func (never) Permanent() bool { return true }

// TestNever refuses what can never be kept, so that the sender does not try again.
func TestNever(t *testing.T) {
	h := handler(t, &kept{err: never{}}, TransformConfig{})
	if code, body := ask(h, "POST", "/", good); code != 413 || body != "it does not fit\n" {
		t.Errorf("the answer is %d %s", code, body)
	}
}

func TestUUID(t *testing.T) {
	k := &kept{}
	h := handler(t, k, TransformConfig{})
	const known = "01920d5c-6f0c-7b3e-8f6a-0123456789ab"
	for _, body := range []string{good, with(`{"output"`, `{"uuid":"`+known+`","output"`), with(`{"output"`, `{"uuid":"x","output"`)} {
		ask(h, "POST", "/", body)
	}
	if len(k.alerts) != 3 || !isUUID(k.alerts[0].UUID) || k.alerts[1].UUID != known || !isUUID(k.alerts[2].UUID) || k.alerts[0].UUID == k.alerts[2].UUID {
		t.Errorf("the uuids are %v", k.alerts)
	}
}

func TestTransform(t *testing.T) {
	k := &kept{}
	h := handler(t, k, TransformConfig{
		CustomFields: map[string]string{"my.field": "<tags>", "fd.name": "other"}, CustomTags: []string{"A"}, BracketReplacer: "_",
		TemplatedFields:   map[string]string{"t": `{{ or (index . "no") "none" }} {{ .n }} {{ index . "fd.name" }}`, "bad": `{{ index .n "x" }}`},
		OutputFieldFormat: "<timestamp> <priority> <output> (<custom_fields>) (<tags>) ()",
	})
	if code, body := ask(h, "POST", "/", with(`"source":"syscall",`, "")); code != 200 {
		t.Fatal(body)
	}
	a := k.alerts[0]
	a.UUID = ""
	want := `{"output":"19:46:58.138453459 Warning file=/etc/shadow (fd.name=other my.field=\u003ctags\u003e) (A,T1555,host)",` +
		`"priority":"Warning","rule":"Read sensitive file","time":"2026-11-23T18:46:58.138453459Z","output_fields":{` +
		`"bad":"template: bad:1:3: executing \"bad\" at \u003cindex .n 3\u003e: error calling index: cannot index slice/array with nil","fd.name":"other",` +
		`"my.field":"\u003ctags\u003e","n":1.50,"proc.aname_2":"sh","t":"none 1.50 other"},"source":"syscalls","tags":["A","T1555","host"],"hostname":"lab"}`
	got := string(a.AppendSidekick(nil))
	if strip(got) != strip(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := NewTransform(TransformConfig{TemplatedFields: map[string]string{"x": "{{"}}); err == nil || !strings.Contains(err.Error(), `template of "x"`) {
		t.Errorf("a wrong template: %v", err)
	}
}

// strip removes the text of a failed template, which is Go's.
func strip(s string) string {
	before, rest, _ := strings.Cut(s, `"bad":"template: bad:1:3: executing`)
	_, after, _ := strings.Cut(rest, `","fd.name`)
	return before + after
}

func TestEndpoints(t *testing.T) {
	k := &kept{}
	h := handler(t, k, TransformConfig{})
	h.cfg.Health = func() []Destination {
		return []Destination{{Name: "slack", Queued: 3, Failing: true, Error: "500", UUID: "u", Waited: 60}, {Name: "s3"}}
	}
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/ping", "200 pong\n"},
		{"GET", "/healthz", `200 {"status": "ok", "destinations": [{"name":"slack","queued":3,"failing":true,"error":"500","uuid":"u","waited_seconds":60},{"name":"s3","queued":0,"failing":false}]}`},
		{"GET", "/test", "400 ask for a test alert with POST\n"},
		{"POST", "/test", "200 "},
		{"GET", "/debug/vars", "400 send alerts with POST\n"},
	} {
		code, body := ask(h, c.method, c.path, "")
		if got := fmt.Sprint(code, " ", body); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
	}
	if a := k.alerts[0]; a.Rule != "Test rule" || a.Source != "internal" || a.Priority != alert.Debug {
		t.Errorf("the test alert is %+v", a)
	}
}

// TestPromtool has Prometheus read the metrics, with labels that are as odd as they can be.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: the Debian package prometheus has it")
	}
	m := NewMetrics([]string{"my.field", "1", "größe", "proc.aname[2]", ""}, nil)
	for i, odd := range []string{"", "plain", "a\"b\\c\nd\re\tf", "\xff\xfe", "日本語 🦅", strings.Repeat("é", 150), "}{=,#", "\u2028\x00"} {
		m.accept(&alert.Alert{Rule: odd, Priority: alert.Priority(i), Source: odd, Hostname: odd, Fields: []alert.Field{
			{Key: "my.field", Value: alert.Value{Kind: alert.Text, Text: odd}}, {Key: "k8s.pod.name", Value: alert.Value{Kind: alert.Text, Text: odd}},
		}})
	}
	m.reject()
	var out bytes.Buffer
	m.write(t.Context(), &out)
	cmd := exec.Command(promtool, "check", "metrics")
	text := out.String()
	cmd.Stdin = &out
	if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("promtool: %v: %s\n%s", err, said, text)
	}
}

func TestMetrics(t *testing.T) {
	m := NewMetrics([]string{"my.field", "1", "rule"}, func(_ context.Context, w io.Writer) { io.WriteString(w, "more 1\n") })
	text := func(s string) alert.Value { return alert.Value{Kind: alert.Text, Text: s} }
	a := &alert.Alert{Rule: "a\"\n", Priority: alert.Critical, Source: "syscall", Hostname: "lab", Fields: []alert.Field{
		{Key: "k8s.ns.name", Value: alert.Value{Kind: alert.Int, Num: 7}}, {Key: "my.field", Value: text(strings.Repeat("é", 150))},
	}}
	m.accept(a)
	for i := range 3 * seriesLimit {
		m.accept(&alert.Alert{Rule: fmt.Sprint(i), Priority: alert.Debug})
	}
	var out strings.Builder
	m.write(t.Context(), &out)
	got := out.String()
	for _, want := range []string{
		`falco_events_total{hostname="lab",k8s_ns_name="7",k8s_pod_name="",priority="6",priority_raw="critical",rule="a\"\n",source="syscall",my_field="` +
			strings.Repeat("é", 100) + `",_1=""} 1`,
		`hostname="unknown",k8s_ns_name="",k8s_pod_name="",priority="1",priority_raw="debug",rule="other",source="",my_field="",_1=""} 4001`, "\nmore 1\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the metrics lack %s:\n%.3000s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n > seriesLimit+20 {
		t.Errorf("%d lines", n)
	}
}

// FuzzPost shows that no body makes it panic, and that what is taken can be passed on.
func FuzzPost(f *testing.F) {
	f.Add(good)
	f.Add(with("1.50", `1e999, "k8s.ns.name":{}, "":[[]]`))
	f.Add(`{"rule":"Test rule","priority":"debug","time":"2026-11-23T18:46:58Z","output":"x","output_fields":null}`)
	f.Add("null")
	k := &kept{}
	h := handler(f, k, TransformConfig{
		CustomFields: map[string]string{"a": "b"}, TemplatedFields: map[string]string{"t": `{{ index . "fd.name" }}{{ range .l }}{{ . }}{{ end }}`},
		CustomTags: []string{"x"}, BracketReplacer: "_", OutputFieldFormat: "<priority>: <output> <templated_fields>",
	})
	f.Fuzz(func(t *testing.T, body string) {
		k.alerts = nil
		code, answer := ask(h, "POST", "/", body)
		switch {
		case code == 200 && len(k.alerts) == 1:
			text := k.alerts[0].AppendSidekick(nil)
			if !json.Valid(text) {
				t.Errorf("what is passed on is not JSON: %s", text)
			}
			if _, err := alert.Decode(text); err != nil {
				t.Errorf("what is passed on cannot be decoded: %v", err)
			}
		case code != 400 && code != 413 || answer == "":
			t.Errorf("the answer is %d %q", code, answer)
		}
	})
}

func TestListen(t *testing.T) {
	k := &kept{}
	h := handler(t, k, TransformConfig{})
	s, err := Start(Listen{Address: "127.0.0.1"}, h, nil)
	if err != nil {
		t.Fatal(err)
	}
	addr := s.Addrs()[0].String()
	answer, err := http.Post("http://"+addr+"/", "application/json", strings.NewReader(good))
	if err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	answer.Body.Close()
	var port int
	fmt.Sscanf(addr, "127.0.0.1:%d", &port)
	if _, err := Start(Listen{Address: "127.0.0.1", Port: port}, h, nil); err == nil {
		t.Error("a port that is in use is listened on")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}
