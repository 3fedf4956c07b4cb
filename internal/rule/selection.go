package rule

import (
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
)

// Selection enables or disables rules: one entry of the configuration's rules key. Entries are applied in order.
type Selection struct {
	Enable bool
	Rule   string // a name in which * stands for any text; "" for none
	Tag    string // "" for none
}

func (s *Selection) apply(rules []*Rule, min alert.Priority) {
	for _, r := range rules {
		named := s.Rule != "" && matchWildcard(s.Rule, r.Name)
		tagged := s.Tag != "" && slices.Contains(r.Tags, s.Tag)
		if named || tagged {
			r.Enabled = s.Enable && r.Priority <= min
		}
	}
}

// matchWildcard reports whether the name matches the pattern, in which * stands for any text.
func matchWildcard(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, p := range parts[1:last] {
		if _, name, ok = strings.Cut(name, p); !ok {
			return false
		}
	}
	return strings.HasSuffix(name, parts[last])
}
