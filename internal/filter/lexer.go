package filter

import (
	"strings"
	"unicode/utf8"
)

// lexer cuts the text of a condition into tokens. Every method that takes a token tries one kind at the current position,
// and advances and reports true when it is there. Which kinds are tried is decided by the parser, since a word such as
// "in" is a token in one place and part of a name in another.
type lexer struct {
	text string
	pos  Pos
	last string // the token taken last; error messages quote it
}

func (l *lexer) rest() string { return l.text[l.pos.Offset:] }

// peek returns the byte at the position, or 0 at the end. A NUL in the text reads as the end too, and since no token holds
// one, it is an error wherever it stands.
func (l *lexer) peek() byte {
	if l.pos.Offset < len(l.text) {
		return l.text[l.pos.Offset]
	}
	return 0
}

// skip advances over n bytes.
func (l *lexer) skip(n int) {
	for _, c := range []byte(l.text[l.pos.Offset : l.pos.Offset+n]) {
		l.pos.Col++
		if c == '\r' || c == '\n' {
			l.pos.Col = 1
			l.pos.Line++
		}
	}
	l.pos.Offset += n
}

// take takes the next n bytes as a token; none when n is 0.
func (l *lexer) take(n int) bool {
	if n == 0 {
		return false
	}
	l.last = l.rest()[:n]
	l.skip(n)
	return true
}

// blank skips blanks. It is no token: last stays.
func (l *lexer) blank() bool {
	s := l.rest()
	n := 0
	for n < len(s) && strings.IndexByte(" \t\b\r\n", s[n]) >= 0 {
		n++
	}
	l.skip(n)
	return n > 0
}

// str takes s itself.
func (l *lexer) str(s string) bool {
	return strings.HasPrefix(l.rest(), s) && l.take(len(s))
}

// notWord takes "not" with the blanks after it.
func (l *lexer) notWord() bool {
	s, ok := strings.CutPrefix(l.rest(), "not")
	if !ok {
		return false
	}
	n := 0
	for n < len(s) && isSpace(s[n]) {
		n++
	}
	return n > 0 && l.take(len("not")+n)
}

func (l *lexer) identifier() bool { return l.take(identLen(l.rest())) }

// fieldName takes two or more identifiers joined by dots.
func (l *lexer) fieldName() bool {
	s := l.rest()
	end := identLen(s)
	n := 0
	for end > 0 && end < len(s) && s[end] == '.' {
		k := identLen(s[end+1:])
		if k == 0 {
			break
		}
		end += 1 + k
		n = end
	}
	return l.take(n)
}

func (l *lexer) fieldArg() bool { return l.take(runLen(l.rest(), `[]"'`)) }

func (l *lexer) bare() bool { return l.take(runLen(l.rest(), `()"'=,`)) }

// number takes a hexadecimal or decimal number.
func (l *lexer) number() bool {
	s := l.rest()
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		n := 2
		for n < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[n]) >= 0 {
			n++
		}
		if n > 2 {
			return l.take(n)
		}
	}
	return l.take(numberLen(s))
}

// quoted takes a string between quotes; last is its value. A quote that is never closed is no token, but last changes, as
// in Falco's lexer, and so may an error message that follows.
func (l *lexer) quoted() (bool, error) {
	s := l.rest()
	if s == "" || (s[0] != '"' && s[0] != '\'') {
		return false, nil
	}
	for n := 1; n < len(s) && s[n] != 0; n++ {
		// A quote after a backslash does not close, even when that backslash is itself escaped.
		if s[n] != s[0] || s[n-1] == '\\' {
			continue
		}
		l.skip(n + 1)
		v, err := unescape(s[1:n], s[0])
		if err != "" {
			return false, &SyntaxError{At: l.pos, Message: err}
		}
		l.last = v
		return true, nil
	}
	if n := strings.IndexByte(s, 0); n >= 0 {
		s = s[:n]
	}
	l.last = s
	return false, nil
}

// op takes one of the operators; those that are words need a blank behind them.
func (l *lexer) op(ops []Op) (Op, bool) {
	for _, o := range ops {
		if l.word(opNames[o], o.isWord()) {
			return o, true
		}
	}
	return 0, false
}

func (l *lexer) modifier() (Modifier, bool) {
	for m := OneOf; m <= AllOf; m++ {
		if l.word(modNames[m], true) {
			return m, true
		}
	}
	return ModNone, false
}

// word takes s and, if needed, the blanks after it.
func (l *lexer) word(s string, blank bool) bool {
	pos, last := l.pos, l.last
	if !l.str(s) {
		return false
	}
	if blank && !l.blank() {
		l.pos, l.last = pos, last
		return false
	}
	return true
}

// transformer takes the name of a transformer with its opening parenthesis and returns the name.
func (l *lexer) transformer() (string, bool) {
	for _, name := range transformers {
		if l.str(name + "(") {
			return name, true
		}
	}
	return "", false
}

// boolKeyword reports whether "and", "or" or "not" comes next, without taking it.
func (l *lexer) boolKeyword() bool {
	s := l.rest()
	for _, kw := range []string{"and", "or", "not"} {
		if strings.HasPrefix(s, kw) && (len(s) == len(kw) || !isAlnum(s[len(kw)])) {
			return true
		}
	}
	return false
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlnum(c byte) bool { return isAlpha(c) || isDigit(c) }
func isSpace(c byte) bool { return c == ' ' || (c >= '\t' && c <= '\r') }

// identLen is the length of the identifier that s begins with.
func identLen(s string) int {
	if s == "" || !isAlpha(s[0]) {
		return 0
	}
	n := 1
	for n < len(s) && (isAlnum(s[n]) || s[n] == '_') {
		n++
	}
	return n
}

// runLen is the length of the prefix of s that is valid UTF-8 and holds no white space, no NUL and none of the excluded.
func runLen(s, excluded string) int {
	n := 0
	for n < len(s) {
		c := s[n]
		if c < utf8.RuneSelf {
			if c == 0 || isSpace(c) || strings.IndexByte(excluded, c) >= 0 {
				break
			}
			n++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// numberLen is the length of the decimal number that s begins with: a sign, digits, a point, digits, an exponent with sign.
func numberLen(s string) int {
	digits := func(n int) int {
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		return n
	}
	sign := func(n int) bool { return n < len(s) && (s[n] == '+' || s[n] == '-') }
	start := 0
	if sign(0) {
		start = 1
	}
	n := digits(start)
	if n == start {
		return 0
	}
	if n < len(s) && s[n] == '.' {
		n = digits(n + 1)
	}
	if n < len(s) && s[n]|0x20 == 'e' && sign(n+1) {
		if k := digits(n + 2); k > n+2 {
			n = k
		}
	}
	return n
}

// IsIdentifier reports whether s is an identifier, as macros are named.
func IsIdentifier(s string) bool { return s != "" && identLen(s) == len(s) }

// IsBare reports whether s is a string that needs no quotes, as lists are named.
func IsBare(s string) bool { return s != "" && runLen(s, `()"'=,`) == len(s) }
