package ruleset

import (
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/format"
	"github.com/saker-sec/saker/internal/state"
)

// Output is what the configuration says about alerts.
type Output struct {
	Hostname string
	ISO8601  bool           // the time field is evt.time.iso8601 rather than evt.time
	Buffers  format.Buffers // how bytes print
}

// Alert reports that the event of c matched m. What it returns refers to nothing of the event.
func (r *Ruleset) Alert(m *Rule, c *state.Ctx) *alert.Alert {
	r.message = m.Format.Append(r.message[:0], c, r.output.Buffers)
	a := &alert.Alert{
		Time: time.Unix(0, int64(c.Event.Time)), Rule: m.Name, Priority: m.Priority, Source: m.Source,
		Hostname: r.output.Hostname, Message: string(r.message), Tags: m.Tags,
	}
	named := m.Format.Fields()
	a.Fields = make([]alert.Field, 0, len(named)+len(m.Extra)+1)
	for _, n := range named {
		a.Fields = append(a.Fields, alert.Field{Key: n.Name, Value: r.value(n.Extractor, c)})
	}
	key := "evt.time"
	if r.output.ISO8601 {
		key = "evt.time.iso8601"
	}
	a.Fields = append(a.Fields, alert.Field{Key: key, Value: alert.Value{Kind: alert.Uint, Num: c.Event.Time}})
	for i := range m.Extra {
		a.Fields = append(a.Fields, r.extra(&m.Extra[i], c))
	}
	return a
}

// extra is a field that the configuration adds: the typed value of a field, or a rendered text.
func (r *Ruleset) extra(x *Extra, c *state.Ctx) alert.Field {
	if named := x.Format.Fields(); x.Raw && len(named) == 1 {
		return alert.Field{Key: x.Key, Value: r.value(named[0].Extractor, c)}
	}
	r.message = x.Format.Append(r.message[:0], c, r.output.Buffers)
	return alert.Field{Key: x.Key, Value: alert.Value{Kind: alert.Text, Text: string(r.message)}}
}

// value is a field's value as JSON has it (falco-core.md §8.2): numbers typed, times as integers, lists as arrays.
func (r *Ruleset) value(x *field.Extractor, c *state.Ctx) alert.Value {
	if x.Field.TimeInJSON {
		return alert.Value{Kind: alert.Uint, Num: c.Event.Time}
	}
	values, ok := format.Values(nil, x, c)
	switch {
	case !ok:
		return alert.Value{}
	case x.Quantity == field.List:
		list := alert.Value{Kind: alert.List}
		for _, v := range values {
			list.Elems = append(list.Elems, r.scalar(v))
		}
		if len(list.Elems) == 0 {
			return alert.Value{}
		}
		return list
	}
	return r.scalar(values[0])
}

func (r *Ruleset) scalar(v field.Value) alert.Value {
	switch v.Type {
	case field.CHARBUF, field.FSPATH, field.FSRELPATH:
		return alert.Value{Kind: alert.Text, Text: string(format.AppendText(nil, v.Text))}
	case field.BYTEBUF, field.IPADDR, field.IPNET:
		return alert.Value{Kind: alert.Text, Text: string(format.AppendValue(nil, v, false, r.output.Buffers))}
	case field.BOOL:
		return alert.Value{Kind: alert.Bool, Num: v.Num}
	case field.DOUBLE:
		return alert.Value{Kind: alert.Float, Num: v.Num}
	case field.INT8, field.INT16, field.INT32, field.INT64:
		return alert.Value{Kind: alert.Int, Num: v.Num}
	}
	return alert.Value{Kind: alert.Uint, Num: v.Num}
}
