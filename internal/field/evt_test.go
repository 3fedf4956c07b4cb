package field_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

func TestEvent(t *testing.T) {
	play(t, []scene{
		{"times and numbers", []call{closing, closing, closing}, map[string]string{
			"evt.num": `3`, "evt.rawtime": `1700000000000002000`, "evt.rawtime.s": `1700000000`, "evt.rawtime.ns": `2000`, "evt.reltime": `2000`,
			"evt.reltime.s": `0`, "evt.deltatime": `1000`, "evt.deltatime.ns": `1000`, "evt.time.iso8601": `"2023-11-14T22:13:20.000002000+0000"`,
			"evt.cpu": `1`, "evt.count": `1`, "evt.hostname": `"box"`, "evt.source": `"syscall"`, "evt.pluginname": `null`, "evt.plugininfo": `null`,
		}},
		{"names", []call{closing}, map[string]string{
			"evt.type": `"close"`, "syscall.type": `"close"`, "evt.type.is.close": `1`, "evt.type.is.open": `0`, "evt.type.is.5": `1`, "evt.dir": `"<"`,
			"evt.count.exit": `1`, "evt.latency.human": `"0ns"`, "evt.is_async": `false`, "evt.asynctype": `null`,
		}},
		{"a generic event", []call{{event.GenericX, bashTID, []any{0, 221}}}, map[string]string{"evt.is_io": `false`, "evt.res": `null`, "evt.failed": `null`}},
		{"reading", []call{{event.SyscallOpenX, bashTID, []any{8, "/a", 1, 0, 0, 0}}}, map[string]string{
			"evt.is_open_read": `true`, "evt.is_open_write": `false`, "evt.is_open_exec": `false`, "evt.is_open_create": `false`,
		}},
		{"creating an executable", []call{{event.SyscallOpenatV2X, bashTID, []any{8, -100, "/a", 0x4006, 0o755, 0, 0}}}, map[string]string{
			"evt.is_open_read": `false`, "evt.is_open_write": `true`, "evt.is_open_exec": `true`, "evt.is_open_create": `true`,
		}},
		{"creating a temporary file fails", []call{{event.SyscallOpenatV2X, bashTID, []any{-13, -100, "/a", 0x2002, 0, 0, 0}}}, map[string]string{
			"evt.is_open_create": `false`, "evt.count.error.file": `1`, "evt.count.error.other": `null`,
		}},
		{"creat", []call{{event.SyscallCreatX, bashTID, []any{8, "/a", 0o711, 0, 0, 0}}}, map[string]string{"evt.is_open_exec": `true`, "evt.is_open_write": `false`}},
		{
			"a container of old",
			[]call{{event.InfrastructureEventE, -1, []any{"docker", "event", "Event:die;ID:0123456789abcdef;name: web ;Image:nginx@sha256:1", "x"}}},
			map[string]string{
				"evt.infra.docker.name": `"die"`, "evt.infra.docker.container.id": `"0123456789ab"`, "evt.infra.docker.container.name": `"web"`,
				"evt.infra.docker.container.image": `"nginx"`,
			},
		},
		{"an injected event", []call{{event.AsynceventE, -1, []any{[]byte{0, 0, 0, 0}, "container", []byte("x")}}}, map[string]string{
			"evt.type": `"container"`, "evt.asynctype": `"container"`, "evt.is_async": `true`, "evt.count.exit": `null`,
		}},
	})
}

// plugin describes one event.
type plugin struct{}

func (plugin) Name(id uint32) (string, bool)         { return "json", id == 7 }
func (plugin) Summary(e *event.Event) (string, bool) { return string(e.Param(1)), true }

func TestPluginEvent(t *testing.T) {
	cat := field.NewCatalogue()
	cat.Plugin = plugin{}
	cat.Sources = append(cat.Sources, "json")
	s := state.New(state.Config{})
	var e event.Event
	if err := e.Decode(encode(t, call{event.PlugineventE, -1, []any{7, []byte(`{"a":1}`)}}, start)); err != nil {
		t.Fatal(err)
	}
	e.Source = 1
	c := s.Apply(&e)
	for name, want := range map[string]string{
		"evt.pluginname": `"json"`, "evt.plugininfo": `"{\"a\":1}"`, "evt.source": `"json"`, "evt.type": `"pluginevent"`,
	} {
		if got := printed(bindOutput(t, cat, name), c); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestAround checks the distance that evt.around compares: whole milliseconds, rounded up, on both sides.
func TestAround(t *testing.T) {
	cat := field.NewCatalogue()
	x, err := cat.Bind("evt.around", "1000000000", true, true)
	if err != nil {
		t.Fatal(err)
	}
	for time, want := range map[uint64]uint64{1_000_000_000: 0, 1_000_000_001: 1, 998_000_000: 2, 1_002_000_000: 2, 1_002_000_001: 3} {
		if got, ok := x.Num(&state.Ctx{Event: &event.Event{Time: time}}); !ok || got != want {
			t.Errorf("at %d: %d, want %d", time, got, want)
		}
	}
}

// TestConstants evaluates what claims to depend on the type alone with nothing but the type.
func TestConstants(t *testing.T) {
	for _, x := range everyExtractor(t, field.NewCatalogue()) {
		if !x.Constant {
			continue
		}
		for i := range event.Types() {
			printed(x, &state.Ctx{Event: &event.Event{Code: event.Code(i)}, FDNum: -1})
		}
	}
}
