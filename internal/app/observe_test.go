package app

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/engine"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

func TestCanary(t *testing.T) {
	_, path := newCanary()
	_, other := newCanary()
	if path == other {
		t.Errorf("two canaries have the same path %s", path)
	}
	here, err := os.Stat(".")
	if err != nil {
		t.Fatal(err)
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(here, there) {
		t.Errorf("%s is not the directory it is in: %v", path, err)
	}
	chdir := func(path string) *event.Event {
		var enc event.Encoder
		enc.Begin(event.SyscallChdirX, 1, 4242) // a thread that /proc does not show, as in a pid namespace of our own
		enc.Int64(0)
		enc.Text(path)
		e := &event.Event{}
		if err := e.Decode(enc.Bytes()); err != nil {
			t.Fatal(err)
		}
		return e
	}
	if !isCanary(chdir(path), path) {
		t.Error("the canary's event is not known")
	}
	for _, p := range []string{other, ".", path + "/", strings.TrimSuffix(path, "."), ""} {
		if isCanary(chdir(p), path) {
			t.Errorf("%q passes for the canary", p)
		}
	}
}

// kept is a sink that keeps what it is sent.
type kept struct{ got []string }

func (l *kept) Send(_ context.Context, _ *alert.Alert, line []byte) error {
	l.got = append(l.got, string(line))
	return nil
}

// TestSilence counts looks for an event in vain, and raises an alert after more than syscall_event_timeouts.max_consecutives.
func TestSilence(t *testing.T) {
	rules, err := ruleset.New(nil, ruleset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var sink kept
	p := &program{env: Env{Getenv: func(string) string { return "lab" }}, conf: &config.Config{MaxTimeouts: 3}}
	l := &live{last: uint64(time.Date(2026, 1, 2, 3, 4, 5, 6, time.Local).UnixNano())}
	r := &run{program: p, source: &opened{source: l}, router: route.New(route.Config{Outputs: []route.Output{{Name: "test", Sink: &sink}}})}
	r.observed = p.conf
	o := &observer{run: r}
	e := engine.New(engine.Config{State: state.New(state.Config{}), Rules: rules})
	for range 8 {
		l.silent++
		o.tick(e)
	}
	if err := r.router.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(sink.got) != 2 {
		t.Fatalf("%d alerts, want 2: %q", len(sink.got), sink.got)
	}
	const want = `Debug Falco internal: timeouts notification. 3 consecutive timeouts without event. (last_event_time="03:04:05.000000006")`
	if got := strings.ReplaceAll(sink.got[0], `\"`, `"`); !strings.HasSuffix(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
