package field_test

import (
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// everyExtractor binds every field of the catalogue, with the arguments that it takes, for conditions and for outputs.
func everyExtractor(t testing.TB, c *field.Catalogue) []*field.Extractor {
	t.Helper()
	args := map[string][]string{
		"evt.arg": {"fd", "0", "1", "data"}, "evt.rawarg": {"fd", "name", "flags"}, "evt.around": {"1"},
		"evt.type.is": {"open", "fadvise64"}, "thread.cgroup": {"cpuset"}, "evt.abspath": {"", "dst"},
		"proc.env": {"", "HOME"}, "proc.aenv": {"", "1", "HOME"}, "proc.args": {"", "0"}, "proc.aargs": {"", "1"},
		"proc.aname": {"", "0", "2"}, "proc.acmdline": {"", "1"}, "fd.types": {"", "0"},
	}
	var list []*field.Extractor
	for _, class := range c.Classes() {
		for i := range class.Fields {
			f := &class.Fields[i]
			with := args[f.Name]
			if with == nil {
				with = []string{""}
			}
			for _, arg := range with {
				for _, filtering := range []bool{true, false} {
					if !filtering && f.Flags&field.FilterOnly != 0 {
						continue
					}
					x, err := c.BindField(f, arg, filtering)
					if err != nil {
						t.Fatalf("%s[%s]: %v", f.Name, arg, err)
					}
					list = append(list, x)
				}
			}
		}
	}
	return list
}

// TestExtractorsAllocateNothing runs every extractor over recorded events. What they own has grown to its size after the
// first run.
func TestExtractorsAllocateNothing(t *testing.T) {
	path := filepath.Join(shared, "captures", "falco", "psp", "run_as_user_0_container.scap")
	r, err := capture.Open(path)
	if err != nil {
		t.Skipf("no capture: %v", err)
	}
	defer r.Close()
	xs := everyExtractor(t, field.NewCatalogue())
	s := state.New(state.Config{})
	s.Load(r.Snapshot())
	var e event.Event
	values := make([]field.Value, 0, 1024)
	extract := func(x *field.Extractor, c *state.Ctx) {
		switch {
		case x.Text != nil:
			x.Text(c)
		case x.Num != nil:
			x.Num(c)
		default:
			x.Multi(c, values[:0])
		}
	}
	seen := map[event.Code]int{}
	for {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		c := s.Apply(&e)
		if seen[e.Code]++; seen[e.Code]%7 != 1 {
			continue
		}
		if n := testing.AllocsPerRun(1, func() {
			for _, x := range xs {
				extract(x, c)
			}
		}); n == 0 {
			continue
		}
		for _, x := range xs {
			if n := testing.AllocsPerRun(2, func() { extract(x, c) }); n > 0 {
				t.Errorf("%s[%s] allocates %v times for event %d, %s", x.Field.Name, x.Arg, n, e.Num, e.Type().Name)
			}
		}
		if t.Failed() {
			return
		}
	}
}

func BenchmarkExtract(b *testing.B) {
	path := filepath.Join(shared, "captures", "lab", "quiet.scap")
	r, err := capture.Open(path)
	if err != nil {
		b.Skipf("no capture: %v", err)
	}
	defer r.Close()
	s := state.New(state.Config{})
	s.Load(r.Snapshot())
	var e event.Event
	var c *state.Ctx
	for range 2000 {
		if err := r.Next(&e); err != nil {
			b.Fatal(err)
		}
		if c = s.Apply(&e); e.Code == event.SyscallOpenatV2X {
			break
		}
	}
	cat := field.NewCatalogue()
	for _, name := range []string{"evt.type", "proc.name", "proc.pname", "proc.cmdline", "fd.name", "fd.directory", "evt.args", "user.name"} {
		x, err := cat.Bind(name, "", false, true)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Text(c)
			}
		})
	}
}
