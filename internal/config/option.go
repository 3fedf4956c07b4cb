package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// step is one step of the path that an option names: a key, an index, or the end of a list.
type step struct {
	key    string
	index  int
	append bool
	list   bool // index or append
}

// parsePath splits the key of an option: a dot separates keys, [3] selects an item, [] appends one, and a backslash
// takes the character after it literally (falco-core.md §2.3).
func parsePath(s string) ([]step, error) {
	var steps []step
	var key strings.Builder
	pending := true // a key is expected or being read
	flush := func() error {
		if key.Len() == 0 {
			return fmt.Errorf("%q: a key is empty", s)
		}
		steps = append(steps, step{key: key.String()})
		key.Reset()
		return nil
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			if i++; i == len(s) {
				return nil, fmt.Errorf("%q ends in a backslash", s)
			}
			key.WriteByte(s[i])
		case '.':
			if pending {
				if err := flush(); err != nil {
					return nil, err
				}
			}
			pending = true
		case '[':
			if pending {
				if err := flush(); err != nil {
					return nil, err
				}
			}
			pending = false
			end := strings.IndexByte(s[i:], ']')
			if end < 0 {
				return nil, fmt.Errorf("%q: a [ is not closed", s)
			}
			st := step{list: true, append: end == 1}
			if !st.append {
				n, err := strconv.ParseUint(s[i+1:i+end], 10, 16)
				if err != nil {
					return nil, fmt.Errorf("%q: %q is not an index", s, s[i+1:i+end])
				}
				st.index = int(n)
			}
			steps = append(steps, st)
			i += end
		default:
			if !pending {
				return nil, fmt.Errorf("%q: expected . or [ after ]", s)
			}
			key.WriteByte(c)
		}
	}
	if pending {
		if err := flush(); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

// set applies the option "key=value" of the command line.
func (d *document) set(option string) error {
	path, text, ok := strings.Cut(option, "=")
	if !ok {
		return fmt.Errorf("option -o %s: expected key=value", option)
	}
	steps, err := parsePath(strings.TrimSpace(path))
	if err != nil {
		return fmt.Errorf("option -o %s: %w", option, err)
	}
	value := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err != nil {
			return fmt.Errorf("option -o %s: %w", option, err)
		}
		value = n.Content[0]
	}
	d.mark(value)
	n := d.root
	for _, s := range steps {
		if n, err = d.descend(n, s); err != nil {
			return fmt.Errorf("option -o %s: %w", option, err)
		}
	}
	*n = *value
	d.origins[n] = "-o"
	return nil
}

// mark says that a tree comes from the command line.
func (d *document) mark(n *yaml.Node) {
	d.origins[n] = "-o"
	n.Line = 0
	for _, k := range n.Content {
		d.mark(k)
	}
}

// descend returns the node that s selects in n, making it when it is not there. What stands in the way is replaced.
func (d *document) descend(n *yaml.Node, s step) (*yaml.Node, error) {
	want := yaml.MappingNode
	if s.list {
		want = yaml.SequenceNode
	}
	if n.Kind != want {
		*n = yaml.Node{Kind: want}
		d.origins[n] = "-o"
	}
	kid := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	d.origins[kid] = "-o"
	if !s.list {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == s.key {
				return n.Content[i+1], nil
			}
		}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: s.key}, kid)
		return kid, nil
	}
	if s.append || s.index == len(n.Content) {
		n.Content = append(n.Content, kid)
		return kid, nil
	}
	if s.index > len(n.Content) {
		return nil, fmt.Errorf("index %d is behind the end of a list of %d", s.index, len(n.Content))
	}
	return n.Content[s.index], nil
}
