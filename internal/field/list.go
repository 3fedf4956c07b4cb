package field

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Layout is how lists are printed.
type Layout uint8

// The layouts of --list and --list-events.
const (
	LayoutText Layout = iota
	LayoutMarkdown
	LayoutJSON
)

// ListOptions says what List prints.
type ListOptions struct {
	Source    string // only classes of this event source; "" for all
	NamesOnly bool   // only the names of the fields (-N)
	Verbose   bool   // the types of the fields too, in the text layout (-v)
	Layout    Layout
}

// List prints the fields as --list does (falco-core.md §1.3). Fields that are deprecated or made for tables are left out.
// The error is that of w.
func (c *Catalogue) List(w io.Writer, o ListOptions) error {
	out := bufio.NewWriter(w)
	var classes []*Class
	for _, class := range c.classes {
		if !class.Hidden && (o.Source == "" || class.Source == "" || class.Source == o.Source) && len(class.listed()) > 0 {
			classes = append(classes, class)
		}
	}
	switch {
	case o.Layout == LayoutJSON:
		if err := c.listJSON(out, classes, o); err != nil {
			return err
		}
	case o.NamesOnly:
		for _, class := range classes {
			for _, f := range class.listed() {
				fmt.Fprintln(out, f.Name)
			}
		}
	case o.Layout == LayoutMarkdown:
		for _, class := range classes {
			c.listMarkdown(out, class, o)
		}
	default:
		for _, class := range classes {
			c.listText(out, class, o)
		}
	}
	return out.Flush()
}

// listed returns the fields that lists show.
func (class *Class) listed() []*Field {
	var list []*Field
	for i := range class.Fields {
		if f := &class.Fields[i]; f.Flags&(TableOnly|Deprecated|PrintOnly) == 0 {
			list = append(list, f)
		}
	}
	return list
}

// sources returns the event sources that the class applies to, by name.
func (c *Catalogue) sources(class *Class, o ListOptions) []string {
	switch {
	case class.Source != "":
		return []string{class.Source}
	case o.Source != "":
		return []string{o.Source}
	}
	return slices.Sorted(slices.Values(c.Sources))
}

// tags are the properties of a field in the alphabetical order in which the text layout shows them.
func (f *Field) tags() []string {
	var list []string
	add := func(has bool, tag string) {
		if has {
			list = append(list, tag)
		}
	}
	takes := f.Flags&(ArgRequired|ArgAllowed) != 0
	add(f.Flags&ArgRequired == 0 && f.Flags&ArgAllowed != 0, "ARG_ALLOWED")
	add(takes && f.takes(ArgIndex), "ARG_INDEX")
	add(takes && f.takes(ArgKey), "ARG_KEY")
	add(f.Flags&ArgRequired != 0, "ARG_REQUIRED")
	add(f.List, "EPF_IS_LIST")
	add(f.Flags&NoRHS != 0, "EPF_NO_RHS")
	add(f.Flags&NoTransformer != 0, "EPF_NO_TRANSFORMER")
	add(f.Flags&FilterOnly != 0, "FILTER_ONLY")
	return list
}

func (f *Field) takes(k ArgKind) bool {
	for _, a := range f.Args {
		if a == k {
			return true
		}
	}
	return false
}

const (
	listIndent = 30  // where descriptions begin
	listWidth  = 120 // where they are wrapped
)

func (c *Catalogue) listText(w io.Writer, class *Class, o ListOptions) {
	fmt.Fprintln(w, "-------------------------------")
	title := class.Name
	if class.Short != "" {
		title += " (" + class.Short + ")"
	}
	fmt.Fprintf(w, "%-*s%s\n", listIndent, "Field Class:", title)
	if class.Doc != "" {
		fmt.Fprintf(w, "%-*s", listIndent, "Description:")
		wrap(w, class.Doc)
	}
	fmt.Fprintf(w, "%-*s%s \n\n", listIndent, "Event Sources:", strings.Join(c.sources(class, o), " "))
	for _, f := range class.listed() {
		text := f.Doc
		if tags := f.tags(); len(tags) > 0 {
			text = "(" + strings.Join(tags, ",") + ") " + text
		}
		if o.Verbose {
			text = "(Type: " + f.Type.String() + ") " + text
		}
		if len(f.Name) > listIndent {
			fmt.Fprintf(w, "%s\n%*s", f.Name, listIndent, "")
		} else {
			fmt.Fprintf(w, "%-*s", listIndent, f.Name)
		}
		wrap(w, text)
	}
	fmt.Fprintln(w)
}

// wrap prints words, each followed by a blank, in lines that begin at listIndent.
func wrap(w io.Writer, text string) {
	column := 0
	for _, word := range strings.Fields(text) {
		if column+len(word)+1 > listWidth-listIndent {
			fmt.Fprintf(w, "\n%*s", listIndent, "")
			column = 0
		}
		column += len(word) + 1
		fmt.Fprint(w, word, " ")
	}
	fmt.Fprintln(w)
}

func (c *Catalogue) listMarkdown(w io.Writer, class *Class, o ListOptions) {
	fmt.Fprintf(w, "## Field Class: %s\n\n", class.Name)
	if class.Doc != "" {
		fmt.Fprintf(w, "%s\n\n", class.Doc)
	}
	fmt.Fprintf(w, "Event Sources: %s \n\n", strings.Join(c.sources(class, o), " "))
	fmt.Fprint(w, "Name | Type | Description\n:----|:-----|:-----------\n")
	for _, f := range class.listed() {
		kind := f.Type.String()
		if f.List {
			kind = "LIST(" + kind + ")"
		}
		fmt.Fprintf(w, "`%s` | %s | %s\n", f.Name, kind, f.Doc)
	}
	fmt.Fprintln(w)
}

// The documents of the JSON layout, their keys in alphabetical order.
type (
	jsonNames struct {
		Names []string `json:"fieldnames"`
	}
	jsonClasses struct {
		Classes []jsonClass `json:"fieldclasses"`
	}
	jsonClass struct {
		Desc    string      `json:"desc,omitempty"`
		Sources []string    `json:"event_sources"`
		Fields  []jsonField `json:"fields"`
		Name    string      `json:"name"`
	}
	jsonField struct {
		Argument *jsonArgument `json:"argument"`
		Desc     string        `json:"desc"`
		IsList   bool          `json:"is_list"`
		Name     string        `json:"name"`
		Type     string        `json:"type"`
	}
	jsonArgument struct {
		Required bool     `json:"required"`
		Type     []string `json:"type"`
	}
)

func (c *Catalogue) listJSON(w io.Writer, classes []*Class, o ListOptions) error {
	if len(classes) == 0 {
		return nil
	}
	if o.NamesOnly {
		var doc jsonNames
		for _, class := range classes {
			for _, f := range class.listed() {
				doc.Names = append(doc.Names, f.Name)
			}
		}
		return indented(w).Encode(doc)
	}
	var doc jsonClasses
	for _, class := range classes {
		j := jsonClass{Desc: class.Doc, Sources: c.sources(class, o), Name: class.Name}
		for _, f := range class.listed() {
			j.Fields = append(j.Fields, jsonField{
				Argument: f.jsonArgument(), Desc: f.Doc, IsList: f.List, Name: f.Name,
				Type: f.Type.String(),
			})
		}
		doc.Classes = append(doc.Classes, j)
	}
	return indented(w).Encode(doc)
}

// jsonArgument describes the argument of a field, nil for one without.
func (f *Field) jsonArgument() *jsonArgument {
	if f.Flags&(ArgRequired|ArgAllowed) == 0 {
		return nil
	}
	a := &jsonArgument{Required: f.Flags&ArgRequired != 0, Type: []string{}}
	if f.takes(ArgIndex) {
		a.Type = append(a.Type, "INDEX")
	}
	if f.takes(ArgKey) {
		a.Type = append(a.Type, "KEY")
	}
	return a
}

// indented returns an encoder that prints JSON as Falco does: two blanks deep, < and > as they are.
func indented(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e
}
