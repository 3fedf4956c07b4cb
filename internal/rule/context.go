package rule

import (
	"fmt"
	"strings"

	"github.com/saker-sec/saker/internal/filter"
)

// position is a place in a file, counted as yaml-cpp does: everything from 0, offset and column in bytes, and only \n ends
// a line.
type position struct{ offset, line, col int }

// itemKind is what a location points at; the texts are Falco's.
type itemKind string

const (
	kindValue         itemKind = "value for"
	kindExceptions    itemKind = "exceptions"
	kindException     itemKind = "exception"
	kindExValues      itemKind = "exception values"
	kindExValue       itemKind = "exception value"
	kindContent       itemKind = "rules content"
	kindContentItem   itemKind = "rules content item"
	kindEngineVersion itemKind = "required_engine_version"
	kindPlugins       itemKind = "required plugin versions"
	kindPluginEntry   itemKind = "required plugin versions entry"
	kindPluginAlt     itemKind = "required plugin versions alternative"
	kindList          itemKind = "list"
	kindListItem      itemKind = "list item"
	kindMacro         itemKind = "macro"
	kindMacroCond     itemKind = "macro condition"
	kindRule          itemKind = "rule"
	kindRuleCond      itemKind = "rule condition"
	kindExpression    itemKind = "condition expression"
	kindRuleOutput    itemKind = "rule output"
	kindPriority      itemKind = "rule priority"
	kindOverrides     itemKind = "overrides"
)

// context is a location with the locations around it: a file, a rule in it, its condition, a place in that.
type context struct {
	parent *context
	name   string // of the file; in a condition, the beginning of its text
	kind   itemKind
	item   string // the name of the item, or ""
	at     position
	text   string // what snippets are taken from: the file, or the condition
}

func fileContext(name, content string) *context {
	return &context{name: name, kind: kindContent, text: content}
}

// file returns the outermost context.
func (c *context) file() *context {
	for c.parent != nil {
		c = c.parent
	}
	return c
}

// in returns the context of something within c.
func (c *context) in(kind itemKind, item string, at position) *context {
	f := c.file()
	return &context{parent: c, name: f.name, kind: kind, item: item, at: at, text: f.text}
}

// inCondition returns the context of a place in a condition. Falco adds the place within the text, whose lines and columns
// count from 1, to the place of the text within the file, whose lines and columns count from 0.
func (c *context) inCondition(at filter.Pos, condition string) *context {
	name := condition
	if len(name) > 20 {
		name = name[:17] + "..."
	}
	name = `"` + strings.NewReplacer("\n", " ", "\r", " ").Replace(name) + `"`
	p := position{offset: at.Offset + c.at.offset, line: at.Line + c.at.line, col: at.Col + c.at.col}
	text := condition
	if text == "" {
		text = c.file().text
	}
	return &context{parent: c, name: name, kind: kindExpression, at: p, text: text}
}

// locations returns c and what is around it, the file first.
func (c *context) locations() []*context {
	n := 0
	for l := c; l != nil; l = l.parent {
		n++
	}
	out := make([]*context, n)
	for l := c; l != nil; l = l.parent {
		n--
		out[n] = l
	}
	return out
}

// String returns one line per location.
func (c *context) String() string {
	var b strings.Builder
	for i, l := range c.locations() {
		if i == 0 {
			b.WriteString("In ")
		} else {
			b.WriteString("    ")
		}
		b.WriteString(string(l.kind))
		if l.item != "" {
			b.WriteString(" '" + l.item + "'")
		}
		fmt.Fprintf(&b, ": (%s:%d:%d)\n", l.name, l.at.line, l.at.col)
	}
	return b.String()
}

// snippetWidth is the length of the longest snippet: half of it on either side of the position.
const snippetWidth = 160

const noSnippet = "<No context available>\n"

// snippet returns the line of the position, cut to snippetWidth, and a line that marks the position.
func (c *context) snippet() string {
	s, pos := c.text, c.at.offset
	if s == "" {
		return noSnippet
	}
	for pos > 0 && (pos >= len(s) || s[pos] == '\n') {
		pos--
	}
	from, to := pos, pos
	for from > 0 && s[from] != '\n' && pos-from < snippetWidth/2 {
		from--
	}
	for to < len(s)-1 && s[to] != '\n' && to-pos < snippetWidth/2 {
		to++
	}
	if s[from] == '\n' {
		from++
	}
	if s[to] == '\n' {
		to--
	}
	if to < from {
		return noSnippet
	}
	line := s[from : to+1]
	if pos-from >= snippetWidth/2 {
		line = "..." + line[3:]
	}
	if to-pos >= snippetWidth/2 {
		line = line[:len(line)-3] + "..."
	}
	line += "\n"
	if pos-from <= len(line)-1 {
		line += strings.Repeat(" ", pos-from) + "^\n"
	}
	return line
}
