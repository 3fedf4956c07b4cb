package rule

import (
	"slices"
	"strings"
)

// list is a list with the lists it names expanded, one level deep.
type list struct {
	name  string
	items []string
	used  bool
	sub   string // what a reference is replaced with
	names []int  // the lists that sub names in turn, ascending
}

const (
	blanks     = " \t\n\r"
	delimiters = blanks + "(),="
)

// lists resolves references to lists in conditions.
type lists struct {
	all    []*list
	byName map[string]int
	odd    []int // lists whose names hold delimiters, which tokens therefore do not show
}

// compileLists expands lists. A list sees those that were first defined before it was last changed.
func compileLists(ix *indexed[listItem], budget *int) (*lists, error) {
	ls := &lists{byName: make(map[string]int, len(ix.all))}
	for i, l := range ix.all {
		ls.byName[l.name] = i
		if strings.ContainsAny(l.name, delimiters) {
			ls.odd = append(ls.odd, i)
		}
		ls.all = append(ls.all, &list{name: l.name})
	}
	for i, l := range ix.all {
		out := ls.all[i]
		for _, item := range l.items {
			ref := ix.byName[item]
			if ref == nil || ref.index >= l.visibility {
				out.items = append(out.items, item)
				continue
			}
			ls.all[ls.byName[item]].used = true
			out.items = append(out.items, ref.items...)
			if *budget -= 16 * len(ref.items); *budget < 0 {
				return nil, tooLong(l.ctx, maxTotalText)
			}
		}
	}
	return ls, nil
}

// text returns what a reference to the list is replaced with, and the lists named in that.
func (ls *lists) text(i int) (string, []int) {
	l := ls.all[i]
	if l.sub == "" && len(l.items) > 0 {
		quoted := make([]string, len(l.items))
		for k, item := range l.items {
			quoted[k] = quoteItem(item)
		}
		l.sub = strings.Join(quoted, ", ")
		l.names = ls.named(l.sub)
	}
	return l.sub, l.names
}

// named returns the lists that a text names, ascending.
func (ls *lists) named(text string) []int {
	out := slices.Clone(ls.odd)
	for len(text) > 0 {
		n := strings.IndexAny(text, delimiters)
		if n < 0 {
			n = len(text)
		}
		if i, ok := ls.byName[text[:n]]; ok {
			out = append(out, i)
		}
		text = text[min(n+1, len(text)):]
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// resolve replaces the names of lists in a condition by their items. The lists are taken in the order of their definition,
// each once; what one brings in can name a later one, but not an earlier one. The substitution is textual, as in Falco:
// whatever equals the name of a list between delimiters is replaced.
func (ls *lists) resolve(cond string, limit int) (string, bool) {
	todo := ls.named(cond)
	for len(todo) > 0 {
		i := todo[0]
		todo = todo[1:]
		sub, names := ls.text(i)
		out, replaced := substitute(cond, ls.all[i].name, sub, limit)
		if len(out) > limit {
			return "", false
		}
		if !replaced {
			continue
		}
		cond = out
		ls.all[i].used = true
		for _, n := range names {
			if n > i {
				if k, found := slices.BinarySearch(todo, n); !found {
					todo = slices.Insert(todo, k, n)
				}
			}
		}
	}
	return cond, true
}

// substitute replaces a name between delimiters, with the blanks around it, by sub with a blank on either side. When sub
// is empty, a comma before or after it goes too. It reports whether the name was there, and stops once the result is
// longer than the limit.
func substitute(cond, name, sub string, limit int) (result string, replaced bool) {
	var out []byte
	rest := cond
	from := 0 // in rest: where to look for the name
	for from <= len(rest) && len(out)+len(rest) <= limit {
		n := strings.Index(rest[from:], name)
		if n < 0 {
			break
		}
		n += from
		end := n + len(name)
		before := byte(' ')
		if n > 0 {
			before = rest[n-1]
		} else if len(out) > 0 {
			before = out[len(out)-1]
		}
		if strings.IndexByte(delimiters, before) < 0 ||
			(end < len(rest) && strings.IndexByte(delimiters, rest[end]) < 0) {
			from = n + 1
			continue
		}
		out = append(out, rest[:n]...)
		for len(out) > 0 && strings.IndexByte(blanks, out[len(out)-1]) >= 0 {
			out = out[:len(out)-1]
		}
		for end < len(rest) && strings.IndexByte(blanks, rest[end]) >= 0 {
			end++
		}
		if sub == "" {
			if len(out) > 0 && out[len(out)-1] == ',' {
				out = out[:len(out)-1]
			} else if end < len(rest) && rest[end] == ',' {
				end++
			}
		}
		from = 0
		if len(out) > 0 {
			out = append(out, ' ')
		} else {
			from = 1 // Falco looks one byte further on when the condition begins with the name
		}
		out = append(append(out, sub...), ' ')
		rest = rest[end:]
	}
	if out == nil {
		return cond, false
	}
	return string(append(out, rest...)), true
}
