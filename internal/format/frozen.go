package format

import "github.com/saker-sec/saker/internal/state"

// Late reports whether a part of the output may come to be known after the event (field.Extractor.Late).
func (f *Format) Late() bool {
	for i := range f.parts {
		if x := f.parts[i].print; x != nil && x.Late {
			return true
		}
	}
	for _, n := range f.fields {
		if n.Extractor.Late {
			return true
		}
	}
	return false
}

// Frozen is an output of one event in which what is known with the event is rendered, and the rest is left open.
type Frozen struct {
	format *Format
	texts  []string // by part, of those that are not late
	b      Buffers
}

// Freeze renders what is known with the event.
func (f *Format) Freeze(c *state.Ctx, b Buffers) *Frozen {
	z := &Frozen{format: f, texts: make([]string, len(f.parts)), b: b}
	for i := range f.parts {
		if x := f.parts[i].print; x == nil || !x.Late {
			z.texts[i] = string(f.parts[i].append(nil, c, b))
		}
	}
	return z
}

// Append appends the whole text; c is what state.(*Ctx).Keep returned.
func (z *Frozen) Append(dst []byte, c *state.Ctx) []byte {
	for i := range z.texts {
		if p := &z.format.parts[i]; p.print != nil && p.print.Late {
			dst = p.append(dst, c, z.b)
		} else {
			dst = append(dst, z.texts[i]...)
		}
	}
	return dst
}
