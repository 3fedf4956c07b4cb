package match

import (
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// typedFields makes evt.type the name of the event's type.
type typedFields struct{ fakeFields }

func (ff typedFields) Bind(name, arg string, hasArg, filtering bool) (*field.Extractor, error) {
	if name != "evt.type" {
		return ff.fakeFields.Bind(name, arg, hasArg, filtering)
	}
	return &field.Extractor{
		Field: &ff.fakeFields["evt.type"].Field, Type: field.CHARBUF, Constant: true,
		Text: func(c *state.Ctx) (string, bool) { return c.Event.Type().Name, true },
	}, nil
}

func TestDecide(t *testing.T) {
	cases := []struct {
		cond         string
		code         event.Code
		holds, known bool
	}{
		{"evt.type = open", event.SyscallOpenX, true, true},
		{"evt.type = open", event.SyscallCloseX, false, true},
		{"evt.type != open", event.SyscallCloseX, true, true},
		{"evt.type in (close, open)", event.SyscallCloseX, true, true},
		{"tolower(evt.type) = close", event.SyscallCloseX, true, true},
		{"evt.type exists", event.SyscallCloseX, true, true},
		{"evt.type = open", event.GenericX, false, false},
		{"evt.type = open", event.AsynceventE, false, false},
		{"t.a = open", event.SyscallOpenX, false, false},
		{"evt.type = val(t.a)", event.SyscallOpenX, false, false},
		{"evt.num = 0", event.GenericX, false, true},
		{"evt.num >= 0", event.SyscallOpenX, true, true},
		{"evt.num < 1", event.SyscallOpenX, false, true},
		{"evt.num > 5", event.SyscallOpenX, false, false},
		{"evt.num in (0, 1)", event.SyscallOpenX, false, false},
	}
	for _, c := range cases {
		k, err := parseCheck(c.cond)
		if err != nil {
			t.Fatal(err)
		}
		m := NewCompiler(typedFields{newFakeFields()}, nil, nil)
		check, err := m.Check(k)
		if err != nil {
			t.Fatal(err)
		}
		d, err := m.NewDecider(c.code)
		if err != nil {
			t.Fatal(err)
		}
		if holds, known := d.Decide(check); holds != c.holds || known != c.known {
			t.Errorf("%s for event type %d: got %v, %v", c.cond, c.code, holds, known)
		}
	}
}

func TestOutput(t *testing.T) {
	ff := newFakeFields()
	ff.set("t.a", "Nginx")
	ff.set("l.texts", "a", "b")
	c := NewCompiler(ff, nil, nil)
	for cond, want := range map[string]string{"toupper(t.a) = x": "NGINX", "join('+', l.texts) = x": "a+b"} {
		k, err := parseCheck(cond)
		if err != nil {
			t.Fatal(err)
		}
		x, err := c.Output(&k.Left)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := x.Text(testCtx()); !ok || got != want {
			t.Errorf("%s: got %q, %v", cond, got, ok)
		}
	}
}
