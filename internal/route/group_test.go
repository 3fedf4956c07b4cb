package route

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// memory is a disk and a queue that can fail.
type memory struct {
	kept      map[string][]byte
	published []*alert.Alert
	broken    bool
	stuck     bool // notes cannot be removed
}

var errBroken = errors.New("the disk is full")

func (m *memory) Note(_ context.Context, key string, text []byte) error {
	if m.broken {
		return errBroken
	}
	m.kept[key] = text
	return nil
}

func (m *memory) Forget(_ context.Context, key string) error {
	if m.stuck {
		return errBroken
	}
	delete(m.kept, key)
	return nil
}

func (m *memory) Notes(context.Context) (map[string][]byte, error) { return maps.Clone(m.kept), nil }

func (m *memory) publish(_ context.Context, a *alert.Alert) error {
	if m.broken {
		return errBroken
	}
	m.published = append(m.published, a)
	return nil
}

// repeat is an alert that knows whether it was acknowledged.
type repeat struct{ acked bool }

func (r *repeat) Ack() error { r.acked = true; return nil }

// groups is a grouper with the alerts it was given.
type groups struct {
	t *testing.T
	*grouper
	memory *memory
	now    time.Time
	given  map[uint64]*repeat
}

func newGroups(t *testing.T, g Group, m *memory) *groups {
	t.Helper()
	r, err := newGrouper(t.Context(), g, m, m.publish)
	if err != nil {
		t.Fatal(err)
	}
	return &groups{t: t, grouper: r, memory: m, now: time.Unix(1795459618, 0), given: map[uint64]*repeat{}}
}

// give hands over an alert; those of the first process that come again have their old number.
func (g *groups) give(rule string, seq uint64, again bool) verdict {
	a := &alert.Alert{Time: g.now.UTC(), Rule: rule, Priority: alert.Notice, Message: fmt.Sprint("m", seq)}
	g.given[seq] = &repeat{}
	v, err := g.take(g.t.Context(), entry{g.given[seq], seq, again, a.AppendSidekick(nil), a}, g.now)
	if err != nil && !g.memory.broken && !g.memory.stuck {
		g.t.Error(err)
	}
	return v
}

func (g *groups) unacked() (n int) {
	for _, r := range g.given {
		if !r.acked {
			n++
		}
	}
	return n
}

func (m *memory) reports() string {
	var out []string
	for _, a := range m.published {
		out = append(out, a.Rule+": "+a.Message)
	}
	return strings.Join(out, ", ")
}

// TestGroupWindows ends windows by time and by number.
func TestGroupWindows(t *testing.T) {
	m := &memory{kept: map[string][]byte{}}
	g := newGroups(t, Group{By: []string{"rule", "missing"}, Window: time.Minute, Count: 4}, m)
	for i, want := range []verdict{pass, held, held} {
		if v := g.give("a", uint64(i+1), false); v != want {
			t.Errorf("alert %d: %d, want %d", i+1, v, want)
		}
	}
	if v := g.give("b", 10, false); v != pass {
		t.Errorf("one of another group: %d", v)
	}
	if err := g.tend(t.Context(), g.now); err != nil || !g.given[2].acked || len(m.kept) != 1 || m.reports() != "" {
		t.Errorf("after a moment: %v, %d notes, %s", err, len(m.kept), m.reports())
	}
	g.now = g.now.Add(time.Minute)
	if err := g.tend(t.Context(), g.now); err != nil || m.reports() != "a: m3 (2 like this within 1m0s)" || len(m.kept) != 0 {
		t.Errorf("at the end: %v, %d notes, %s", err, len(m.kept), m.reports())
	}
	if a := m.published[0]; a.Fields[0].Key != "group.count" || a.Fields[0].Value.Num != 2 || len(a.UUID) != 36 {
		t.Errorf("the report is %+v", a)
	}
	m.published = nil
	for i := range 5 {
		g.give("a", uint64(20+i), false)
	}
	if got := m.reports(); got != "a: m24 (4 like this within 0s)" {
		t.Errorf("after four repeats: %s", got)
	}
	if v := g.give("a", 30, false); v != pass {
		t.Errorf("after a report: %d, want a new window", v)
	}
	if v := g.give("b", 31, false); v != pass {
		t.Errorf("after the window: %d, want a new one", v)
	}
}

// TestGroupKilled ends the process at the moments that matter.
func TestGroupKilled(t *testing.T) {
	m := &memory{kept: map[string][]byte{}}
	config := Group{By: []string{"rule"}, Window: time.Hour}
	g := newGroups(t, config, m)
	for seq := uint64(1); seq <= 4; seq++ {
		g.give("a", seq, false)
	}
	if err := g.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.give("a", 5, false) // counted, but not written down

	// It is killed before the acknowledgements got out: everything comes again.
	g = newGroups(t, config, m)
	for seq, want := range []verdict{pass, skip, skip, skip, held} {
		if v := g.give("a", uint64(seq+1), true); v != want {
			t.Errorf("alert %d comes again: %d, want %d", seq+1, v, want)
		}
	}
	if v := g.give("a", 2, false); v != held {
		t.Errorf("a new alert with an old number: %d, want it counted", v)
	}
	before := maps.Clone(m.kept)
	if err := g.tend(t.Context(), g.now.Add(time.Hour)); err != nil || m.reports() != "a: m2 (5 like this within 1h0m0s)" {
		t.Errorf("%v, %s", err, m.reports())
	}
	// It is killed between the report and the end of the note: the report comes again, under the same name.
	m.kept = before
	g = newGroups(t, config, m)
	if err := g.tend(t.Context(), g.now.Add(time.Hour)); err != nil || len(m.published) != 2 || m.published[0].UUID != m.published[1].UUID {
		t.Errorf("%v, %s", err, m.reports())
	}
	m.kept = map[string][]byte{"x": []byte("no JSON")}
	if _, err := newGrouper(t.Context(), config, m, m.publish); err == nil {
		t.Error("a note that cannot be read is no error")
	}
}

// TestGroupEarlier ends the process while the first alert of an earlier window is on its way, as with several requests at once or in a batch:
// it comes again and is sent, though the note of the window after it counts alerts with higher numbers.
func TestGroupEarlier(t *testing.T) {
	m := &memory{kept: map[string][]byte{}}
	config := Group{By: []string{"rule"}, Window: time.Minute}
	g := newGroups(t, config, m)
	g.give("a", 1, false)
	g.now = g.now.Add(time.Minute)
	if first, repeat := g.give("a", 2, false), g.give("a", 3, false); first != pass || repeat != held {
		t.Errorf("in the second window: %d, %d", first, repeat)
	}
	if err := g.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := g.now
	g = newGroups(t, config, m)
	g.now = now
	for i, want := range []verdict{pass, pass, skip} {
		if v := g.give("a", uint64(i+1), true); v != want {
			t.Errorf("alert %d comes again: %d, want %d", i+1, v, want)
		}
	}
}

// TestGroupStuck has a window end whose note cannot be removed: what comes then begins a new window.
func TestGroupStuck(t *testing.T) {
	m := &memory{kept: map[string][]byte{}}
	g := newGroups(t, Group{By: []string{"rule"}, Window: time.Minute}, m)
	g.give("a", 1, false)
	g.give("a", 2, false)
	if err := g.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.stuck = true
	g.now = g.now.Add(time.Minute)
	if v := g.give("a", 3, false); v != pass || g.grouper.held != 0 {
		t.Errorf("the next alert: %d, %d are held; want it to begin a window", v, g.grouper.held)
	}
}

// TestGroupDisk has a disk that is full for a while: nothing is acknowledged and nothing is forgotten.
func TestGroupDisk(t *testing.T) {
	m := &memory{kept: map[string][]byte{}}
	g := newGroups(t, Group{By: []string{"rule"}, Window: time.Minute}, m)
	g.give("a", 1, false)
	m.broken = true
	for seq := uint64(2); seq < 2+2*groupHeld; seq++ {
		if v := g.give("a", seq, false); v != held {
			t.Fatalf("%d", v)
		}
	}
	g.now = g.now.Add(2 * time.Minute)
	if v := g.give("a", 2000, false); v != held || g.unacked() != 2*groupHeld+2 {
		t.Errorf("after the window %d, %d are not acknowledged", v, g.unacked())
	}
	if err := g.tend(t.Context(), g.now); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
	m.broken = false
	if err := g.tend(t.Context(), g.now); err != nil || m.reports() != fmt.Sprintf("a: m2000 (%d like this within 1m0s)", 2*groupHeld+1) || g.unacked() != 1 {
		t.Errorf("%v, %s, %d are not acknowledged", err, m.reports(), g.unacked())
	}
}

// TestGroupMany opens more windows than there may be.
func TestGroupMany(t *testing.T) {
	m := &memory{kept: map[string][]byte{}}
	g := newGroups(t, Group{By: []string{"rule", "tags"}}, m)
	for i := range groupsOpen {
		g.give(fmt.Sprint(i), uint64(i), false)
	}
	for range 2 {
		if v := g.give("one more", 1<<20, false); v != pass {
			t.Errorf("one more: %d, want it to pass", v)
		}
	}
	if v := g.give("5", 1<<21, false); v != held {
		t.Errorf("a repeat: %d", v)
	}
}

// TestGroupLarge has alerts that are too large to keep the last one of each window: one that would keep too much ends early.
func TestGroupLarge(t *testing.T) {
	m := &memory{kept: map[string][]byte{}}
	g := newGroups(t, Group{By: []string{"rule"}, Window: time.Minute}, m)
	g.most = 300 // bytes: less than three alerts have
	for _, rule := range []string{"a", "b", "c"} {
		g.give(rule, uint64(len(g.given)+1), false)
		g.give(rule, uint64(len(g.given)+1), false)
	}
	if g.kept > g.most || m.reports() != "c: m6 (1 like this within 0s)" {
		t.Errorf("%d bytes are kept, reported is %s", g.kept, m.reports())
	}
	g.now = g.now.Add(time.Minute)
	if err := g.tend(t.Context(), g.now); err != nil || g.kept != 0 {
		t.Errorf("%v, %d bytes are kept after all windows", err, g.kept)
	}
}
