package ruleset

import (
	"fmt"
	"strings"

	"github.com/saker-sec/saker/internal/event"
)

// Dump renders the plan of an event type, for tests and for reading.
func (r *Ruleset) Dump(source int, code event.Code) string {
	var b strings.Builder
	r.dump(&b, r.sources[source].plans[code], "")
	return b.String()
}

func (r *Ruleset) dump(b *strings.Builder, p plan, indent string) {
	for _, s := range p {
		fmt.Fprintf(b, "%s%s", indent, s.cond.text(3))
		for _, i := range s.rules {
			fmt.Fprintf(b, " => %s", r.rules[i].Name)
		}
		b.WriteByte('\n')
		r.dump(b, s.next, indent+"  ")
	}
}

// text renders a node down to a depth.
func (n *node) text(depth int) string {
	if n == nil {
		return "always"
	}
	mark := ""
	if n.slot >= 0 {
		mark = "@"
	}
	switch n.kind {
	case leaf:
		return mark + n.check.Key
	case negate:
		return mark + "not " + n.check.Key
	case and, or:
		sep := " and "
		if n.kind == or {
			sep = " or "
		}
		if depth == 0 {
			return mark + "(…" + strings.TrimSpace(sep) + "…)"
		}
		var parts []string
		for _, k := range n.kids {
			parts = append(parts, k.text(depth-1))
		}
		return mark + "(" + strings.Join(parts, sep) + ")"
	}
	return "constant"
}
