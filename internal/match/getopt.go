package match

import (
	"fmt"

	"github.com/saker-sec/saker/internal/field"
)

// getopt reads short options out of a list of arguments as getopt(3) does. Without a selector its value is a list: each
// option found, followed by its argument where it takes one, "?" for an unknown one and "" for a missing argument. With
// a selector, getopt(args, spec)[c], it is the argument of option c (its letter when it takes none) where it was given
// last, and there is no value when it was not given.
func (c *Compiler) getopt(args []*term, selector string, selected bool) (*term, error) {
	switch {
	case len(args) != 2:
		return nil, fmt.Errorf("getopt() requires exactly 2 arguments: args list and optstring")
	case !args[0].list():
		return nil, fmt.Errorf("getopt() first argument must be a list")
	case args[1].list():
		return nil, fmt.Errorf("getopt() second argument (optstring) must be a single value")
	case args[0].typ != field.CHARBUF || args[1].typ != field.CHARBUF || args[1].text == nil:
		return nil, fmt.Errorf("getopt() arguments must be strings")
	case selected && len(selector) != 1:
		return nil, fmt.Errorf("getopt() field argument must be a single option character")
	}
	t := c.derived("getopt", args...)
	words, spec := args[0], args[1]
	fixed := parseOptionSpec(spec.value)
	slot := c.frame.lists
	c.frame.lists++
	scan := func(f *Frame) (*optionScan, bool) {
		list, ok := words.multi(f) // first: it may be a getopt itself
		if !ok {
			return nil, false
		}
		o := &f.options
		o.spec = fixed
		if !spec.literal {
			s, ok := spec.text(f)
			if !ok {
				return nil, false
			}
			o.spec = parseOptionSpec(s)
		}
		o.selector, o.selected, o.given, o.out = selector, "", false, f.lists[slot].vals[:0]
		o.scan(list)
		f.lists[slot].vals = o.out
		return o, true
	}
	if selected {
		t.key += "[" + selector + "]"
		t.text = func(f *Frame) (string, bool) {
			o, ok := scan(f)
			if !ok || !o.given {
				return "", false
			}
			return o.selected, true
		}
		return t, nil
	}
	t.name, t.quantity = "INTERNAL", field.List
	t.multi = func(f *Frame) ([]field.Value, bool) {
		o, ok := scan(f)
		if !ok {
			return nil, false
		}
		return o.out, true
	}
	return t, nil
}

// optionSpec says which options there are and which of them take an argument.
type optionSpec struct{ known, takes [256]bool }

func parseOptionSpec(s string) optionSpec {
	var spec optionSpec
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			continue
		}
		spec.known[s[i]] = true
		if i+1 < len(s) && s[i+1] == ':' {
			spec.takes[s[i]] = true
			i++
		}
	}
	return spec
}

// optionScan is one pass over a list of arguments.
type optionScan struct {
	spec     optionSpec
	out      []field.Value
	selector string
	selected string
	given    bool
}

// scan goes over the words. Long options are skipped; "--" and the first word that is no option end it.
func (o *optionScan) scan(words []field.Value) {
	for w := 0; w < len(words); w++ {
		word := words[w].Text
		switch {
		case word == "--" || len(word) < 2 || word[0] != '-':
			return
		case word[1] == '-':
			continue
		}
		for i := 1; i < len(word); i++ {
			name := word[i : i+1]
			if word[i] == ':' || !o.spec.known[word[i]] {
				o.out = append(o.out, field.Value{Type: field.CHARBUF, Text: "?"})
				continue
			}
			if !o.spec.takes[word[i]] {
				o.found(name, name)
				continue
			}
			switch {
			case i+1 < len(word):
				o.found(name, name, word[i+1:])
			case w+1 < len(words):
				w++
				o.found(name, name, words[w].Text)
			default:
				o.found(name, "")
			}
			break
		}
	}
}

// found records an option: what stands for it in the list, the last of which is its value.
func (o *optionScan) found(name string, texts ...string) {
	for _, s := range texts {
		o.out = append(o.out, field.Value{Type: field.CHARBUF, Text: s})
	}
	if name == o.selector {
		o.selected, o.given = texts[len(texts)-1], true
	}
}
