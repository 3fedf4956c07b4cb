package match

import "strings"

// pathTree holds the paths of pmatch: a path matches when it is one of them or lies below one. Paths are taken apart at
// slashes and empty components are skipped, so that a leading slash makes no difference. A component with one of ? * [
// is a pattern for one component. A path below another one of the tree is dropped, since the shorter one decides.
type pathTree struct {
	end   bool // a path of the set ends here
	names map[string]*pathTree
	globs []globBranch
}

type globBranch struct {
	text    string
	matches func(string) bool
	below   *pathTree
}

func newPathTree(vals []value) *pathTree {
	root := &pathTree{}
	for _, v := range vals {
		root.add(v.text)
	}
	return root
}

func (t *pathTree) add(path string) {
	for comp, rest := nextComponent(path); comp != ""; comp, rest = nextComponent(rest) {
		if t.end {
			return
		}
		t = t.branch(comp)
	}
	t.end, t.names, t.globs = true, nil, nil
}

func (t *pathTree) branch(comp string) *pathTree {
	if !strings.ContainsAny(comp, "?*[") {
		below := t.names[comp]
		if below == nil {
			below = &pathTree{}
			if t.names == nil {
				t.names = make(map[string]*pathTree)
			}
			t.names[comp] = below
		}
		return below
	}
	for i := range t.globs {
		if t.globs[i].text == comp {
			return t.globs[i].below
		}
	}
	below := &pathTree{}
	t.globs = append(t.globs, globBranch{text: comp, matches: compileGlob(comp, false), below: below})
	return below
}

// match reports whether path is in the set or below a path of it.
func (t *pathTree) match(path string) bool {
	if t.end {
		return true
	}
	comp, rest := nextComponent(path)
	if comp == "" {
		return false
	}
	if below := t.names[comp]; below != nil && below.match(rest) {
		return true
	}
	for i := range t.globs {
		if g := &t.globs[i]; g.matches(comp) && g.below.match(rest) {
			return true
		}
	}
	return false
}

// nextComponent returns the first component of path, "" when there is none, and what follows it.
func nextComponent(path string) (comp, rest string) {
	for path != "" && path[0] == '/' {
		path = path[1:]
	}
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}
