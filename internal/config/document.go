package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Origin is where a value comes from: a file and line, or an option of the command line.
type Origin struct {
	File string // "-o" for an option
	Line int    // from 1; 0 for an option
}

// String returns "file:line".
func (o Origin) String() string {
	if o.Line == 0 {
		return o.File
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// document is a YAML document whose nodes know where they come from.
type document struct {
	root    *yaml.Node
	origins map[*yaml.Node]string // file of each node

	files, dirs, missing []string // that were included, that were searched, and that do not exist
}

// parse reads one configuration file and expands the environment variables in its scalars.
func parse(file string, text []byte, env func(string) string) (*document, error) {
	d := &document{root: &yaml.Node{Kind: yaml.MappingNode}, origins: map[*yaml.Node]string{}}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var n yaml.Node
	if err := dec.Decode(&n); err != nil {
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		return nil, fmt.Errorf("reading configuration file %s: %w", file, err)
	}
	top := n.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return d, nil
	}
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("reading configuration file %s: line %d: expected keys and values", file, top.Line)
	}
	budget := 1_000_000
	root, err := d.adopt(top, file, env, &budget)
	if err != nil {
		return nil, fmt.Errorf("reading configuration file %s: %w", file, err)
	}
	d.root = root
	return d, nil
}

// adopt copies a tree with its aliases resolved and its scalars expanded. The budget bounds what aliases can multiply.
func (d *document) adopt(n *yaml.Node, file string, env func(string) string, budget *int) (*yaml.Node, error) {
	if *budget--; *budget < 0 {
		return nil, fmt.Errorf("line %d: the aliases make too many values", n.Line)
	}
	if n.Kind == yaml.AliasNode {
		return d.adopt(n.Alias, file, env, budget)
	}
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	d.origins[&c] = file
	if c.Kind == yaml.ScalarNode {
		if v := expand(c.Value, env); v != c.Value {
			c.Value = v
			if c.Style == 0 {
				c.Tag = "" // what it is is decided again: "${PORT}" unquoted may be a number
			}
		}
	}
	for i, k := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			key := *k
			d.origins[&key] = file
			c.Content[i] = &key
			continue
		}
		kid, err := d.adopt(k, file, env, budget)
		if err != nil {
			return nil, err
		}
		c.Content[i] = kid
	}
	return &c, nil
}

// expand replaces ${VAR} by the environment's value and $${X} by ${X}. A dollar sign that begins neither ends the
// expansion of the scalar, as in Falco (falco-core.md §2.1).
func expand(s string, env func(string) string) string {
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			break
		}
		rest := s[i+1:]
		literal := strings.HasPrefix(rest, "${")
		if !literal && !strings.HasPrefix(rest, "{") {
			break
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			break
		}
		out.WriteString(s[:i])
		if literal {
			out.WriteString(rest[:end+1])
		} else {
			out.WriteString(env(rest[1:end]))
		}
		s = rest[end+1:]
	}
	out.WriteString(s)
	return out.String()
}

// lookup returns the value of a top-level key, or nil.
func (d *document) lookup(key string) *yaml.Node { return child(d.root, key) }

// Strategy is how the keys of an included file meet those that are there.
type Strategy string

// The strategies of config_files.
const (
	Append   Strategy = "append"   // sequences grow, all else is replaced
	Override Strategy = "override" // all is replaced
	AddOnly  Strategy = "add-only" // only keys that are not there yet count
)

// merge adds the top-level keys of o.
func (d *document) merge(o *document, s Strategy) {
	for n, f := range o.origins {
		d.origins[n] = f
	}
	for i := 0; i+1 < len(o.root.Content); i += 2 {
		key, value := o.root.Content[i], o.root.Content[i+1]
		old := d.lookup(key.Value)
		switch {
		case old == nil:
			d.root.Content = append(d.root.Content, key, value)
		case s == AddOnly:
		case s == Append && old.Kind == yaml.SequenceNode && value.Kind == yaml.SequenceNode:
			d.appendItems(key.Value, old, value)
		default:
			*old = *value
			d.origins[old] = o.origins[value]
		}
	}
}

// appendItems adds the items of a list to another. A plugin that is there already is changed instead: the keys that the new
// item has replace those of the old one with the same name, so that a drop-in file can change one key of one plugin.
func (d *document) appendItems(key string, list, more *yaml.Node) {
	for _, item := range more.Content {
		old := named(list, item)
		if key != "plugins" || old == nil {
			list.Content = append(list.Content, item)
			continue
		}
		for i := 0; i+1 < len(item.Content); i += 2 {
			if n := child(old, item.Content[i].Value); n != nil {
				*n = *item.Content[i+1]
				d.origins[n] = d.origins[item.Content[i+1]]
				continue
			}
			old.Content = append(old.Content, item.Content[i], item.Content[i+1])
		}
	}
}

// named returns the item of the list that has the same name as another, or nil.
func named(list, item *yaml.Node) *yaml.Node {
	name := child(item, "name")
	if name == nil {
		return nil
	}
	for _, k := range list.Content {
		if n := child(k, "name"); n != nil && n.Value == name.Value {
			return k
		}
	}
	return nil
}

// child returns the value of a key of a mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// include reads what config_files names, in order. Paths that do not exist are skipped.
func (d *document) include(mainFile string, env func(string) string) error {
	list := d.lookup("config_files")
	if list == nil {
		return nil
	}
	entries := list.Content
	if list.Kind == yaml.ScalarNode {
		entries = []*yaml.Node{list}
	}
	for _, e := range entries {
		path, strategy, err := includeEntry(e)
		if err != nil {
			return fmt.Errorf("%s: %w", Origin{d.origins[e], e.Line}, err)
		}
		files, err := expandDir(path)
		if errors.Is(err, os.ErrNotExist) {
			d.missing = append(d.missing, path)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: config_files: %w", Origin{d.origins[e], e.Line}, err)
		}
		d.files = append(d.files, files...)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			d.dirs = append(d.dirs, path)
		}
		for _, f := range files {
			if sameFile(f, mainFile) {
				return fmt.Errorf("%s: config_files: %s is the main configuration file and cannot be included", Origin{d.origins[e], e.Line}, f)
			}
			text, err := os.ReadFile(f)
			if err != nil {
				return fmt.Errorf("%s: config_files: %w", Origin{d.origins[e], e.Line}, err)
			}
			o, err := parse(f, text, env)
			if err != nil {
				return err
			}
			if n := o.lookup("config_files"); n != nil {
				return fmt.Errorf("%s: config_files is possible in the main configuration file only", Origin{f, n.Line})
			}
			d.merge(o, strategy)
		}
	}
	return nil
}

func includeEntry(e *yaml.Node) (path string, s Strategy, err error) {
	if e.Kind == yaml.ScalarNode {
		return e.Value, Append, nil
	}
	s = Append
	for i := 0; i+1 < len(e.Content); i += 2 {
		switch e.Content[i].Value {
		case "path":
			path = e.Content[i+1].Value
		case "strategy":
			s = Strategy(e.Content[i+1].Value)
		}
	}
	if e.Kind != yaml.MappingNode || path == "" {
		return "", "", errors.New("config_files: expected a path, or an object with path and strategy")
	}
	if s != Append && s != Override && s != AddOnly {
		return "", "", fmt.Errorf("config_files: unknown strategy %q; possible are append, override and add-only", s)
	}
	return path, s, nil
}

// expandDir returns path, or the files of the directory path in the order of their names. Links count as what they lead to: those
// to directories, such as Kubernetes makes beside the files of a config map, and to nothing, such as editors lock files with, are
// no files.
func expandDir(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	sort.Strings(files)
	return files, nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
