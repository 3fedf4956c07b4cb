package match

// exists reports whether a term has a value: for a list field that it could be read, even if it is empty.
func exists(t *term) func(*Frame) bool {
	switch {
	case t.multi != nil:
		list := t.list()
		return func(f *Frame) bool {
			vals, ok := t.multi(f)
			return ok && (list || len(vals) > 0)
		}
	case t.text != nil:
		return func(f *Frame) bool {
			_, ok := t.text(f)
			return ok
		}
	}
	return func(f *Frame) bool {
		_, ok := t.num(f)
		return ok
	}
}
