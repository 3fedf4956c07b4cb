package capture

import (
	"encoding/binary"
	"strconv"

	"github.com/saker-sec/saker/internal/event"
)

// conversion says what happens to events of one type with a certain number of parameters.
type conversion struct {
	params  uint8 // how many parameters the event has on disk
	keep    bool  // remember the (built) event as the last enter event of its thread
	pass    bool  // deliver the (built) event
	build   bool  // make a new event of type to from sources
	enters  bool  // some of the sources are parameters of the enter event, which is of type enter
	to      event.Code
	enter   event.Code
	sources []source
}

// source says where one parameter of a built event comes from.
type source struct {
	from  origin
	index uint8 // position among the parameters it comes from
	size  uint8 // bytes of the default
	max   uint8 // bytes that are kept at most; 0 means all
	ones  bool  // the default is all ones rather than zero
}

// origin is the kind of a source.
type origin uint8

const (
	fromEmpty origin = iota
	fromDefault
	fromOld           // the event on disk
	fromEnter         // the thread's enter event, or the default
	fromEnterOrEmpty  // the thread's enter event, or empty
	fromContainerJSON // id, type, name and image of the event on disk as a JSON object
)

// plan is what the reader does with an event of a code. Values up to event.MaxParams stand for an exit event that is
// current when it has that many parameters or more, and is converted otherwise.
type plan uint8

const (
	planPass plan = 0xff - iota
	planDrop
	planConvert
)

// planFor returns the plan of a type, from its flags (reference: scap-format.md §8).
func planFor(t *event.Type) plan {
	switch {
	case t.Flags&event.FlagUnused != 0:
		return planDrop
	case t.Flags&event.FlagConverterManaged == 0 && t.Flags&event.FlagOldVersion == 0:
		return planPass
	case t.Flags&event.FlagConverterManaged == 0:
		return planDrop
	case t.Enter || t.Flags&event.FlagOldVersion != 0:
		return planConvert
	}
	return plan(len(t.Params))
}

// converter turns old events into current ones. It keeps the enter events of system calls that have not returned yet.
type converter struct {
	plans  [event.NumCodes]plan
	enters enterTable
	old    event.Event
	enter  event.Event
	out    []byte
}

// makePlans fills the plans from the schema.
func (c *converter) makePlans() {
	for i := range event.Types() {
		c.plans[i] = planFor(&event.Types()[i])
	}
}

// find returns the conversion of an event type with n parameters, or nil where there is none.
func find(code event.Code, n int) *conversion {
	list := conversions[conversionStart[code]:conversionStart[code+1]]
	for i := range list {
		if int(list[i].params) == n {
			return &list[i]
		}
	}
	return nil
}

// convert returns the current form of raw, or nil when it is not to be delivered: it was remembered, or it has no
// conversion (known is false then). The result is valid until the next call. It fails when raw is malformed.
func (c *converter) convert(raw []byte) (result []byte, known bool, err error) {
	if err := c.old.Decode(raw); err != nil {
		return nil, true, err
	}
	rule := find(c.old.Code, c.old.NumParams())
	if rule == nil {
		return nil, false, nil
	}
	if rule.build {
		raw = c.build(rule)
		if raw == nil {
			return nil, false, nil
		}
	}
	if rule.keep {
		c.enters.put(c.old.TID, rule.to, raw)
	}
	if !rule.pass {
		return nil, true, nil
	}
	return raw, true, nil
}

// build makes the event of a rule from c.old and its enter event. It returns nil when the result is longer than an event
// of its type can be.
func (c *converter) build(rule *conversion) []byte {
	have := false
	if rule.enters {
		if raw := c.enters.take(c.old.TID, rule.enter); raw != nil {
			have = c.enter.Decode(raw) == nil
		}
	}
	width := 2
	if event.Types()[rule.to].Flags&event.FlagLargePayload != 0 {
		width = 4
	}
	head := event.HeaderSize + width*len(rule.sources)
	if cap(c.out) < head {
		c.out = make([]byte, head, 64<<10)
	}
	out := c.out[:head]
	copy(out, c.old.Raw()[:16])
	binary.LittleEndian.PutUint16(out[20:], uint16(rule.to))
	binary.LittleEndian.PutUint32(out[22:], uint32(len(rule.sources)))
	for i := range rule.sources {
		from := len(out)
		out = c.value(out, &rule.sources[i], have)
		n := len(out) - from
		if width == 4 {
			binary.LittleEndian.PutUint32(out[event.HeaderSize+4*i:], uint32(n))
			continue
		}
		if n > 0xffff {
			return nil
		}
		binary.LittleEndian.PutUint16(out[event.HeaderSize+2*i:], uint16(n))
	}
	binary.LittleEndian.PutUint32(out[16:], uint32(len(out)))
	c.out = out
	return out
}

// value appends the parameter that s describes. have says whether c.enter holds the enter event.
func (c *converter) value(out []byte, s *source, have bool) []byte {
	var p []byte
	switch s.from {
	case fromEmpty:
		return out
	case fromOld:
		p = c.old.Param(int(s.index))
	case fromEnter, fromEnterOrEmpty:
		if !have || int(s.index) >= c.enter.NumParams() {
			if s.from == fromEnterOrEmpty {
				return out
			}
			return appendDefault(out, s)
		}
		p = c.enter.Param(int(s.index))
	case fromDefault:
		return appendDefault(out, s)
	case fromContainerJSON:
		return appendContainer(out, &c.old)
	}
	if s.max > 0 && len(p) > int(s.max) {
		p = p[:s.max]
	}
	return append(out, p...)
}

// appendDefault appends the default value of a parameter.
func appendDefault(out []byte, s *source) []byte {
	b := byte(0)
	if s.ones {
		b = 0xff
	}
	for range s.size {
		out = append(out, b)
	}
	return out
}

// appendContainer appends the JSON object, with its closing NUL, that stands for an event of the first kind of container
// events, and nothing when its parameters are not id, type, name and image.
func appendContainer(out []byte, e *event.Event) []byte {
	id, ok1 := e.Text(0)
	kind, ok2 := e.Uint(1)
	name, ok3 := e.Text(2)
	image, ok4 := e.Text(3)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return out
	}
	out = appendQuoted(append(out, `{"id":`...), id)
	out = strconv.AppendUint(append(out, `,"type":`...), kind, 10)
	out = appendQuoted(append(out, `,"name":`...), name)
	out = appendQuoted(append(out, `,"image":`...), image)
	return append(out, '}', 0)
}

// appendQuoted appends s as a JSON string.
func appendQuoted(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
