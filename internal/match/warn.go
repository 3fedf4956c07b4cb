package match

import (
	"fmt"
	"strings"

	"github.com/saker-sec/saker/internal/filter"
)

// warn notes right-hand values that are probably not what their author meant.
func (c *Compiler) warn(k *Check, at filter.Pos) {
	for _, v := range k.values {
		bare := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t\n\v\f\r", r) {
				return -1
			}
			return r
		}, v)
		if k.op == filter.Regex && simpleRegex(v) {
			c.note(at, "regex check with '%s' may be optimized with simpler operators such as "+
				"'=', 'contains', 'startswith', 'endswith'", v)
		}
		name, arg, hasArg := splitField(bare)
		if x, err := c.fields.Bind(name, arg, hasArg, true); err == nil && x != nil {
			c.note(at, "'%s' may be a valid field misused as a const string value", v)
		}
		for _, t := range [...]string{"tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt", "val"} {
			if strings.HasPrefix(bare, t+"(") && strings.HasSuffix(bare, ")") {
				c.note(at, "'%s' may be a valid field transformer misused as a const string value", v)
			}
		}
	}
}

func (c *Compiler) note(at filter.Pos, format string, args ...any) {
	c.warnings = append(c.warnings, Warning{At: at, Message: fmt.Sprintf(format, args...)})
}

// splitField takes name[arg] apart.
func splitField(s string) (name, arg string, hasArg bool) {
	if i := strings.IndexByte(s, '['); i > 0 && strings.HasSuffix(s, "]") {
		return s[:i], s[i+1 : len(s)-1], true
	}
	return s, "", false
}

// simpleRegex reports whether a pattern says no more than a simpler operator could: apart from anchors, and ".*", ".+" or
// ".?" at its ends, it has no special characters.
func simpleRegex(p string) bool {
	n := len(p)
	for i := 0; i < n; i++ {
		switch {
		case i == 0 && p[i] == '^', i == n-1 && p[i] == '$':
		case (i == 0 && n > 1 || i == n-2) && p[i] == '.' && strings.IndexByte("+*?", p[i+1]) >= 0:
			i++
		case strings.IndexByte(`.+*?^$()[]{}|\`, p[i]) >= 0:
			return false
		}
	}
	return true
}
