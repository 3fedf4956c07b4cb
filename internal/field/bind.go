package field

import (
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

// The functions of this file make the Bind of the common kinds of fields. The costs are those of one extraction measured
// in nanoseconds, rounded.

type binder = func(arg string, filtering bool) (*Extractor, error)

// Typical costs of extractors.
const (
	costLoad  = 2   // loads a member
	costWalk  = 8   // follows a few pointers
	costBuild = 25  // builds a short text or looks something up in a map
	costLong  = 200 // builds a long text or visits all ancestors
)

// text is the Bind of a field whose text is stored somewhere.
func text(cost int, f func(*state.Ctx) (string, bool)) binder {
	return func(string, bool) (*Extractor, error) { return &Extractor{Text: f, Cost: cost}, nil }
}

// number is the Bind of a field of a numeric type.
func number(cost int, f func(*state.Ctx) (uint64, bool)) binder {
	return func(string, bool) (*Extractor, error) { return &Extractor{Num: f, Cost: cost}, nil }
}

// built is the Bind of a field whose text has to be put together: f appends it. The memory belongs to the extractor.
func built(cost int, f func(c *state.Ctx, dst []byte) ([]byte, bool)) binder {
	return func(string, bool) (*Extractor, error) { return buildWith(cost, f), nil }
}

// buildWith returns an extractor whose text f appends.
func buildWith(cost int, f func(c *state.Ctx, dst []byte) ([]byte, bool)) *Extractor {
	var buf []byte
	return &Extractor{Cost: cost, Text: func(c *state.Ctx) (string, bool) {
		b, ok := f(c, buf[:0])
		buf = b
		if !ok {
			return "", false
		}
		return event.View(b), true
	}}
}

// constant is the Bind of a numeric field that the event type alone decides.
func constant(f func(*event.Type) (uint64, bool)) binder {
	return func(string, bool) (*Extractor, error) {
		return &Extractor{Cost: costLoad, Constant: true, Num: func(c *state.Ctx) (uint64, bool) {
			return f(c.Event.Type())
		}}, nil
	}
}

// ofThread is the Bind of a text of the event's thread.
func ofThread(f func(*state.Thread) string) binder {
	return text(costLoad, func(c *state.Ctx) (string, bool) {
		if c.Thread == nil {
			return "", false
		}
		return f(c.Thread), true
	})
}

// numberOfThread is the Bind of a number of the event's thread.
func numberOfThread(f func(*state.Thread) uint64) binder {
	return number(costLoad, func(c *state.Ctx) (uint64, bool) {
		if c.Thread == nil {
			return 0, false
		}
		return f(c.Thread), true
	})
}

// knownOfThread is like numberOfThread for a number in which one value stands for "not known".
func knownOfThread(unknown uint64, f func(*state.Thread) uint64) binder {
	return number(costLoad, func(c *state.Ctx) (uint64, bool) {
		if c.Thread == nil {
			return 0, false
		}
		v := f(c.Thread)
		return v, v != unknown
	})
}

// boolOfThread is the Bind of a truth about the event's thread.
func boolOfThread(f func(*state.Thread) bool) binder {
	return numberOfThread(func(t *state.Thread) uint64 { return boolean(f(t)) })
}

// builtOfThread is the Bind of a text about the event's thread that f appends.
func builtOfThread(cost int, f func(dst []byte, t *state.Thread) []byte) binder {
	return built(cost, func(c *state.Ctx, dst []byte) ([]byte, bool) {
		if c.Thread == nil {
			return dst, false
		}
		return f(dst, c.Thread), true
	})
}

func boolean(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// printedAs makes an extractor of numbers one of text where outputs print them in hexadecimal or octal, which makes them
// strings in JSON too. Conditions compare the numbers.
func printedAs(x *Extractor, f event.Format, filtering bool) *Extractor {
	if filtering || x.Num == nil || f != event.FormatHex && f != event.FormatOct {
		return x
	}
	get := x.Num
	text := buildWith(costBuild, func(c *state.Ctx, dst []byte) ([]byte, bool) {
		v, ok := get(c)
		if !ok {
			return dst, false
		}
		return appendUnsigned(dst, v, f), true
	})
	text.Field, text.Type = x.Field, CHARBUF
	return text
}
