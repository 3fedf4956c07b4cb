package match

import "strings"

// contains returns the predicate of contains and bcontains.
func contains(v string) func(string) bool {
	return func(s string) bool { return strings.Contains(s, v) }
}

// containsFold returns the predicate of icontains. It searches for the rarest byte and compares the rest around it.
func containsFold(v string) func(string) bool {
	at := 0
	for i := range len(v) {
		if rarity(v[i]) > rarity(v[at]) {
			at = i
		}
	}
	return func(s string) bool { return foldContains(s, v, at) }
}

// rarity orders bytes by how seldom they are in paths and command lines, roughly; what is no letter has only one case.
func rarity(c byte) int {
	switch c = lower(c); {
	case c < 'a' || c > 'z':
		return 2
	case strings.IndexByte("zqxjkvwyfgbp", c) >= 0:
		return 1
	}
	return 0
}

// foldContains reports whether v is in s. ASCII letters match in either case, other bytes only themselves. at is the
// position of the byte of v to search for.
func foldContains(s, v string, at int) bool {
	if v == "" {
		return true
	}
	if len(s) < len(v) {
		return false
	}
	l, u := lower(v[at]), upper(v[at])
	from, end := at, len(s)-len(v)+at+1
	nextL, nextU := -1, -1 // where the byte is next in each case; end when nowhere
	for from < end {
		if nextL < from {
			nextL = indexFrom(s, l, from, end)
		}
		if nextU < from {
			nextU = nextL
			if u != l {
				nextU = indexFrom(s, u, from, end)
			}
		}
		i := min(nextL, nextU)
		if i >= end {
			return false
		}
		if equalFold(s[i-at:i-at+len(v)], v) {
			return true
		}
		from = i + 1
	}
	return false
}

func indexFrom(s string, c byte, from, end int) int {
	if i := strings.IndexByte(s[from:end], c); i >= 0 {
		return from + i
	}
	return end
}

func equalFold(a, b string) bool {
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}
