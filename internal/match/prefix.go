package match

import "strings"

// startsWith returns the predicate of startswith and bstartswith.
func startsWith(v string) func(string) bool {
	return func(s string) bool { return strings.HasPrefix(s, v) }
}

// endsWith returns the predicate of endswith.
func endsWith(v string) func(string) bool {
	return func(s string) bool { return strings.HasSuffix(s, v) }
}
