package match

import "strings"

// compileGlob returns the predicate of glob and iglob: fnmatch(3) without flags but FNM_CASEFOLD for iglob, in the C
// locale. "*" and "?" match any bytes, "/" and a leading "." included; "[…]" is a set with ranges, classes such as
// [:alpha:], and "!" or "^" for its complement; a backslash makes the next byte stand for itself.
func compileGlob(pattern string, fold bool) func(string) bool {
	toks := globTokens(pattern, fold)
	if parts, ok := globParts(toks); ok && !fold {
		return literalGlob(parts)
	}
	return func(s string) bool { return globMatch(toks, s, fold) }
}

// literalGlob matches literals with stars between them: the first one begins the text and the last one ends it.
func literalGlob(parts []string) func(string) bool {
	head, tail := parts[0], parts[len(parts)-1]
	switch {
	case len(parts) == 1:
		return equalText(head)
	case len(parts) == 2 && head == "":
		return endsWith(tail)
	case len(parts) == 2 && tail == "":
		return startsWith(head)
	case len(parts) == 3 && head == "" && tail == "":
		return contains(parts[1])
	}
	inner := parts[1 : len(parts)-1]
	return func(s string) bool {
		if len(s) < len(head)+len(tail) || !strings.HasPrefix(s, head) || !strings.HasSuffix(s, tail) {
			return false
		}
		s = s[len(head) : len(s)-len(tail)]
		for _, p := range inner {
			i := strings.Index(s, p)
			if i < 0 {
				return false
			}
			s = s[i+len(p):]
		}
		return true
	}
}

// globToken matches one byte, or any number of bytes when star is set.
type globToken struct {
	star bool
	any  bool
	lit  byte
	set  *byteSet // of a bracket expression
}

func (t *globToken) matches(c byte, fold bool) bool {
	switch {
	case t.any:
		return true
	case t.set != nil:
		return t.set.has(c)
	case fold:
		return t.lit == lower(c)
	}
	return t.lit == c
}

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *byteSet) has(c byte) bool { return s[c>>6]>>(c&63)&1 == 1 }

func globTokens(p string, fold bool) []globToken {
	var toks []globToken
	for i := 0; i < len(p); i++ {
		switch c := p[i]; c {
		case '*':
			if n := len(toks); n == 0 || !toks[n-1].star {
				toks = append(toks, globToken{star: true})
			}
		case '?':
			toks = append(toks, globToken{any: true})
		case '[':
			set, n := globSet(p[i:], fold)
			if n == 0 { // no closing bracket: it stands for itself
				toks = append(toks, globToken{lit: c})
				continue
			}
			toks = append(toks, globToken{set: set})
			i += n - 1
		default:
			if c == '\\' {
				if i++; i == len(p) { // a backslash before nothing matches nothing
					return append(toks, globToken{set: &byteSet{}})
				}
				c = p[i]
			}
			if fold {
				c = lower(c)
			}
			toks = append(toks, globToken{lit: c})
		}
	}
	return toks
}

// globSet parses the bracket expression at the start of p and returns its set and length, 0 when it is not closed. With
// fold, single bytes and the ends of ranges stand for both cases, and classes for what they name.
func globSet(p string, fold bool) (*byteSet, int) {
	var bytes, classes byteSet
	i := 1
	negated := i < len(p) && (p[i] == '!' || p[i] == '^')
	if negated {
		i++
	}
	valid := true
	for start := i; ; {
		if i >= len(p) {
			return nil, 0
		}
		if p[i] == ']' && i > start {
			break
		}
		if strings.HasPrefix(p[i:], "[:") {
			if end := strings.Index(p[i+2:], ":]"); end > 0 {
				valid = addClass(p[i+2:i+2+end], &classes) && valid
				i += end + 4
				continue
			}
		}
		lo, n := setByte(p[i:])
		if n == 0 {
			return nil, 0
		}
		i += n
		hi := lo
		if i+1 < len(p) && p[i] == '-' && p[i+1] != ']' {
			if hi, n = setByte(p[i+1:]); n == 0 {
				return nil, 0
			}
			i += 1 + n
		}
		if fold {
			lo, hi = lower(lo), lower(hi)
		}
		for c := int(lo); c <= int(hi); c++ {
			bytes.add(byte(c))
		}
	}
	var set byteSet
	for n := range 256 {
		c := byte(n)
		in := classes.has(c) || !fold && bytes.has(c) || fold && bytes.has(lower(c))
		if valid && in != negated { // a class that does not exist spoils the expression
			set.add(c)
		}
	}
	return &set, i + 1
}

// setByte returns the byte that a member of a bracket expression stands for and how long the member is.
func setByte(p string) (byte, int) {
	if len(p) >= 5 && p[0] == '[' && (p[1] == '.' || p[1] == '=') && p[3] == p[1] && p[4] == ']' {
		return p[2], 5
	}
	if p[0] != '\\' {
		return p[0], 1
	}
	if len(p) < 2 {
		return 0, 0
	}
	return p[1], 2
}

// addClass adds a named class of the C locale to a set and reports whether it exists.
func addClass(name string, set *byteSet) bool {
	var is func(byte) bool
	alpha := func(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	switch name {
	case "alpha":
		is = alpha
	case "digit":
		is = digit
	case "alnum":
		is = func(c byte) bool { return alpha(c) || digit(c) }
	case "upper":
		is = func(c byte) bool { return 'A' <= c && c <= 'Z' }
	case "lower":
		is = func(c byte) bool { return 'a' <= c && c <= 'z' }
	case "space":
		is = func(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
	case "blank":
		is = func(c byte) bool { return c == ' ' || c == '\t' }
	case "cntrl":
		is = func(c byte) bool { return c < ' ' || c == 127 }
	case "print":
		is = func(c byte) bool { return ' ' <= c && c < 127 }
	case "graph":
		is = func(c byte) bool { return ' ' < c && c < 127 }
	case "punct":
		is = func(c byte) bool { return ' ' < c && c < 127 && !alpha(c) && !digit(c) }
	case "xdigit":
		is = func(c byte) bool { return digit(c) || 'a' <= lower(c) && lower(c) <= 'f' }
	default:
		return false
	}
	for c := range 256 {
		if is(byte(c)) {
			set.add(byte(c))
		}
	}
	return true
}

// globParts returns the literals around the stars of a pattern, and false when there is more in it than these.
func globParts(toks []globToken) ([]string, bool) {
	parts := []string{""}
	for _, t := range toks {
		switch {
		case t.star:
			parts = append(parts, "")
		case t.any || t.set != nil:
			return nil, false
		default:
			parts[len(parts)-1] += string([]byte{t.lit})
		}
	}
	return parts, true
}

// globMatch matches s with one level of backtracking, to the last star.
func globMatch(toks []globToken, s string, fold bool) bool {
	i, j := 0, 0 // in s and in toks
	star, resume := -1, 0
	for i < len(s) {
		switch {
		case j < len(toks) && toks[j].star:
			star, resume = j, i
			j++
		case j < len(toks) && toks[j].matches(s[i], fold):
			i++
			j++
		case star >= 0:
			resume++
			i, j = resume, star+1
		default:
			return false
		}
	}
	for j < len(toks) && toks[j].star {
		j++
	}
	return j == len(toks)
}
