package rule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/saker-sec/saker/internal/filter"
)

// Describer knows what Describe tells about rules beyond their text.
type Describer interface {
	// Events returns the names of the event types for which a condition of the source can hold. The source of macros is "".
	Events(source string, condition filter.Expr) []string
	// OutputFields returns the fields in an output, in order, as written.
	OutputFields(source, output string) []string
	// Plugins returns the plugins that a rule needs, by its source, the event types it names and its fields.
	Plugins(source string, events, fields []string) []string
}

// Description is what -L and -l print. Falco leaves the order of most lists in it to chance; here they are sorted.
type Description struct {
	single  bool // one rule, and nothing else
	engine  text
	plugins []jsonRequirement
	rules   []jsonRule
	macros  []jsonMacro
	lists   []jsonList
}

type jsonRequirement struct {
	Alternatives []jsonPlugin `json:"alternatives"`
	Name         text         `json:"name"`
	Version      text         `json:"version"`
}

type jsonPlugin struct {
	Name    text `json:"name"`
	Version text `json:"version"`
}

type jsonRule struct {
	Details struct {
		ConditionCompiled  text            `json:"condition_compiled"`
		ConditionFields    []text          `json:"condition_fields"`
		ConditionOperators []text          `json:"condition_operators"`
		Events             []text          `json:"events"`
		ExceptionFields    []text          `json:"exception_fields"`
		ExceptionNames     []text          `json:"exception_names"`
		ExceptionOperators []text          `json:"exception_operators"`
		ExtraFields        map[string]text `json:"extra_output_formatted_fields,omitempty"`
		Lists              []text          `json:"lists"`
		Macros             []text          `json:"macros"`
		OutputCompiled     text            `json:"output_compiled"`
		OutputFields       []text          `json:"output_fields"`
		Plugins            []text          `json:"plugins"`
	} `json:"details"`
	Info struct {
		Capture         bool   `json:"capture"`
		CaptureDuration uint32 `json:"capture_duration"`
		Condition       text   `json:"condition"`
		Description     text   `json:"description"`
		Enabled         bool   `json:"enabled"`
		Name            text   `json:"name"`
		Output          text   `json:"output"`
		Priority        text   `json:"priority"`
		Source          text   `json:"source"`
		Tags            []text `json:"tags"`
	} `json:"info"`
}

type jsonMacro struct {
	Details struct {
		ConditionCompiled  text   `json:"condition_compiled"`
		ConditionFields    []text `json:"condition_fields"`
		ConditionOperators []text `json:"condition_operators"`
		Events             []text `json:"events"`
		Lists              []text `json:"lists"`
		Macros             []text `json:"macros"`
		Plugins            []text `json:"plugins"`
		Used               bool   `json:"used"`
	} `json:"details"`
	Info struct {
		Condition text `json:"condition"`
		Name      text `json:"name"`
	} `json:"info"`
}

type jsonList struct {
	Details struct {
		ItemsCompiled []text `json:"items_compiled"`
		Lists         []text `json:"lists"`
		Plugins       []text `json:"plugins"`
		Used          bool   `json:"used"`
	} `json:"details"`
	Info struct {
		Items []text `json:"items"`
		Name  text   `json:"name"`
	} `json:"info"`
}

// MarshalJSON returns Falco's JSON form.
func (d *Description) MarshalJSON() ([]byte, error) {
	if d.single {
		return marshal(struct {
			Rules []jsonRule `json:"rules"`
		}{d.rules}), nil
	}
	return marshal(struct {
		Lists                  []jsonList        `json:"lists"`
		Macros                 []jsonMacro       `json:"macros"`
		RequiredEngineVersion  text              `json:"required_engine_version"`
		RequiredPluginVersions []jsonRequirement `json:"required_plugin_versions"`
		Rules                  []jsonRule        `json:"rules"`
	}{d.lists, d.macros, d.engine, d.plugins, d.rules}), nil
}

// JSON returns the JSON form on one line, without a newline at the end.
func (d *Description) JSON() []byte { return marshal(d) }

// The columns of the text form.
const (
	nameWidth = 50
	textWidth = 110
)

// Text returns the names and descriptions of the rules in two columns, as Falco prints them without json_output.
func (d *Description) Text() string {
	var b strings.Builder
	row := func(name, desc string) {
		line := fmt.Sprintf("%-*s %s", nameWidth, name, desc)
		b.WriteString(line[:min(len(line), 4094)] + "\n") // the size of Falco's buffer
	}
	row("Rule", "Description")
	row("----", "-----------")
	for i := range d.rules {
		row(string(d.rules[i].Info.Name), wrap(string(d.rules[i].Info.Description))+"\n")
	}
	return b.String()
}

// wrap breaks a text into lines that fit the second column.
func wrap(s string) string {
	const indent = nameWidth + 1
	var b strings.Builder
	n := 0
	for _, word := range strings.Fields(s) {
		if n += len(word) + 1; n > textWidth-indent {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			n = len(word) + 1
		}
		b.WriteString(word + " ")
	}
	return b.String()
}

// Describe describes one rule by name, or everything that was loaded when the name is "".
func (l *Loader) Describe(d Describer, name string) (*Description, error) {
	if !l.loaded {
		return nil, errors.New("rules must be loaded before describing them")
	}
	if name != "" {
		for _, r := range l.out.rules {
			if r.Name == name {
				return &Description{single: true, rules: []jsonRule{l.describeRule(d, r)}}, nil
			}
		}
		return nil, fmt.Errorf("Rule \"%s\" is not loaded", name)
	}
	out := &Description{
		engine:  text(l.items.engine.String()),
		plugins: []jsonRequirement{}, rules: []jsonRule{}, macros: []jsonMacro{}, lists: []jsonList{},
	}
	for _, alternatives := range l.items.plugins {
		first := alternatives[0]
		r := jsonRequirement{Alternatives: []jsonPlugin{}, Name: text(first.Name), Version: text(first.Version)}
		for _, a := range alternatives[1:] {
			r.Alternatives = append(r.Alternatives, jsonPlugin{text(a.Name), text(a.Version)})
		}
		out.plugins = append(out.plugins, r)
	}
	for _, r := range l.out.rules {
		out.rules = append(out.rules, l.describeRule(d, r))
	}
	for _, m := range l.out.macros {
		out.macros = append(out.macros, l.describeMacro(d, m))
	}
	for i, li := range l.out.lists.all {
		out.lists = append(out.lists, describeList(li, l.items.lists.all[i]))
	}
	return out, nil
}

func (l *Loader) describeRule(d Describer, r *Rule) jsonRule {
	item := l.items.rules.byName[r.Name]
	var out jsonRule
	i, o := &out.Info, &out.Details
	i.Name, i.Condition, i.Priority = text(r.Name), text(r.Condition), text(r.Priority.String())
	i.Output, i.Description, i.Enabled = text(item.output), text(r.Desc), item.enabled
	i.Source, i.Capture, i.CaptureDuration, i.Tags = text(r.Source), r.Capture, r.CaptureDuration, texts(r.Tags)

	o.Macros, o.Lists = l.references(r.Condition)
	uses := usesOf(r.Expr)
	o.ConditionOperators, o.ConditionFields = texts(uses.operators), texts(uses.fields)
	var outputFields []string
	for _, f := range r.Extra {
		outputFields = append(outputFields, f.Format)
		if !f.Raw {
			if o.ExtraFields == nil {
				o.ExtraFields = map[string]text{}
			}
			o.ExtraFields[f.Key] = text(f.Format)
		}
	}
	outputFields = append(outputFields, d.OutputFields(r.Source, r.Output)...)
	o.OutputFields, o.ExceptionFields = texts(outputFields), texts(r.ExceptionFields)
	var names, operators []string
	for _, ex := range item.exceptions {
		names = append(names, ex.name)
		if !ex.comps.list {
			operators = append(operators, ex.comps.item)
		}
		for _, c := range ex.comps.items {
			operators = append(operators, c.item)
		}
	}
	o.ExceptionNames, o.ExceptionOperators = texts(tagSet(names)), texts(tagSet(operators))
	o.Events = texts(d.Events(r.Source, r.Expr))
	o.ConditionCompiled, o.OutputCompiled = text(filter.PrintFalco(r.Expr)), text(r.Output)
	o.Plugins = texts(d.Plugins(r.Source, uses.events, tagSet(append(outputFields, uses.fields...))))
	return out
}

func (l *Loader) describeMacro(d Describer, m *macro) jsonMacro {
	var out jsonMacro
	out.Info.Name, out.Info.Condition = text(m.item.name), text(m.item.cond)
	o := &out.Details
	o.Macros, o.Lists = l.references(string(m.item.cond))
	uses := usesOf(m.expr)
	o.ConditionOperators, o.ConditionFields = texts(uses.operators), texts(uses.fields)
	o.Events = texts(d.Events("", m.expr))
	o.ConditionCompiled, o.Plugins, o.Used = text(filter.PrintFalco(m.expr)), []text{}, m.used
	return out
}

// describeList tells the items of a list from the lists that it names: those are no longer there once it is expanded.
func describeList(l *list, item *listItem) jsonList {
	var out jsonList
	compiled := make(map[string]bool, len(l.items))
	for _, i := range l.items {
		compiled[i] = true
	}
	var refs []string
	out.Info.Items = []text{}
	for _, i := range item.items {
		if compiled[i] {
			out.Info.Items = append(out.Info.Items, text(i))
		} else {
			refs = append(refs, i)
		}
	}
	out.Info.Name = text(l.name)
	out.Details.ItemsCompiled, out.Details.Lists = texts(l.items), texts(tagSet(refs))
	out.Details.Plugins, out.Details.Used = []text{}, l.used
	return out
}

// references returns the macros and lists that a condition names itself, sorted. A condition that parses only once its
// lists are substituted names none, as far as anybody can tell.
func (l *Loader) references(condition string) (macros, lists []text) {
	var ms, ls []string
	e, err := filter.Parse(condition)
	if err != nil {
		return texts(nil), texts(nil)
	}
	filter.Walk(e, func(e filter.Expr) {
		switch e := e.(type) {
		case *filter.Macro:
			if l.items.macros.byName[e.Name] != nil {
				ms = append(ms, e.Name)
			}
		case *filter.Check:
			if e.Right.Kind != filter.ValuesRight {
				return
			}
			for _, v := range e.Right.Values {
				if l.items.lists.byName[v] != nil {
					ls = append(ls, v)
				}
			}
		}
	})
	return texts(tagSet(ms)), texts(tagSet(ls))
}

// uses is what a resolved condition is made of, each sorted.
type uses struct{ operators, fields, events []string }

func usesOf(e filter.Expr) uses {
	var u uses
	filter.Walk(e, func(e filter.Expr) {
		c, ok := e.(*filter.Check)
		if !ok {
			return
		}
		op := c.Op.String()
		if c.Mod != filter.ModNone {
			op += " " + c.Mod.String()
		}
		u.operators = append(u.operators, op)
		c.Operands(func(o filter.Operand) {
			if o.Kind != filter.FieldOperand {
				return
			}
			name := o.Name
			if o.Arg != "" {
				name += "[" + o.Arg + "]"
			}
			u.fields = append(u.fields, name)
		})
		if c.Left.Name == "evt.type" || c.Left.Name == "evt.asynctype" {
			u.events = append(u.events, c.Right.Values...)
		}
	})
	u.operators, u.fields, u.events = tagSet(u.operators), tagSet(u.fields), tagSet(u.events)
	return u
}
