package engine

import (
	"fmt"
	"strconv"

	"github.com/saker-sec/saker/internal/alert"
)

// Losses are how many events a source saw and could not deliver, since it began. The categories are those of Falco's
// metrics (falco-core.md §2.8).
type Losses struct {
	Events uint64 // seen by the source, lost ones among them
	Lost   uint64 // all lost ones

	Buffer                                    uint64 // the ring buffer was full; the sum of the next eight
	CloneFork, Execve, Connect, Open, DirFile uint64
	OtherInterest, Close, Proc                uint64
	Scratch                                   uint64 // no scratch memory, or an event too large for it
	PageFaults                                uint64 // memory that could not be read
	Bug                                       uint64 // what should not happen: the next two, and records that could not be decoded
	Interrupted                               uint64 // another run of the program was under way on the CPU
	NoProgram                                 uint64 // no program took the call
}

func (l Losses) minus(o Losses) Losses {
	return Losses{
		l.Events - o.Events, l.Lost - o.Lost, l.Buffer - o.Buffer, l.CloneFork - o.CloneFork, l.Execve - o.Execve,
		l.Connect - o.Connect, l.Open - o.Open, l.DirFile - o.DirFile, l.OtherInterest - o.OtherInterest, l.Close - o.Close,
		l.Proc - o.Proc, l.Scratch - o.Scratch, l.PageFaults - o.PageFaults, l.Bug - o.Bug,
		l.Interrupted - o.Interrupted, l.NoProgram - o.NoProgram,
	}
}

// Parts returns the categories in which something was lost, with how much.
func (l Losses) Parts() []string {
	var parts []string
	for _, c := range []struct {
		name string
		n    uint64
	}{
		{"clone and fork", l.CloneFork},
		{"execve", l.Execve},
		{"connect", l.Connect},
		{"open", l.Open},
		{"files and directories", l.DirFile},
		{"close", l.Close},
		{"process exit", l.Proc},
		{"other calls", l.OtherInterest},
		{"too large", l.Scratch},
		{"unreadable memory", l.PageFaults},
		{"program interrupted by another run of it", l.Interrupted},
		{"no program", l.NoProgram},
		{"not decodable", l.Bug - l.Interrupted - l.NoProgram},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", c.name, c.n))
		}
	}
	return parts
}

// DropAction is what is done about lost events.
type DropAction uint8

// The actions.
const (
	DropLog DropAction = 1 << iota
	DropAlert
	DropExit
)

// DropPolicy says when something is done about lost events, and what (syscall_event_drops, falco-core.md §2.7).
type DropPolicy struct {
	Threshold float64 // share of lost events in a second above which actions are taken, 0 to 1
	Rate      float64 // actions per second in the long run
	Burst     float64 // actions at once
	Simulate  bool    // pretend that an event is lost every second
	Actions   DropAction
}

// drops looks at the losses of each second of event time and acts on them as the policy says.
type drops struct {
	policy DropPolicy
	ebpf   uint64 // 1 when the source is the kernel: what the alert says in ebpf_enabled
	last   Losses
	tokens float64
	filled uint64 // ns: when tokens was computed

	detected uint64 // seconds with losses above the threshold
	acted    uint64 // of these, with actions taken
}

const second = 1_000_000_000

// newDrops starts with a full bucket.
func newDrops(p DropPolicy, live bool) *drops {
	d := &drops{policy: p, tokens: p.Burst}
	if live {
		d.ebpf = 1
	}
	return d
}

// check compares the losses with those of the check before it. It returns what to do; an alert when that is among it.
func (d *drops) check(now uint64, l Losses) (DropAction, *alert.Alert) {
	delta := l.minus(d.last)
	d.last = l
	if d.policy.Simulate {
		delta.Lost++
	}
	if delta.Lost == 0 {
		return 0, nil
	}
	if !d.policy.Simulate && float64(delta.Lost) <= d.policy.Threshold*float64(delta.Events) {
		return 0, nil
	}
	d.detected++
	if !d.claim(now) {
		return 0, nil
	}
	d.acted++
	return d.policy.Actions, d.alert(delta)
}

// claim takes a token from the bucket, which fills with time.
func (d *drops) claim(now uint64) bool {
	if d.filled != 0 && now > d.filled {
		d.tokens = min(d.policy.Burst, d.tokens+d.policy.Rate*float64(now-d.filled)/second)
	}
	d.filled = now
	if d.tokens < 1 {
		return false
	}
	d.tokens--
	return true
}

// alert is Falco's internal alert about lost events (falco-core.md §8.3); its values are texts.
func (d *drops) alert(l Losses) *alert.Alert {
	const rule = "Falco internal: syscall event drop"
	a := &alert.Alert{
		Rule: rule, Priority: alert.Debug, Source: "internal", Internal: true,
		Message: fmt.Sprintf("%s. %d system calls dropped in last second.", rule, l.Lost),
	}
	for _, f := range []struct {
		key string
		n   uint64
	}{
		{"n_evts", l.Events},
		{"n_drops", l.Lost},
		{"n_drops_buffer_total", l.Buffer},
		{"n_drops_buffer_clone_fork_exit", l.CloneFork},
		{"n_drops_buffer_execve_exit", l.Execve},
		{"n_drops_buffer_connect_exit", l.Connect},
		{"n_drops_buffer_open_exit", l.Open},
		{"n_drops_buffer_dir_file_exit", l.DirFile},
		{"n_drops_buffer_other_interest_exit", l.OtherInterest},
		{"n_drops_buffer_close_exit", l.Close},
		{"n_drops_buffer_proc_exit", l.Proc},
		{"n_drops_scratch_map", l.Scratch},
		{"n_drops_page_faults", l.PageFaults},
		{"n_drops_bug", l.Bug},
		{"ebpf_enabled", d.ebpf},
	} {
		a.Fields = append(a.Fields, alert.Field{Key: f.key, Value: alert.Value{Kind: alert.Text, Text: strconv.FormatUint(f.n, 10)}})
	}
	return a
}
