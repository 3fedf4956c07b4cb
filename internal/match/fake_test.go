package match

import (
	"fmt"
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/state"
)

// fakeField is a field whose values a test sets: vals is nil when it has none.
type fakeField struct {
	field.Field
	quantity field.Quantity
	cost     int
	part     *field.Part
	vals     []field.Value
	reads    int
}

// fakeFields is a catalogue of fake fields.
type fakeFields map[string]*fakeField

func (ff fakeFields) add(name string, typ field.Type, q field.Quantity, flags field.Flags) *fakeField {
	f := &fakeField{Field: field.Field{Name: name, Type: typ, List: q == field.List, Flags: flags}, quantity: q, cost: 1}
	ff[name] = f
	return f
}

func (ff fakeFields) set(name string, vals ...any) {
	f := ff[name]
	f.vals = []field.Value{}
	for _, v := range vals {
		switch v := v.(type) {
		case string:
			f.vals = append(f.vals, field.Value{Type: f.Type, Text: v})
		case int:
			f.vals = append(f.vals, field.Value{Type: f.Type, Num: uint64(v)})
		case bool:
			n := uint64(0)
			if v {
				n = 1
			}
			f.vals = append(f.vals, field.Value{Type: f.Type, Num: n})
		}
	}
}

// Bind implements Fields. A bracket argument is not accepted.
func (ff fakeFields) Bind(name, arg string, hasArg, _ bool) (*field.Extractor, error) {
	f := ff[name]
	if f == nil || hasArg {
		text := name
		if hasArg {
			text += "[" + arg + "]"
		}
		return nil, fmt.Errorf("filter_check called with nonexistent field %s", text)
	}
	x := &field.Extractor{Field: &f.Field, Type: f.Type, Quantity: f.quantity, Cost: f.cost, Part: f.part}
	switch c := classOf(f.Type); {
	case f.quantity != field.One:
		x.Multi = func(_ *state.Ctx, dst []field.Value) ([]field.Value, bool) {
			f.reads++
			return append(dst, f.vals...), f.vals != nil
		}
	case c == classNumber || c == classBool:
		x.Num = func(*state.Ctx) (uint64, bool) {
			f.reads++
			if f.vals == nil {
				return 0, false
			}
			return f.vals[0].Num, true
		}
	default:
		x.Text = func(*state.Ctx) (string, bool) {
			f.reads++
			if f.vals == nil {
				return "", false
			}
			return f.vals[0].Text, true
		}
	}
	return x, nil
}

// newFakeFields returns a catalogue with fields of all shapes.
func newFakeFields() fakeFields {
	ff := fakeFields{}
	ff.add("evt.type", field.CHARBUF, field.One, 0)
	ff.add("evt.num", field.UINT64, field.One, 0)
	ff.add("t.a", field.CHARBUF, field.One, 0)
	ff.add("t.b", field.CHARBUF, field.One, 0)
	ff.add("t.dear", field.CHARBUF, field.One, 0).cost = 500
	ff.add("t.head", field.CHARBUF, field.One, 0).part = &field.Part{Of: "t.a", Except: "/"}
	ff.add("t.tail", field.CHARBUF, field.One, 0).part = &field.Part{Of: "t.a", End: true, Except: "/"}
	ff.add("t.path", field.FSPATH, field.One, 0)
	ff.add("t.raw", field.CHARBUF, field.One, field.NoRHS|field.NoTransformer)
	ff.add("n.int", field.INT64, field.One, 0)
	ff.add("n.int2", field.INT64, field.One, 0)
	ff.add("n.i32", field.INT32, field.One, 0)
	ff.add("n.u8", field.UINT8, field.One, 0)
	ff.add("n.u16", field.UINT16, field.One, 0)
	ff.add("n.u32", field.UINT32, field.One, 0)
	ff.add("n.u64", field.UINT64, field.One, 0)
	ff.add("n.time", field.ABSTIME, field.One, 0)
	ff.add("n.double", field.DOUBLE, field.One, 0)
	ff.add("n.port", field.PORT, field.One, 0)
	ff.add("b.yes", field.BOOL, field.One, 0)
	ff.add("ip.one", field.IPADDR, field.One, 0)
	ff.add("ip.ends", field.IPADDR, field.Either, field.NoRHS|field.NoTransformer)
	ff.add("net.one", field.IPNET, field.One, field.NoRHS|field.NoTransformer)
	ff.add("net.ends", field.IPNET, field.Either, field.NoRHS|field.NoTransformer)
	ff.add("port.ends", field.PORT, field.Either, field.NoRHS|field.NoTransformer)
	ff.add("anc.name", field.CHARBUF, field.Any, field.NoRHS|field.NoTransformer)
	ff.add("anc.pid", field.INT64, field.Any, field.NoRHS|field.NoTransformer)
	ff.add("l.texts", field.CHARBUF, field.List, 0)
	ff.add("l.other", field.CHARBUF, field.List, 0)
	ff.add("l.nums", field.UINT64, field.List, 0)
	ff.add("buf.raw", field.BYTEBUF, field.One, 0)
	return ff
}

// parseCheck parses a condition that is one comparison.
func parseCheck(text string) (*filter.Check, error) {
	e, err := filter.Parse(text)
	if err != nil {
		return nil, err
	}
	k, ok := e.(*filter.Check)
	if !ok {
		return nil, fmt.Errorf("%q is no comparison", text)
	}
	return k, nil
}

// compiled parses and compiles a comparison that is right.
func compiled(t testing.TB, c *Compiler, text string) *Check {
	t.Helper()
	e, err := parseCheck(text)
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.Check(e)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var testServices = func(name string) (uint16, bool) {
	port, ok := map[string]uint16{"ssh": 22, "http": 80}[name]
	return port, ok
}

func testCtx() *state.Ctx { return &state.Ctx{Event: &event.Event{Time: 1_000_000_000}} }
