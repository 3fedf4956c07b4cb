// Command gen turns internal/capture/conversions.txt into the table of conversions zz_conversions.go, with what the event
// schema internal/event/schema.txt says of the types. It follows each chain of rules to its end, so that reading an old
// event is one step. Run it through `go generate ./internal/capture`.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"strconv"
	"strings"
)

// key is what a rule applies to: an event type with its number of parameters on disk.
type key struct {
	code   int
	params int
}

// rule is one line of conversions.txt.
type rule struct {
	keep, pass     bool
	append, become bool
	to             int
	params         []param
}

// origin says where a parameter comes from; the names are those of the constants in convert.go.
type origin string

const (
	fromEmpty        origin = "fromEmpty"
	fromDefault      origin = "fromDefault"
	fromOld          origin = "fromOld"
	fromEnter        origin = "fromEnter"
	fromEnterOrEmpty origin = "fromEnterOrEmpty"
	fromJSON         origin = "fromContainerJSON"
)

// param is one parameter of a rule.
type param struct {
	from  origin
	index int
	size  int  // bytes of the default
	ones  bool // the default is all ones rather than zero
	max   int  // bytes that are kept at most; 0 means all
}

// chain is a rule followed to its end.
type chain struct {
	keep, pass, build bool
	to, enter         int
	enters            bool // parameters come from the enter event
	params            []param
}

func main() {
	if err := run("../event/schema.txt", "conversions.txt", "zz_conversions.go"); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(schema, in, out string) error {
	types, err := readSchema(schema)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	keys, rules, err := parse(types, in, string(text))
	if err != nil {
		return err
	}
	chains := make(map[key]chain)
	for _, k := range keys {
		c, err := follow(types, k, rules)
		if err != nil {
			return fmt.Errorf("%s: %s with %d parameters: %w", in, types[k.code].ppme, k.params, err)
		}
		chains[k] = c
	}
	code, err := format.Source(table(types, keys, chains))
	if err != nil {
		return fmt.Errorf("formatting the table: %w", err)
	}
	return os.WriteFile(out, code, 0o644)
}

// parse reads the rules. Their order is that of the file.
func parse(types []eventType, path, text string) ([]key, map[key]rule, error) {
	codes := make(map[string]int)
	for i, t := range types {
		codes[strings.TrimPrefix(t.ppme, "PPME_")] = i
	}
	var keys []key
	rules := make(map[key]rule)
	for i, line := range strings.Split(text, "\n") {
		w := strings.Fields(line)
		if len(w) == 0 || strings.HasPrefix(w[0], "#") {
			continue
		}
		k, r, err := parseRule(codes, w)
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		if _, ok := rules[k]; ok {
			return nil, nil, fmt.Errorf("%s:%d: second rule for %s with %d parameters", path, i+1, w[0], k.params)
		}
		keys = append(keys, k)
		rules[k] = r
	}
	return keys, rules, nil
}

// parseRule reads one line, split into words.
func parseRule(codes map[string]int, w []string) (key, rule, error) {
	if len(w) < 3 {
		return key{}, rule{}, fmt.Errorf("want an event, a number of parameters and an action, have %q", w)
	}
	code, ok := codes[w[0]]
	if !ok {
		return key{}, rule{}, fmt.Errorf("unknown event type %q", w[0])
	}
	n, err := strconv.Atoi(w[1])
	if err != nil {
		return key{}, rule{}, fmt.Errorf("number of parameters: %w", err)
	}
	k, r, rest := key{code, n}, rule{to: code}, w[3:]
	switch w[2] {
	case "keep":
		r.keep = true
		if len(rest) == 1 && rest[0] == "pass" {
			r.pass, rest = true, nil
		}
	case "pass":
		r.pass = true
	case "append":
		r.append = true
	case "become":
		r.become = true
		if len(rest) == 0 {
			return k, r, fmt.Errorf("become needs an event type")
		}
		if r.to, ok = codes[rest[0]]; !ok {
			return k, r, fmt.Errorf("unknown event type %q", rest[0])
		}
		rest = rest[1:]
	default:
		return k, r, fmt.Errorf("unknown action %q; want keep, pass, append or become", w[2])
	}
	for _, word := range rest {
		list, err := parseParams(word)
		if err != nil {
			return k, r, err
		}
		r.params = append(r.params, list...)
	}
	return k, r, nil
}

// parseParams reads one parameter, or the several of a range.
func parseParams(word string) ([]param, error) {
	switch word {
	case "-":
		return []param{{from: fromEmpty}}, nil
	case "0":
		return []param{{from: fromDefault}}, nil
	case "container-json":
		return []param{{from: fromJSON}}, nil
	}
	if first, last, ok := strings.Cut(word, "-o"); ok {
		a, err1 := strconv.Atoi(strings.TrimPrefix(first, "o"))
		b, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || b < a {
			return nil, fmt.Errorf("bad range %q; want oN-oM", word)
		}
		var list []param
		for i := a; i <= b; i++ {
			list = append(list, param{from: fromOld, index: i})
		}
		return list, nil
	}
	from, digits := origin(""), word
	switch {
	case strings.HasPrefix(word, "o"):
		from, digits = fromOld, word[1:]
	case strings.HasPrefix(word, "e") && strings.HasSuffix(word, "?"):
		from, digits = fromEnterOrEmpty, word[1:len(word)-1]
	case strings.HasPrefix(word, "e"):
		from, digits = fromEnter, word[1:]
	}
	n, err := strconv.Atoi(digits)
	if from == "" || err != nil {
		return nil, fmt.Errorf("unknown parameter %q; want oN, eN, eN?, 0, - or container-json", word)
	}
	return []param{{from: from, index: n}}, nil
}

// follow applies the rules from k on until the event is current or a rule ends the chain.
func follow(types []eventType, k key, rules map[key]rule) (chain, error) {
	c := chain{to: k.code}
	for i := range k.params {
		c.params = append(c.params, param{from: fromOld, index: i})
	}
	for range 50 {
		r, ok := rules[k]
		if !ok {
			return c, fmt.Errorf("the chain needs a rule for %s with %d parameters", types[k.code].ppme, k.params)
		}
		if r.keep || r.pass {
			c.keep, c.pass = r.keep, r.pass
			return c, nil
		}
		var err error
		if c, err = apply(&types[r.to], c, k, r); err != nil {
			return c, err
		}
		k = key{c.to, len(c.params)}
		if done(&types[k.code], k.params) {
			c.pass = true
			return c, nil
		}
	}
	return c, fmt.Errorf("the chain does not end")
}

// apply makes rule r, which matched k and ends in type t, the next step of c.
func apply(t *eventType, c chain, k key, r rule) (chain, error) {
	next := chain{build: true, to: r.to, enter: c.enter, enters: c.enters}
	if r.append {
		next.params = append(next.params, c.params...)
	}
	for _, p := range r.params {
		i := len(next.params)
		if i >= len(t.params) {
			return c, fmt.Errorf("%s has only %d parameters", t.ppme, len(t.params))
		}
		size, ones := fixed(t.params[i])
		switch p.from {
		case fromOld:
			if p.index >= len(c.params) {
				return c, fmt.Errorf("o%d: the event has only %d parameters", p.index, len(c.params))
			}
			p = c.params[p.index]
			p.max = least(p.max, size)
			if p.max > 0 && p.size > p.max {
				p.size = p.max
			}
		case fromEnter, fromEnterOrEmpty:
			switch {
			case c.enters && p.from == fromEnter:
				// An earlier step of the chain has used the enter event up.
				p = param{from: fromDefault, size: size, ones: ones}
			case c.enters:
				p = param{from: fromEmpty}
			default:
				next.enters, next.enter = true, k.code-1
				p.size, p.ones, p.max = size, ones, size
			}
		case fromDefault:
			p.size, p.ones = size, ones
		case fromJSON:
			if c.build {
				return c, fmt.Errorf("container-json has to be the first step of a chain")
			}
		}
		if p.from == fromEmpty || p.from == fromDefault && p.size == 0 {
			p = param{from: fromEmpty}
		}
		next.params = append(next.params, p)
	}
	return next, nil
}

// done reports whether an event of type t with n parameters is current.
func done(t *eventType, n int) bool {
	if !t.managed {
		return !t.old
	}
	return !t.enter && !t.old && n == len(t.params)
}

// least returns the smaller limit; 0 is none.
func least(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// table writes the Go file: the conversions sorted by code, and where those of each code begin.
func table(types []eventType, keys []key, chains map[key]chain) []byte {
	var b bytes.Buffer
	b.WriteString("// Code generated by gen from conversions.txt; DO NOT EDIT.\n\npackage capture\n\n")
	b.WriteString("// conversions holds the chains of conversions.txt, sorted by event code.\n")
	b.WriteString("var conversions = [...]conversion{\n")
	starts := make([]int, 0, len(types)+1)
	n := 0
	for code := range types {
		starts = append(starts, n)
		for _, k := range keys {
			if k.code == code {
				fmt.Fprintf(&b, "\t// %s\n\t%s,\n", types[code].ppme, literal(k, chains[k]))
				n++
			}
		}
	}
	starts = append(starts, n)
	b.WriteString("}\n\n// conversionStart holds the position in conversions of the first one of each code, and the end.\n")
	b.WriteString("var conversionStart = [...]uint16{")
	for i, s := range starts {
		if i%24 == 0 {
			b.WriteString("\n\t")
		}
		fmt.Fprintf(&b, "%d, ", s)
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

// literal writes one conversion as Go.
func literal(k key, c chain) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{params: %d, to: %d", k.params, c.to)
	for _, f := range []struct {
		set  bool
		name string
	}{{c.keep, "keep"}, {c.pass, "pass"}, {c.build, "build"}} {
		if f.set {
			fmt.Fprintf(&b, ", %s: true", f.name)
		}
	}
	if c.enters {
		fmt.Fprintf(&b, ", enters: true, enter: %d", c.enter)
	}
	if c.build && len(c.params) > 0 {
		b.WriteString(", sources: []source{")
		for i, p := range c.params {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "{%s, %d, %d, %d, %v}", p.from, p.index, p.size, p.max, p.ones)
		}
		b.WriteString("}")
	}
	return b.String() + "}"
}
