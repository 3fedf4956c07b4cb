package message

import (
	"fmt"

	"github.com/saker-sec/saker/internal/alert"
)

// What is still too large when no text has more than shortest bytes loses whole fields; what has lost them all is cut to
// least bytes a text.
const (
	shortest = 32
	least    = 16
)

// Fit returns an alert of at most n bytes as size measures it: the alert itself, or one in which texts are cut, each with a
// mark, no shorter than needed. One that has too many fields or tags loses the last of them, and a field says how many. The
// alert that it gets stays as it is.
func Fit(a *alert.Alert, n int, size func(*alert.Alert) int) *alert.Alert {
	if size(a) <= n {
		return a
	}
	small := a
	for limit := n / 2; limit >= shortest; limit /= 2 {
		if small = trim(a, limit); size(small) <= n {
			return small
		}
	}
	fields, tags := small.Fields, small.Tags
	for keep := len(fields) / 2; ; keep /= 2 {
		less := *small
		less.Tags = tags[:min(len(tags), keep)]
		less.Fields = append(fields[:keep:keep], alert.Field{Key: cutMark, Value: alert.Value{
			Kind: alert.Text, Text: fmt.Sprintf("%d fields and %d tags are left out", len(fields)-keep, len(tags)-len(less.Tags)),
		}})
		if size(&less) <= n {
			return &less
		}
		if keep == 0 {
			return trim(&less, least)
		}
	}
}

// trim returns an alert none of whose texts has more bytes than the limit.
func trim(a *alert.Alert, limit int) *alert.Alert {
	out := *a
	out.Output, out.Message = CutBytes(a.Output, limit), CutBytes(a.Message, limit)
	out.Rule, out.Source, out.Hostname = CutBytes(a.Rule, limit), CutBytes(a.Source, limit), CutBytes(a.Hostname, limit)
	out.Tags = make([]string, len(a.Tags))
	for i, t := range a.Tags {
		out.Tags[i] = CutBytes(t, limit)
	}
	out.Fields = make([]alert.Field, len(a.Fields))
	for i, f := range a.Fields {
		if text := f.Value.String(); len(text) > limit {
			f.Value = alert.Value{Kind: alert.Text, Text: CutBytes(text, limit)}
		}
		out.Fields[i] = f
	}
	return &out
}

// FitSidekick returns an alert whose Falcosidekick JSON has at most n bytes, as Fit does.
func FitSidekick(a *alert.Alert, n int) *alert.Alert {
	return Fit(a, n, func(a *alert.Alert) int { return len(a.AppendSidekick(nil)) })
}
