package engine_test

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/capture/capturetest"
	"github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/engine"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
	"github.com/saker-sec/saker/rules"
)

// again is a source that gives the same events so many times, each time later. Between them it looks for news of containers,
// as the live source does.
type again struct {
	events   []event.Event
	span     uint64
	left     int
	at       int
	runtimes *container.Runtimes
}

func (a *again) Next(e *event.Event) error {
	if u, ok := a.runtimes.Next(); ok {
		panic(fmt.Sprintf("news of container %s", u.Key))
	}
	if a.at == len(a.events) {
		if a.at, a.left = 0, a.left-1; a.left == 0 {
			return io.EOF
		}
	}
	*e = a.events[a.at]
	a.events[a.at].Time += a.span
	a.at++
	return nil
}

const manyContainers = 500

func numberedID(i int) string { return fmt.Sprintf("%064x", i+1) }

// BenchmarkContainers runs recorded events through the loop, with our default rules: on a machine without containers, on one
// with 500 that are known with all their data and have five threads each, and on one where the events happen in them. The
// three take turns; the metrics are the fastest of each and their ratios.
func BenchmarkContainers(b *testing.B) {
	catalogue := field.NewCatalogue()
	o := ruleset.Options{Sources: []string{"syscall"}, Fields: func(string) *field.Catalogue { return catalogue }, First: true}
	l := rule.NewLoader(rule.Config{Checker: ruleset.NewChecker(o), MinPriority: alert.Debug})
	if res := l.Load(rules.Default()); !res.Successful() {
		b.Fatal(res.Verbose())
	}
	runtimes := container.Start(container.Config{})
	defer runtimes.Close()
	type machine struct {
		source *again
		engine *engine.Engine
		best   time.Duration
	}
	machines := map[string]*machine{}
	names := []string{"none", "beside", "inside"}
	for _, name := range names {
		snap, list, err := capturetest.Load(filepath.Join("..", "..", "..", "shared", "captures", "lab", "quiet.scap"))
		if err != nil {
			b.Skipf("needs the recorded events: %v", err)
		}
		m := &machine{source: &again{runtimes: runtimes}, best: time.Hour}
		for i := range list {
			var e event.Event
			if err := list[i].Event(&e); err != nil {
				b.Fatal(err)
			}
			if name == "inside" {
				e = moved(b, e)
			}
			m.source.events = append(m.source.events, e)
		}
		m.source.span = m.source.events[len(m.source.events)-1].Time - m.source.events[0].Time + 10e9
		s := state.New(state.Config{FollowAll: true, NeedContainer: runtimes.Need})
		if name == "inside" {
			for i := range snap.Processes {
				snap.Processes[i].Cgroups = []string{"cpu=/docker/" + numberedID(i%manyContainers)}
			}
		}
		s.Load(snap)
		if name != "none" {
			fill(s)
		}
		set, err := ruleset.New(l.Rules(), o)
		if err != nil {
			b.Fatal(err)
		}
		m.engine = engine.New(engine.Config{Source: m.source, State: s, Rules: set, Report: func(*alert.Alert) {}, Hold: 150_000_000})
		machines[name] = m
	}
	run := func(m *machine, times int) time.Duration {
		m.source.left = times
		begin := time.Now()
		if err := m.engine.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	for _, name := range names {
		run(machines[name], 2)
	}
	for b.Loop() {
		for _, name := range names {
			m := machines[name]
			m.best = min(m.best, run(m, 3))
		}
	}
	n := 3 * len(machines["none"].source.events)
	for _, name := range names {
		m := machines[name]
		b.ReportMetric(float64(m.best.Nanoseconds())/float64(n), "ns/event-"+name)
		b.ReportMetric(1000*float64(m.engine.Stats().Alerts)/float64(m.engine.Stats().Events), "alerts/1000-"+name)
	}
	for _, name := range names[1:] {
		b.ReportMetric(float64(machines[name].best)/float64(machines["none"].best), name+"/none")
	}
}

// fill makes 500 containers known, with five threads each.
func fill(s *state.State) {
	for i := range manyContainers {
		id := numberedID(i)
		c := &container.Container{
			ID: id, Type: "docker", Name: "box" + id[60:], Image: "team/box:1", Repository: "team/box", Tag: "1", Digest: "sha256:feed",
			Privileged: container.False, HostPID: container.False,
			Labels: []container.Label{{Key: "app", Value: "web"}, {Key: "team", Value: "blue"}},
			Mounts: slices.Repeat([]container.Mount{{Source: "/srv", Destination: "/data", Mode: "rw", Writable: true}}, 4),
		}
		s.LearnContainer(container.Update{Key: id[:12], Container: c})
		for j := range int64(5) {
			tid := 2_000_000 + int64(i)*10 + j
			s.AddProcess(&event.Process{
				TID: tid, PID: tid, PTID: 1, VTID: j + 1, VPID: j + 1, Comm: "app", Exe: "app", ExePath: "/app", Cwd: "/",
				Cgroups: []string{"cpu=/docker/" + id},
			})
		}
	}
}

// moved returns an event in which the control groups, if it has any, are those of a container.
func moved(b *testing.B, e event.Event) event.Event {
	b.Helper()
	index := slices.IndexFunc(e.Type().Params, func(p event.Param) bool { return p.Name == "cgroups" })
	if index < 0 || index >= e.NumParams() || len(e.Param(index)) == 0 {
		return e
	}
	var enc event.Encoder
	enc.Begin(e.Code, e.Time, e.TID)
	for i := range e.NumParams() {
		if i == index {
			enc.Raw([]byte("cpu=/docker/" + numberedID(int(e.TID)%manyContainers) + "\x00"))
		} else {
			enc.Raw(e.Param(i))
		}
	}
	out := event.Event{Num: e.Num}
	if err := out.Decode([]byte(strings.Clone(string(enc.Bytes())))); err != nil {
		b.Fatal(err)
	}
	return out
}
