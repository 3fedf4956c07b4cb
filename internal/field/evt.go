package field

import (
	"time"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

const second = 1_000_000_000 // ns

// PluginInfo describes the events that plugins produce.
type PluginInfo interface {
	// Name returns the name of the plugin with this id, and false when none is loaded.
	Name(id uint32) (string, bool)
	// Summary returns the plugin's rendering of the event in one line, a view that is valid until the next call.
	Summary(e *event.Event) (string, bool)
}

// genericEvent is the class of fields that events of all sources have.
func genericEvent(cat *Catalogue, names natives) *Class {
	return &Class{
		Name:  "evt",
		Short: "All event types",
		Doc:   "What every event has, whatever its source.",
		Fields: []Field{
			{
				Name: "evt.num", Type: UINT64, Doc: "Position of the event in the stream, counted from 1.",
				Bind: number(costLoad, func(c *state.Ctx) (uint64, bool) { return c.Event.Num, true }),
			},
			{
				Name: "evt.time", Type: CHARBUF, TimeInJSON: true, Doc: "Local time of day of the event, with nanoseconds.",
				Bind: eventTime("15:04:05.000000000"),
			},
			{
				Name: "evt.time.s", Type: CHARBUF, TimeInJSON: true,
				Doc:  "Local time of day of the event, in whole seconds.",
				Bind: eventTime("15:04:05"),
			},
			{
				Name: "evt.time.iso8601", Type: CHARBUF, TimeInJSON: true,
				Doc: "Date and time of the event in UTC as ISO 8601 writes them, with nanoseconds.", Bind: built(costBuild,
					func(c *state.Ctx, dst []byte) ([]byte, bool) {
						t := time.Unix(0, int64(c.Event.Time)).UTC()
						return t.AppendFormat(dst, "2006-01-02T15:04:05.000000000-0700"), true
					}),
			},
			{
				Name: "evt.datetime", Type: CHARBUF, TimeInJSON: true,
				Doc:  "Local date and time of the event, with nanoseconds.",
				Bind: eventTime("2006-01-02 15:04:05.000000000"),
			},
			{
				Name: "evt.datetime.s", Type: CHARBUF, TimeInJSON: true,
				Doc:  "Local date and time of the event, in whole seconds.",
				Bind: eventTime("2006-01-02 15:04:05"),
			},
			{
				Name: "evt.rawtime", Type: ABSTIME, Doc: "Time of the event in nanoseconds since the epoch.",
				Bind: rawTime(func(t uint64) uint64 { return t }),
			},
			{
				Name: "evt.rawtime.s", Type: ABSTIME, Doc: "Time of the event in whole seconds since the epoch.",
				Bind: rawTime(func(t uint64) uint64 { return t / second }),
			},
			{
				Name: "evt.rawtime.ns", Type: ABSTIME, Padded: true,
				Doc:  "Nanoseconds of the event's time within its second.",
				Bind: rawTime(func(t uint64) uint64 { return t % second }),
			},
			{
				Name: "evt.reltime", Type: RELTIME, Padded: true, Doc: "Nanoseconds since the first event.",
				Bind: relativeTime(func(t uint64) uint64 { return t }),
			},
			{
				Name: "evt.reltime.s", Type: RELTIME, Doc: "Whole seconds since the first event.",
				Bind: relativeTime(func(t uint64) uint64 { return t / second }),
			},
			{
				Name: "evt.reltime.ns", Type: RELTIME, Padded: true,
				Doc:  "Nanoseconds of the time since the first event, beyond its whole seconds.",
				Bind: relativeTime(func(t uint64) uint64 { return t % second }),
			},
			{
				Name: "evt.pluginname", Type: CHARBUF,
				Doc:  "Name of the plugin that an event of a plugin's source comes from.",
				Bind: text(costWalk, func(c *state.Ctx) (string, bool) { return pluginName(cat, c) }),
			},
			{
				Name: "evt.plugininfo", Type: CHARBUF,
				Doc: "The event in one line, as the plugin that it comes from renders it.",
				Bind: text(costLong, func(c *state.Ctx) (string, bool) {
					if cat.Plugin == nil || c.Event.Code != event.PlugineventE {
						return "", false
					}
					return cat.Plugin.Summary(c.Event)
				}),
			},
			{
				Name: "evt.source", Type: CHARBUF, Doc: "Name of the event source that the event comes from.",
				Bind: text(costLoad, func(c *state.Ctx) (string, bool) {
					if i := int(c.Event.Source); i < len(cat.Sources) {
						return cat.Sources[i], true
					}
					return "", false
				}),
			},
			{
				Name: "evt.is_async", Type: BOOL,
				Doc:  "Whether the event was not caused by the source at that moment but injected.",
				Bind: constant(func(t *event.Type) (uint64, bool) { return boolean(t.Class == event.ClassMetaevent), true }),
			},
			{
				Name: "evt.asynctype", Type: CHARBUF, Doc: "Name of an injected event, such as container.",
				Bind: text(costLoad, func(c *state.Ctx) (string, bool) {
					if c.Event.Type().Class != event.ClassMetaevent {
						return "", false
					}
					return names.name(c.Event)
				}),
			},
			{
				Name: "evt.hostname", Type: CHARBUF,
				Doc:  "Name of the host, which FALCO_HOSTNAME in the environment replaces (the node's name on Kubernetes).",
				Bind: text(costLoad, func(c *state.Ctx) (string, bool) { return c.State.Machine().Hostname, true }),
			},
		},
	}
}

// eventTime is the Bind of the event's time in the local zone.
func eventTime(layout string) binder {
	return built(costBuild, func(c *state.Ctx, dst []byte) ([]byte, bool) {
		return time.Unix(0, int64(c.Event.Time)).AppendFormat(dst, layout), true
	})
}

func rawTime(f func(uint64) uint64) binder {
	return number(costLoad, func(c *state.Ctx) (uint64, bool) { return f(c.Event.Time), true })
}

func relativeTime(f func(uint64) uint64) binder {
	return number(costLoad, func(c *state.Ctx) (uint64, bool) { return f(c.Event.Time - c.FirstTime), true })
}

func pluginName(cat *Catalogue, c *state.Ctx) (string, bool) {
	if cat.Plugin == nil || c.Event.Code != event.PlugineventE {
		return "", false
	}
	id, ok := c.Event.Uint(0)
	if !ok {
		return "", false
	}
	return cat.Plugin.Name(uint32(id))
}

// natives are the system calls by their number on this machine, 0 where there is none.
type natives []event.SC

// nativeCalls returns the table of the machine. Captures of other machines are of the architecture of most.
func nativeCalls() natives {
	arch, ok := event.NativeArch()
	if !ok {
		arch = event.ArchX8664
	}
	var n natives
	for i := range event.Syscalls() {
		nr := int(event.Syscalls()[i].NR[arch])
		if nr < 0 || event.Syscalls()[i].Name == "" {
			continue
		}
		for len(n) <= nr {
			n = append(n, 0)
		}
		if n[nr] == 0 {
			n[nr] = event.SC(i)
		}
	}
	return n
}

// call returns the system call that a generic event stands for. A call that its recorder had no code for is found by its
// number.
func (n natives) call(e *event.Event) event.SC {
	sc, ok := e.Uint(0)
	if !ok || sc >= uint64(event.NumSC) {
		return 0
	}
	if sc == 0 {
		if nr, ok := e.Uint(1); ok && nr < uint64(len(n)) {
			return n[nr]
		}
	}
	return event.SC(sc)
}

// name returns evt.type: the name of the type, of the system call that a generic event stands for, or of the injected event.
func (n natives) name(e *event.Event) (string, bool) {
	switch e.Code {
	case event.GenericX:
		name := event.Syscalls()[n.call(e)].Name
		if name == "" {
			name = "unknown"
		}
		return name, true
	case event.AsynceventE:
		return e.Text(1)
	}
	return e.Type().Name, true
}

// result returns the return value of a system call: the first parameter of every exit event but the generic one, whatever
// its name (falco-core.md §5.3). It reports false for events without.
func result(e *event.Event) (int64, bool) {
	t := e.Type()
	if t.Class != event.ClassSyscall || t.Enter || e.NumParams() == 0 || e.Code == event.GenericX {
		return 0, false
	}
	if n := len(e.Param(0)); n != 4 && n != 8 {
		return 0, true
	}
	return e.Int(0)
}
