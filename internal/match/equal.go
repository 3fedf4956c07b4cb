package match

// equalText and notEqualText compare text, bytes and addresses. Addresses of different families differ in length.
func equalText(v string) func(string) bool {
	return func(s string) bool { return s == v }
}

func notEqualText(v string) func(string) bool {
	return func(s string) bool { return s != v }
}
