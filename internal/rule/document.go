package rule

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// nodeKind is the kind of a YAML node.
type nodeKind uint8

const (
	nullNode nodeKind = iota
	scalarNode
	sequenceNode
	mappingNode
)

// node is a YAML value with its place. Aliases are resolved: the node they name occurs in several places.
type node struct {
	kind nodeKind
	text string // of a scalar, uninterpreted
	at   position
	keys []*node // of a mapping, in order, duplicates included
	kids []*node // of a sequence or a mapping
	size int     // nodes in it, itself and those behind aliases included
}

// get returns the value of the first such key of a mapping, or nil.
func (n *node) get(key string) *node {
	for i, k := range n.keys {
		if k.kind == scalarNode && k.text == key {
			return n.kids[i]
		}
	}
	return nil
}

// maxYAMLDepth is how deeply yaml-cpp lets nodes nest.
const maxYAMLDepth = 500

// yamlError is a syntax error of a file.
type yamlError struct {
	at      position
	message string
}

// parseYAML returns the documents of a file.
func parseYAML(content string) ([]*node, *yamlError) {
	if at := invalidText(content); at >= 0 {
		p := newMarks(content).position(at)
		return nil, &yamlError{p, fmt.Sprintf("line %d, column %d: a rules file is UTF-8 text without control "+
			"characters, but there is the byte 0x%02x", p.line+1, p.col+1, content[at])}
	}
	c := converter{marks: newMarks(content), limit: len(content) + 1<<20, done: map[*yaml.Node]*node{}}
	var docs []*node
	d := yaml.NewDecoder(strings.NewReader(readable(content)))
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, syntaxError(content, err)
		}
		if len(doc.Content) == 0 {
			continue
		}
		n, yerr := c.convert(doc.Content[0], 0)
		if yerr != nil {
			return nil, yerr
		}
		docs = append(docs, n)
	}
}

// colon stands for a colon in what the YAML package reads: a character of the private use area, with which plain text may
// begin. A column of the package is a character, so that places stay what they are.
const colon = "\ue000"

// leadingColon finds the colons with which a plain text in brackets begins, as the address ::1 does.
var leadingColon = regexp.MustCompile(`([\[{,]\s*|:\s+):([^\s,\[\]{}])`)

// readable returns the text with what the YAML package does not take, and YAML 1.2 and yaml-cpp do, put differently: texts
// in brackets that begin with a colon, and the number of the version. original undoes it in values.
func readable(content string) string {
	if rest, ok := strings.CutPrefix(content, "%YAML 1.2"); ok {
		content = "%YAML 1.1" + rest
	}
	if strings.Contains(content, colon) {
		return content
	}
	return leadingColon.ReplaceAllString(content, "${1}"+colon+"${2}")
}

// original returns a value as the file has it.
func (c *converter) original(s string) string {
	if strings.Contains(s, colon) && !strings.Contains(c.marks.content, colon) {
		return strings.ReplaceAll(s, colon, ":")
	}
	return s
}

// invalidText returns the offset of the first byte that is no UTF-8 or no printable character, or -1.
func invalidText(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if (r == utf8.RuneError && n == 1) || (r < ' ' && r != '\t' && r != '\n' && r != '\r') || r == 0x7f {
			return i
		}
		i += n
	}
	return -1
}

// converter turns the nodes of the YAML package into ours.
type converter struct {
	marks *marks
	limit int                  // of nodes, aliases expanded: a file cannot say more than it has bytes, except by aliases
	done  map[*yaml.Node]*node // the nodes that have an anchor; nil while one is being converted
}

func (c *converter) convert(y *yaml.Node, depth int) (*node, *yamlError) {
	at := c.marks.at(y.Line, y.Column)
	if depth >= maxYAMLDepth {
		return nil, yamlCPPError(at, "bad file")
	}
	if y.Kind == yaml.AliasNode {
		if n := c.done[y.Alias]; n != nil {
			return n, nil
		}
		return nil, yamlCPPError(at, "the anchor '"+y.Value+"' contains itself")
	}
	n := &node{at: at, size: 1, text: c.original(y.Value)}
	switch y.Kind {
	case yaml.ScalarNode:
		n.kind = scalarNode
		if y.Style == 0 && y.ShortTag() == "!!null" {
			n.kind = nullNode
			if y.Value == "" {
				n.at = c.marks.nextToken(at.offset)
			}
		}
	case yaml.SequenceNode:
		n.kind = sequenceNode
	case yaml.MappingNode:
		n.kind = mappingNode
	}
	for i, y := range y.Content {
		kid, err := c.convert(y, depth+1)
		if err != nil {
			return nil, err
		}
		if n.size += kid.size; n.size > c.limit {
			return nil, yamlCPPError(at, fmt.Sprintf("the aliases of the file stand for more than %d values", c.limit))
		}
		if n.kind == mappingNode && i%2 == 0 {
			n.keys = append(n.keys, kid)
		} else {
			n.kids = append(n.kids, kid)
		}
	}
	if y.Anchor != "" {
		c.done[y] = n
	}
	return n, nil
}

func yamlCPPError(at position, message string) *yamlError {
	return &yamlError{at, fmt.Sprintf("yaml-cpp: error at line %d, column %d: %s", at.line+1, at.col+1, message)}
}

// marks translates the places of the YAML package, lines and columns from 1 with columns in characters, to positions.
type marks struct {
	content string
	lines   []int // the offset of each line; as in YAML 1.1, \r, NEL, LS and PS end lines too
	feeds   []int // the offset behind each \n, and 0

	lastLine, lastCol, lastOffset int // what at was asked for last: nodes come in order, and lines can be long
}

func newMarks(content string) *marks {
	m := &marks{content: content, lines: []int{0}, feeds: []int{0}}
	for i := 0; i < len(content); {
		r, n := utf8.DecodeRuneInString(content[i:])
		i += n
		switch r {
		case '\n':
			m.lines = append(m.lines, i)
			m.feeds = append(m.feeds, i)
		case '\r':
			if i == len(content) || content[i] != '\n' {
				m.lines = append(m.lines, i)
			}
		case '\u0085', '\u2028', '\u2029':
			m.lines = append(m.lines, i)
		}
	}
	return m
}

// at returns the position of a line and column of the YAML package.
func (m *marks) at(line, col int) position {
	if line < 1 || line > len(m.lines) {
		return m.position(len(m.content))
	}
	at, offset := 1, m.lines[line-1]
	if line == m.lastLine && col >= m.lastCol {
		at, offset = m.lastCol, m.lastOffset
	}
	for ; at < col && offset < len(m.content); at++ {
		_, n := utf8.DecodeRuneInString(m.content[offset:])
		offset += n
	}
	m.lastLine, m.lastCol, m.lastOffset = line, at, offset
	return m.position(offset)
}

// position returns the position of an offset.
func (m *marks) position(offset int) position {
	lo, hi := 0, len(m.feeds) // feeds[lo] <= offset < feeds[hi]
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; m.feeds[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return position{offset: offset, line: lo, col: offset - m.feeds[lo]}
}

// nextToken returns the position of what follows the offset, behind blanks, line ends and comments: where yaml-cpp sees a
// value that is not there.
func (m *marks) nextToken(offset int) position {
	for offset < len(m.content) {
		switch m.content[offset] {
		case ' ', '\t', '\r', '\n':
			offset++
		case '#':
			n := strings.IndexByte(m.content[offset:], '\n')
			if n < 0 {
				return m.position(len(m.content))
			}
			offset += n
		default:
			return m.position(offset)
		}
	}
	return m.position(len(m.content))
}

// syntaxTexts are the messages of the YAML package with those of yaml-cpp for the same mistakes.
var syntaxTexts = []struct{ ours, cpp string }{
	{"tab character", "illegal tab when looking for indentation"},
	{"mapping values are not allowed", "illegal map value"},
	{"mapping keys are not allowed", "illegal map key"},
	{"block sequence entries are not allowed", "illegal block entry"},
	{"did not find expected key", "end of map not found"},
	{"did not find expected '-' indicator", "end of sequence not found"},
	{"expected ',' or ']'", "end of sequence flow not found"},
	{"expected ',' or '}'", "end of map flow not found"},
	{"unexpected end of stream", "illegal EOF in scalar"},
	{"unexpected document indicator", "illegal document indicator in scalar"},
	{"unknown escape character", "unknown escape character"},
	{"cannot start any token", "unknown token"},
	{"exceeded max depth", "bad file"},
	{"unknown anchor", "the referenced anchor is not defined"},
}

// maxLocate bounds the files in which the place of a syntax error is searched for: the search parses parts of the file
// again, about thirty times.
const maxLocate = 1 << 20

// syntaxError says where the error of the YAML package is, which tells the line at best: at the last byte of the shortest
// beginning of the file that has the same error.
func syntaxError(content string, err error) *yamlError {
	line, problem := splitYAMLError(err)
	m := newMarks(content)
	at := m.at(line, 1)
	switch {
	case strings.Contains(problem, "unexpected end of stream"):
		at = m.position(len(content))
	case len(content) <= maxLocate:
		n := shortest(len(m.feeds), func(n int) bool {
			return n == len(m.feeds) || sameProblem(content[:m.feeds[n]], problem)
		})
		start, end := m.feeds[n-1], len(content)
		if n < len(m.feeds) {
			end = m.feeds[n]
		}
		k := shortest(end-start, func(k int) bool { return sameProblem(content[:start+k], problem) })
		at = tokenStart(m, start, start+max(k-1, 0), problem)
	}
	for _, t := range syntaxTexts {
		if strings.Contains(problem, t.ours) {
			if name, ok := strings.CutPrefix(problem, "unknown anchor '"); ok {
				t.cpp += ": " + strings.TrimSuffix(name, "' referenced")
			}
			return yamlCPPError(at, t.cpp)
		}
	}
	return yamlCPPError(at, problem)
}

// tokenStart returns where the token begins whose last byte in a line is the wrong one.
func tokenStart(m *marks, line, offset int, problem string) position {
	switch {
	case strings.Contains(problem, "unknown anchor"):
		if n := strings.LastIndexByte(m.content[line:offset+1], '*'); n >= 0 {
			offset = line + n
		}
	case strings.Contains(problem, "did not find expected key"), strings.Contains(problem, "did not find expected '-'"):
		for n := line; n < offset; n++ {
			if m.content[n] != ' ' {
				offset = n
			}
		}
	}
	return m.position(offset)
}

// shortest returns the smallest n from 1 to limit for which ok holds, if it holds for all larger ones; limit otherwise.
func shortest(limit int, ok func(int) bool) int {
	lo, hi := 0, limit
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; ok(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

func sameProblem(content, problem string) bool {
	d := yaml.NewDecoder(strings.NewReader(readable(content)))
	for {
		var doc yaml.Node
		if err := d.Decode(&doc); err != nil {
			_, p := splitYAMLError(err)
			return p == problem
		}
	}
}

// splitYAMLError takes "yaml: line 3: problem" apart; an error on the first line names no line.
func splitYAMLError(err error) (line int, problem string) {
	problem = strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(problem, "line "); ok {
		if number, text, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				return n, text
			}
		}
	}
	return 1, problem
}
