package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/sink/servertest"
)

func TestReloadsNoticeChanges(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("rules.yaml")
	if err := os.Mkdir(path("rules.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		change func()
		want   bool
	}{
		{"a file is written", func() { write("rules.yaml") }, true},
		{"a file is moved into place", func() {
			write("new")
			if err := os.Rename(path("new"), path("rules.yaml")); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a new file in a directory of rules", func() { write("rules.d/x.yaml") }, true},
		{"a config map is exchanged", func() {
			if err := os.Symlink("..2026", path("..data_tmp")); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path("..data_tmp"), path("..data")); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a file beside", func() { write("other.yaml") }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := newReloads(nil, true, []string{path("rules.yaml")}, []string{path("rules.d")})
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			ctx, cancel := context.WithTimeout(t.Context(), map[bool]time.Duration{true: time.Minute, false: 5 * debounce}[c.want])
			defer cancel()
			c.change()
			if got := r.next(ctx); got != c.want {
				t.Errorf("noticed: %v, want %v", got, c.want)
			}
		})
	}
	t.Run("a change while reloading", func(t *testing.T) {
		r, err := newReloads(nil, true, []string{path("rules.yaml")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		write("rules.yaml") // after it was read, and before it is known what to watch next
		if err := r.watch(true, []string{path("rules.yaml"), path("rules.d/x.yaml")}, nil); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"", "rules.d/x.yaml"} {
			if name != "" {
				write(name)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if !r.next(ctx) {
				t.Errorf("a change of %q is not noticed", name)
			}
		}
		if err := r.watch(true, []string{path("rules.d/x.yaml")}, nil); err != nil {
			t.Fatal(err)
		}
		if got := r.watcher.WatchList(); len(got) != 1 || got[0] != path("rules.d") {
			t.Errorf("watched are %v", got)
		}
	})
	hup := make(chan struct{}, 1)
	hup <- struct{}{}
	r, err := newReloads(hup, false, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !r.next(t.Context()) {
		t.Error("a signal is not noticed")
	}
}

// TestReloadsFollowPaths changes what paths lead to: what is not there yet, links, directories that are exchanged.
func TestReloadsFollowPaths(t *testing.T) {
	for _, c := range []struct {
		name   string
		before string // a shell's script
		change string
		files  []string
		dirs   []string
		want   bool
	}{
		{"a file that did not exist", "", "echo x > new.yaml", []string{"new.yaml"}, nil, true},
		{"a file in a directory that did not exist", "", "mkdir -p a/b", []string{"a/b/new.yaml"}, nil, true},
		{"another directory", "", "mkdir other", []string{"a/b/new.yaml"}, nil, false},
		{"what a link leads to", "mkdir t; echo x > t/r.yaml; ln -s t/r.yaml r.yaml", "echo y > t/r.yaml", []string{"r.yaml"}, nil, true},
		{"a link", "echo x > a; echo y > b; ln -s a r.yaml", "ln -s b n; mv n r.yaml", []string{"r.yaml"}, nil, true},
		{"a link to the directory", "mkdir v1 v2; echo x > v1/r.yaml; ln -s v1 now", "ln -s v2 n; mv -T n now", []string{"now/r.yaml"}, nil, true},
		{"a link to the directory of rules", "mkdir v1 v2; ln -s v1 rules.d", "ln -s v2 n; mv -T n rules.d", nil, []string{"rules.d"}, true},
		{"a new file behind such a link", "mkdir v1; ln -s v1 rules.d", "echo x > v1/r.yaml", nil, []string{"rules.d"}, true},
		{"a link to a config map", "mkdir m m/..1; echo x > m/..1/r.yaml; ln -s ..1 m/..data; ln -s ..data/r.yaml m/r.yaml; ln -s m/r.yaml r.yaml", "mkdir m/..2; echo y > m/..2/r.yaml; ln -s ..2 m/..data_tmp; mv -T m/..data_tmp m/..data", []string{"r.yaml"}, nil, true},
		{"the directory of rules is exchanged", "mkdir rules.d n", "mv rules.d o; mv n rules.d", nil, []string{"rules.d"}, true},
		{"the directory of the file is exchanged", "mkdir e n; echo x > e/r.yaml; echo y > n/r.yaml", "mv e o; mv n e", []string{"e/r.yaml"}, nil, true},
		{"links in a circle", "ln -s a b; ln -s b a", "rm a; echo x > a", []string{"a"}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			sh := func(script string) {
				t.Helper()
				cmd := exec.Command("/bin/sh", "-ec", script)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", script, err, out)
				}
			}
			in := func(names []string) (out []string) {
				for _, n := range names {
					out = append(out, filepath.Join(dir, n))
				}
				return out
			}
			sh(c.before)
			r, err := newReloads(nil, true, in(c.files), in(c.dirs))
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			ctx, cancel := context.WithTimeout(t.Context(), map[bool]time.Duration{true: time.Minute, false: 5 * debounce}[c.want])
			defer cancel()
			sh(c.change)
			if got := r.next(ctx); got != c.want {
				t.Errorf("noticed: %v, want %v", got, c.want)
			}
		})
	}
}

// TestReloadsNoticeEarlierChanges wants what changed after it was read, and before it was watched.
func TestReloadsNoticeEarlierChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		began time.Time
		want  bool
	}{{time.Now().Add(-time.Hour), true}, {time.Now().Add(time.Hour), false}, {time.Time{}, false}} {
		r := &reloads{began: c.began}
		if err := r.watch(true, []string{file, file + ".none"}, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), map[bool]time.Duration{true: time.Minute, false: 5 * debounce}[c.want])
		if got := r.next(ctx); got != c.want {
			t.Errorf("read at %v: noticed %v, want %v", c.began, got, c.want)
		}
		cancel()
		r.close()
	}
}

// TestConfigurationMayNotVanish wants a reload to fail while the file is away that was there at the start.
func TestConfigurationMayNotVanish(t *testing.T) {
	if _, err := os.Stat(config.DefaultPath); err == nil {
		t.Skip("this machine has a ", config.DefaultPath)
	}
	for _, before := range []bool{false, true} {
		p := &program{env: Env{Stderr: io.Discard, Getenv: os.Getenv}, opt: &Options{}, log: newLogger(io.Discard), needsConfig: before}
		if err := p.loadConfig(t.Context()); (err != nil) != before {
			t.Errorf("it was there before: %v, error %v", before, err)
		}
		if missing := strings.Join(p.conf.Missing, " "); before && missing != config.DefaultPath || !before && missing != "" {
			t.Errorf("it was there before: %v, missing are %s", before, missing)
		}
	}
}

// TestReloadGoesOn changes files of a program that runs without a driver, and wants it to notice also what was away or broken.
func TestReloadGoesOn(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	var s *session
	said, alerts := "", "" // before the last change
	remember := func() {
		if s != nil {
			said, alerts = s.err.String(), s.out.String()
		}
	}
	write := func(name, text string) {
		t.Helper()
		remember()
		if err := os.MkdirAll(filepath.Dir(path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, path(name), text)
	}
	remove := func(name string) {
		t.Helper()
		remember()
		if err := os.RemoveAll(path(name)); err != nil {
			t.Fatal(err)
		}
	}
	rule := func(name string) string {
		return "- rule: " + name + "\n  desc: d\n  condition: evt.type = openat\n  output: o\n  priority: NOTICE\n"
	}
	conf := func(more string) string {
		return "engine: {kind: nodriver}\nstdout_output: {enabled: true}\nconfig_files: [" + path("config.d") + "]\n" +
			"rules_files: [" + path("a.yaml") + ", " + path("sub/b.yaml") + "]\n" + more
	}
	write("falco.yaml", conf(""))
	write("a.yaml", rule("a"))
	s = start(t, "-c", path("falco.yaml"))
	s.err.wait(t, "watching no driver: 1 rules", 1)
	// One change may be noticed in several steps: what is waited for has to come after it, once or more.
	wait := func(text string) {
		t.Helper()
		s.err.wait(t, text, strings.Count(said, text)+1)
	}
	fails := func() {
		t.Helper()
		s.out.wait(t, "hot restart failure", strings.Count(alerts, "hot restart failure")+1)
	}
	write("sub/b.yaml", rule("b"))
	wait("reloaded: 2 rules")
	remove("sub/b.yaml")
	wait("reloaded: 1 rules")
	write("sub/b.yaml", rule("b"))
	wait("reloaded: 2 rules")
	remove("falco.yaml")
	fails()
	write("falco.yaml", conf("priority: notice\n"))
	wait("reloaded: 2 rules")
	write("config.d/1.yaml", "priority: [")
	fails()
	write("config.d/1.yaml", "rules_files: ["+path("other/c.yaml")+"]\n")
	wait("reloaded: 2 rules")
	write("other/c.yaml", "- rule: [")
	fails()
	write("other/c.yaml", rule("c"))
	wait("reloaded: 3 rules")
	write("falco.yaml", conf("capture: {mode: all_rules}\nsyscall_event_drops: {rate: 1}\n"))
	wait("reloaded: 3 rules")
	s.err.wait(t, "Warning: a change of capture.mode, syscall_event_drops.rate takes effect when Saker is started anew", 1)
	write("a.yaml", strings.Replace(rule("a"), "output: o", "output: o %static.zone", 1))
	fails()
	write("falco.yaml", conf("static_fields: {zone: eu}\n"))
	wait("reloaded: 3 rules")
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.err)
	}
}

// longWait is how long a test waits for what must come.
const longWait = time.Minute

// put writes a file as those do who know that it is read at any time: it is never there in part, nor empty.
func put(t *testing.T, path, text string) {
	t.Helper()
	whole := filepath.Join(t.TempDir(), "whole")
	if err := os.WriteFile(whole, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(whole, path); err != nil {
		t.Fatal(err)
	}
}

// console collects output and can be waited on.
type console struct {
	mu   sync.Mutex
	cond *sync.Cond
	buf  bytes.Buffer
}

func newConsole() *console {
	c := &console{}
	c.cond = sync.NewCond(&c.mu)
	return c
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cond.Broadcast()
	return c.buf.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

// wait waits until the text has been written n times.
func (c *console) wait(t *testing.T, text string, n int) {
	t.Helper()
	timer := time.AfterFunc(longWait, c.cond.Broadcast)
	defer timer.Stop()
	begin := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for strings.Count(c.buf.String(), text) < n {
		if time.Since(begin) >= longWait {
			t.Fatalf("no %d times %q in:\n%s", n, text, c.buf.String())
		}
		c.cond.Wait()
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(longWait)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("it never came true that %s", what)
		}
	}
}

// session runs the program in the background.
type session struct {
	out, err       *console
	reload, reopen chan struct{}
	cancel         context.CancelFunc
	code           chan int
}

func start(t *testing.T, args ...string) *session {
	t.Helper()
	s := &session{out: newConsole(), err: newConsole(), reload: make(chan struct{}, 1), reopen: make(chan struct{}, 1), code: make(chan int, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	env := Env{Args: args, Stdout: s.out, Stderr: s.err, Getenv: os.Getenv, Reload: s.reload, Reopen: s.reopen}
	go func() { s.code <- Run(ctx, env) }()
	return s
}

// end ends it and returns its exit code.
func (s *session) end() int {
	s.cancel()
	return <-s.code
}

// needLive skips where the driver cannot run.
func needLive(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("watching the machine needs root")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("watching the machine needs a kernel with BTF: ", err)
	}
}

// TestReloadUnderLoad reloads 50 times, good and broken rules by turns, while files are opened all the time: every open
// raises exactly one alert.
func TestReloadUnderLoad(t *testing.T) {
	needLive(t)
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules.yaml")
	probe := filepath.Join(dir, "probe")
	good := fmt.Sprintf("- rule: probe\n  desc: d\n  condition: evt.type = openat and fd.name = %s\n  output: probe %%evt.num\n  priority: NOTICE\n", probe)
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(rules, good)
	write(probe, "")
	s := start(t, "-r", rules, "-o", "watch_config_files=false", "-o", "append_output=")
	s.err.wait(t, "watching", 1)
	const opens, reloads = 20_000, 50
	var wg sync.WaitGroup
	wg.Go(func() { open(t, opens, probe) })
	for i := range reloads {
		text := good
		if i%5 == 4 {
			text = "- rule: broken\n"
		}
		write(rules, text)
		s.reload <- struct{}{}
		if i%5 == 4 {
			s.out.wait(t, "Falco internal: hot restart failure", i/5+1)
		} else {
			s.err.wait(t, "reloaded: ", i-i/5+1)
		}
	}
	wg.Wait()
	s.out.wait(t, "Notice probe", opens)
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.err)
	}
	if n := strings.Count(s.out.String(), "Notice probe"); n != opens {
		t.Errorf("%d alerts for %d opens", n, opens)
	}
	if !strings.Contains(s.out.String(), "   probe: 20000\n") {
		t.Error("the statistics do not have all alerts")
	}
}

// TestDayInTheLife runs with a configuration of its own: alerts in a file that is rotated, broken and good rules, an orderly
// end; every alert is found exactly once.
func TestDayInTheLife(t *testing.T) {
	needLive(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		put(t, path(name), text)
	}
	rule := func(name string) string {
		return fmt.Sprintf("- rule: %s\n  desc: d\n  condition: evt.type = openat and fd.name startswith %s/secret-\n  output: \"%s %%fd.name\"\n  priority: WARNING\n  tags: [demo]\n", name, dir, name)
	}
	write("rules.yaml", rule("first"))
	port := servertest.Number(t, servertest.Free(t))
	write("falco.yaml", fmt.Sprintf(`
rules_files: [%s]
append_output: []
json_output: true
stdout_output: {enabled: true}
file_output: {enabled: true, keep_alive: true, filename: %s}
webserver: {enabled: true, listen_address: 127.0.0.1, listen_port: %d, prometheus_metrics_enabled: true}
metrics: {enabled: true, interval: 1h, output_file: %s}
`, path("rules.yaml"), path("alerts.txt"), port, path("metrics.jsonl")))
	get := func(name string) (int, string) {
		t.Helper()
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, name))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	s := start(t, "-c", path("falco.yaml"))
	s.err.wait(t, "watching", 1)
	n := 0
	touch := func(count int) {
		t.Helper()
		var names []string
		for range count {
			write(fmt.Sprintf("secret-%03d", n), "")
			names = append(names, path(fmt.Sprintf("secret-%03d", n)))
			n++
		}
		open(t, count, names...)
		s.out.wait(t, dir+"/secret-", 2*n) // in output and in output_fields
	}
	touch(20)
	eventually(t, "the file has 20 alerts", func() bool {
		text, _ := os.ReadFile(path("alerts.txt"))
		return bytes.Count(text, []byte("\n")) == 20
	})
	eventually(t, "the program is healthy", func() bool {
		code, body := get("/healthz")
		return code == http.StatusOK && body == `{"status": "ok"}`
	})
	if code, body := get("/versions"); code != http.StatusOK || !strings.Contains(body, `"falco_version":"0.44.1"`) || !strings.Contains(body, `"plugin_versions":{"container":"0.7.1"}`) {
		t.Errorf("/versions: %d %s", code, body)
	}
	eventually(t, "the metrics count the alerts", func() bool {
		_, body := get("/metrics")
		return strings.Contains(body, `rule_name="first"`) && strings.Contains(body, "} 20\n")
	})
	if err := os.Rename(path("alerts.txt"), path("alerts.1")); err != nil {
		t.Fatal(err)
	}
	s.reopen <- struct{}{}
	touch(20)
	write("rules.yaml", "- rule: [")
	s.out.wait(t, "Falco internal: hot restart failure", 2) // in rule and in output
	touch(20)
	write("rules.yaml", rule("second"))
	s.err.wait(t, "reloaded: 1 rules", 1)
	touch(20)
	if code := s.end(); code != 0 {
		t.Fatalf("exit code %d: %s", code, s.err)
	}
	var kept strings.Builder
	for _, f := range []string{"alerts.1", "alerts.txt"} {
		text, err := os.ReadFile(path(f))
		if err != nil {
			t.Fatal(err)
		}
		if len(text) == 0 {
			t.Errorf("%s is empty", f)
		}
		kept.Write(text)
	}
	for i := range n {
		name := fmt.Sprintf("\"fd.name\":\"%s/secret-%03d\"", dir, i)
		if a, b := strings.Count(kept.String(), name), strings.Count(s.out.String(), name); a != 1 || b != 1 {
			t.Errorf("secret-%03d: %d alerts in the files, %d on stdout", i, a, b)
		}
	}
	if text, err := os.ReadFile(path("metrics.jsonl")); err != nil || !strings.Contains(string(text), `"falco.version":"0.44.1"`) {
		t.Errorf("metrics file: %v %s", err, text)
	}
	if !strings.Contains(kept.String(), `"rule":"second"`) {
		t.Error("the new rule was not used")
	}
}

// TestReloadKeepsAlerts corrects the address of a destination that was away: what waits for it is delivered.
func TestReloadKeepsAlerts(t *testing.T) {
	there := receive(t, false)
	dir := t.TempDir()
	rules, conf := filepath.Join(dir, "rules.yaml"), filepath.Join(dir, "falco.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	configure := func(url string) {
		t.Helper()
		write(conf, "engine: {kind: nodriver}\nwatch_config_files: false\nstdout_output: {enabled: true}\njson_output: true\nrules_files: ["+rules+
			"]\nhttp_output: {enabled: true, url: '"+url+"'}\n")
	}
	good := "- rule: r\n  desc: d\n  condition: evt.type = openat\n  output: o\n  priority: NOTICE\n"
	write(rules, good)
	configure(fmt.Sprintf("http://127.0.0.1:%d", servertest.Number(t, servertest.Free(t))))
	s := start(t, "-c", conf)
	s.err.wait(t, "watching", 1)
	write(rules, "- rule: [")
	s.reload <- struct{}{}
	s.out.wait(t, `"rule":"Falco internal: hot restart failure"`, 1)
	write(rules, good)
	configure(there.URL)
	s.reload <- struct{}{}
	s.err.wait(t, "reloaded: ", 1)
	eventually(t, "the alert arrives", func() bool {
		there.mu.Lock()
		defer there.mu.Unlock()
		return there.got["Falco internal: hot restart failure"] == 1
	})
	if code := s.end(); code != 0 || strings.Contains(s.err.String(), "not delivered") {
		t.Errorf("exit code %d: %s", code, s.err)
	}
}

// TestReloadAtTheEnd has the program end in the middle of a reload: that this fails is no news then.
func TestReloadAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	rules, conf := filepath.Join(dir, "rules.yaml"), filepath.Join(dir, "falco.yaml")
	for path, text := range map[string]string{
		rules: "- rule: r\n  desc: d\n  condition: evt.type = openat\n  output: o\n  priority: NOTICE\n",
		conf:  "engine: {kind: nodriver}\nwatch_config_files: false\nstdout_output: {enabled: true}\nrules_files: [" + rules + "]\npriority: ${LEVEL}\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := 0
	level := func(name string) string {
		if name != "LEVEL" {
			return ""
		}
		if asked++; asked == 1 {
			return "notice"
		}
		cancel()
		return "none"
	}
	out, log, reload := newConsole(), newConsole(), make(chan struct{}, 1)
	reload <- struct{}{}
	code := Run(ctx, Env{Args: []string{"-c", conf}, Stdout: out, Stderr: log, Getenv: level, Reload: reload})
	if code != 0 || asked != 2 || strings.Contains(out.String(), "hot restart failure") {
		t.Errorf("exit code %d after %d readings: %s%s", code, asked, out, log)
	}
}
