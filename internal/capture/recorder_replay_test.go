package capture_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/match"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

// containerFields are the fields that the rules ask of a container runtime, where there is none.
func containerFields(c *field.Catalogue) *field.Class {
	class := &field.Class{Name: "container"}
	for _, name := range []string{
		"container.name", "container.image.repository", "container.image.tag", "container.mounts", "k8s.ns.name",
		"k8s.pod.name", "container.mount.dest", "container.privileged", "container.start_ts",
	} {
		if _, ok := c.Lookup(name); ok {
			continue
		}
		f := field.Field{Name: name, Type: field.CHARBUF}
		x := field.Extractor{Cost: 2, Text: func(*state.Ctx) (string, bool) { return "", false }}
		switch name {
		case "container.mount.dest":
			f.Args, f.Flags = []field.ArgKind{field.ArgIndex, field.ArgKey}, field.ArgRequired
		case "container.privileged":
			f.Type = field.BOOL
		case "container.start_ts":
			f.Type = field.ABSTIME
		}
		if f.Type != field.CHARBUF {
			x = field.Extractor{Cost: 2, Num: func(*state.Ctx) (uint64, bool) { return 0, false }}
		}
		f.Bind = func(string, bool) (*field.Extractor, error) { own := x; return &own, nil }
		class.Fields = append(class.Fields, f)
	}
	return class
}

func options(t testing.TB) ruleset.Options {
	t.Helper()
	c := field.NewCatalogue()
	c.Add(containerFields(c))
	o := ruleset.Options{
		Sources: []string{ruleset.SyscallSource}, Fields: func(string) *field.Catalogue { return c },
		Output: ruleset.Output{ISO8601: true},
	}
	if f, err := os.Open("/etc/services"); err == nil {
		defer f.Close()
		if o.Services, err = match.ReadServices(f); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// upstream compiles Falco's rules for system calls.
func upstream(t testing.TB) *ruleset.Ruleset {
	t.Helper()
	o := options(t)
	l := rule.NewLoader(rule.Config{Checker: ruleset.NewChecker(o), MinPriority: alert.Debug})
	for _, name := range []string{"falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"} {
		content, err := os.ReadFile(filepath.Join(shared, "rules", "upstream", name))
		if err != nil {
			t.Skipf("the rule files are not there: %v", err)
		}
		if res := l.Load(name, content); len(res.Errors) > 0 {
			t.Fatal(rule.ValidationText([]*rule.Result{res}))
		}
	}
	rs, err := ruleset.New(l.Rules(), o)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// lab opens a recorded capture.
func lab(t testing.TB, name string) *capture.Reader {
	t.Helper()
	r, err := capture.Open(filepath.Join(shared, "captures/lab", name))
	if err != nil {
		t.Skipf("the capture is not there: %v", err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// loop is the loop of the engine with a recorder: see is called for each event that rules see, and returns what to tell
// the recorder, once for each matching rule.
func loop(t testing.TB, r *capture.Reader, s *state.State, rec *capture.Recorder, see func(*state.Ctx) int) {
	t.Helper()
	var e event.Event
	for {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec != nil {
			rec.Event(&e)
		}
		c := s.Apply(&e)
		if e.Dump&event.StateOnly != 0 {
			continue
		}
		for range see(c) {
			rec.Match(&e, true, 1)
		}
	}
}

func loaded(r *capture.Reader) *state.State {
	s := state.New(state.Config{})
	s.Load(r.Snapshot())
	return s
}

// newRecorder returns a recorder of s into a fresh directory. finish closes it and returns what it wrote.
func newRecorder(t testing.TB, s *state.State, pre time.Duration) (rec *capture.Recorder, finish func() []capture.Ended) {
	t.Helper()
	results := make(chan capture.Ended, 100_000)
	rec, err := capture.NewRecorder(capture.RecorderConfig{
		PathPrefix: filepath.Join(t.TempDir(), "falco"), DefaultDuration: 5 * time.Second, Wait: true,
		PreTrigger: pre, PreTriggerBytes: 48 << 20,
		Snapshot: func(between bool) *event.Snapshot {
			if between {
				return s.SnapshotBetween()
			}
			return s.Snapshot()
		},
		Known: s.Accounts, Entered: s.Entered,
		Ended: func(e capture.Ended) { results <- e },
	})
	if err != nil {
		t.Fatal(err)
	}
	return rec, func() []capture.Ended {
		if err := rec.Close(context.Background()); err != nil {
			t.Error(err)
		}
		close(results)
		var list []capture.Ended
		for e := range results {
			if e.Err != nil || e.Reason != capture.EndDeadline && e.Reason != capture.EndStopped {
				t.Errorf("%s: %v: %v", e.Path, e.Reason, e.Err)
			}
			list = append(list, e)
		}
		return list
	}
}

// said is an alert without what depends on the number of the event.
func said(rs *ruleset.Ruleset, m *ruleset.Rule, c *state.Ctx) string {
	a := rs.Alert(m, c)
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s: %s", a.Time.UnixNano(), a.Rule, a.Message)
	for _, f := range a.Fields {
		fmt.Fprintf(&b, "\n\t%s=%+v", f.Key, f.Value)
	}
	return b.String()
}

// TestRecordedAlerts records each alert of a series of attacks into a file of its own, or together with others where they
// follow each other at once, and replays the files: each raises the alerts that were recorded, in every field.
func TestRecordedAlerts(t *testing.T) {
	for _, pre := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprint("pre-trigger ", pre), func(t *testing.T) {
			r, rs := lab(t, "suspicious.scap"), upstream(t)
			s := loaded(r)
			rec, finish := newRecorder(t, s, pre)
			want := map[string]bool{}
			loop(t, r, s, rec, func(c *state.Ctx) int {
				list := rs.Match(c)
				for _, m := range list {
					want[said(rs, m, c)] = true
				}
				return len(list)
			})
			raised := map[string]bool{}
			files := finish()
			before, rs := uint64(0), upstream(t)
			for _, f := range files {
				r, err := capture.Open(f.Path)
				if err != nil {
					t.Fatal(err)
				}
				first := uint64(0)
				var began, num uint64
				fmt.Sscanf(filepath.Base(f.Path), "falco_%d_%d.scap", &began, &num)
				atMatch := 0
				loop(t, r, loaded(r), nil, func(c *state.Ctx) int {
					if first == 0 {
						first = c.Event.Time
					}
					for _, m := range rs.Match(c) {
						text := said(rs, m, c)
						if !want[text] {
							t.Errorf("%s: unexpected: %s", f.Path, text)
						}
						raised[text] = true
						if c.Event.Time == began {
							atMatch++
						}
					}
					return 0
				})
				r.Close()
				if atMatch == 0 {
					t.Errorf("%s: the event that began it raises no alert", f.Path)
				}
				before += (began - first) / uint64(len(files))
			}
			for text := range want {
				if !raised[text] {
					t.Errorf("missing: %s", text)
				}
			}
			t.Logf("%d alerts, %d files raise %d, on average %v before the match; %+v", len(want), len(files), len(raised), time.Duration(before), rec.Stats())
			if len(want) == 0 || pre > 0 && time.Duration(before) < pre/2 {
				t.Errorf("%d alerts, %v before the match", len(want), time.Duration(before))
			}
		})
	}
}

// told are the fields by which an event is compared with its replay.
const told = "evt.type evt.args evt.res proc.name proc.exe proc.exepath proc.cmdline proc.args proc.env proc.cwd proc.pid proc.ppid proc.pname " +
	"proc.pcmdline proc.pexepath proc.aname[2] proc.aname[3] proc.aname[4] proc.apid[2] proc.sid proc.sname proc.vpgid " +
	"proc.vpgid.name proc.pgid proc.tty proc.nthreads proc.nchilds proc.is_exe_writable proc.is_exe_upper_layer proc.exe_ino " +
	"proc.exe_ino.ctime proc.exe_ino.mtime proc.loginshellid proc.fdlimit proc.fdopencount proc.vmsize thread.tid thread.vtid " +
	"thread.cap_effective thread.cap_permitted thread.cgroups user.uid user.name user.loginuid user.loginname group.gid group.name " +
	"fd.num fd.type fd.typechar fd.name fd.directory fd.ino fd.dev fd.sip fd.cip fd.sport fd.cport fd.lip fd.rip fd.l4proto fd.is_server"

// teller renders the fields of an event.
func teller(t testing.TB) func(*state.Ctx) string {
	t.Helper()
	o := options(t)
	e, err := filter.Parse("evt.num >= 0")
	if err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	for _, name := range strings.Fields(told) {
		fmt.Fprintf(&output, "%s=%%%s ~~ ", name, name)
	}
	rs, err := ruleset.New([]*rule.Rule{{Name: "all", Expr: e, Output: output.String(), Source: ruleset.SyscallSource, Enabled: true}}, o)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *state.Ctx) string { return rs.Alert(rs.Rules()[0], c).Message }
}

// TestRecordedEvents records files that begin with events of all kinds, and compares what each event means in them. What
// differs is what Recorder says it loses.
func TestRecordedEvents(t *testing.T) {
	for _, c := range []struct {
		name string
		pre  time.Duration
	}{
		{"quiet.scap", 0}, {"quiet.scap", 200 * time.Millisecond}, {"suspicious.scap", 0}, {"suspicious.scap", 200 * time.Millisecond},
	} {
		t.Run(fmt.Sprint(c.name, " ", c.pre), func(t *testing.T) {
			r, tell := lab(t, c.name), teller(t)
			s := loaded(r)
			rec, finish := newRecorder(t, s, c.pre)
			want, raw := map[string]string{}, map[string]string{}
			n := 0
			loop(t, r, s, rec, func(c *state.Ctx) int {
				if n++; n%211 != 0 {
					return 0
				}
				name := fmt.Sprintf("%020d_%020d", c.Event.Time, c.Event.Num)
				want[name], raw[name] = tell(c), string(c.Event.Raw())
				return 1
			})
			differ, example := map[string]int{}, map[string]string{}
			files := finish()
			for _, f := range files {
				name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f.Path), "falco_"), ".scap")
				r, err := capture.Open(f.Path)
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				loop(t, r, loaded(r), nil, func(c *state.Ctx) int {
					if got == "" && string(c.Event.Raw()) == raw[name] {
						got = tell(c)
					}
					return 0
				})
				r.Close()
				a, b := strings.Split(want[name], " ~~ "), strings.Split(got, " ~~ ")
				if strings.Contains(got, "0.0.0.0:0->0.0.0.0:0") {
					continue // a file gives a socket without addresses a name, as the reference does
				}
				for i := range a {
					if i >= len(b) || a[i] != b[i] {
						field, _, _ := strings.Cut(a[i], "=")
						differ[field]++
						if i < len(b) {
							example[field] = fmt.Sprintf("%s\n%s\n%s %s", a[i], b[i], a[0], f.Path)
						}
					}
				}
			}
			t.Logf("%d files", len(files))
			for field, n := range differ {
				t.Errorf("%d events differ in %s, such as\n%s", n, field, example[field])
			}
		})
	}
}

// BenchmarkRecorderSnapshot measures how long the loop stops for a snapshot with 500 processes of 30 descriptors: one for each
// turn of the ring.
func BenchmarkRecorderSnapshot(b *testing.B) {
	p := event.Process{Comm: "nginx", Exe: "nginx", ExePath: "/usr/sbin/nginx", Cwd: "/srv/", Root: "/", Args: []string{"-g", "daemon off;"}}
	for i := range 20 {
		p.Env = append(p.Env, fmt.Sprintf("VARIABLE_%d=%s", i, strings.Repeat("x", 40)))
	}
	for fd := range int64(30) {
		p.FDs = append(p.FDs, event.Descriptor{FD: fd, Type: event.FDFileV2, Name: fmt.Sprintf("/var/lib/service/data/file-%d", fd), OpenFlags: 1})
	}
	snap := &event.Snapshot{}
	for i := range int64(500) {
		p.TID, p.PID = 100+i, 100+i
		snap.Processes = append(snap.Processes, p)
	}
	s := state.New(state.Config{})
	s.Load(snap)
	rec, err := capture.NewRecorder(capture.RecorderConfig{
		PathPrefix: filepath.Join(b.TempDir(), "falco"), PreTrigger: 1, PreTriggerBytes: 64 << 20, Now: func() time.Time { return time.Time{} },
		Snapshot: func(bool) *event.Snapshot { return s.SnapshotBetween() }, Entered: s.Entered,
	})
	if err != nil {
		b.Fatal(err)
	}
	var enc event.Encoder
	enc.Begin(event.ProcexitV1E, 1, 1)
	var e event.Event
	if err := e.Decode(enc.Bytes()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.Time += 1e9 // each event turns the ring
		rec.Event(&e)
	}
}

// TestRecordedSysdig has another program read a recorded file, with processes that were found on the way.
func TestRecordedSysdig(t *testing.T) {
	sysdig, err := exec.LookPath("sysdig")
	if err != nil {
		t.Skip("sysdig is not installed")
	}
	for _, pre := range []time.Duration{0, 500 * time.Millisecond} {
		r := lab(t, "quiet.scap")
		s := loaded(r)
		rec, finish := newRecorder(t, s, pre)
		n, want := 0, ""
		loop(t, r, s, rec, func(c *state.Ctx) int {
			if n++; n == 19_000 {
				rec.Found(&event.Process{TID: 999_999, PID: 999_999, Comm: "found", Exe: "found", VTID: 1, VPID: 1, Cwd: "/"})
				want = fmt.Sprintf("%d %d %s", c.Event.Time, c.Thread.TID, c.Thread.Comm)
			}
			if n == 19_000 {
				return 1
			}
			return 0
		})
		files := finish()
		if len(files) != 1 {
			t.Fatalf("%+v", files)
		}
		var stderr bytes.Buffer
		cmd := exec.Command(sysdig, "-r", files[0].Path, "-p", "%evt.rawtime %thread.tid %proc.name")
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("pre-trigger %v: %v: %s", pre, err, stderr.String())
		}
		if lines := strings.Split(string(out), "\n"); !slices.Contains(lines, want) || (pre > 0) != (len(lines) > 100) {
			t.Errorf("pre-trigger %v: sysdig prints %d lines, not %q", pre, len(lines), want)
		}
	}
}
