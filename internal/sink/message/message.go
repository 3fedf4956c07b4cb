// Package message says an alert in words, as Falcosidekick does: its fields as texts, templates of the user, and texts that
// are cut to what a destination takes and hold nothing that a destination would act on.
//
// Of the fields only texts are shown, as by Falcosidekick. What an alert says comes from the machine that is watched, hence
// perhaps from an attacker: Inert and its kin change texts that would notify people or disguise links, and no others, so that
// what is sent of ordinary alerts equals Falcosidekick's.
package message

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/alert"
)

// DefaultIcon is the picture that Falcosidekick shows where the configuration names none.
const DefaultIcon = "https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick.png"

// ColourIcon is the picture that Falcosidekick's configuration names by default.
const ColourIcon = "https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png"

// Pair is a field that is a text.
type Pair struct{ Key, Value string }

// Texts returns the fields that are texts, in the order of their keys.
func Texts(a *alert.Alert) []Pair {
	var out []Pair
	for _, f := range a.SortedFields() {
		if f.Value.Kind == alert.Text {
			out = append(out, Pair{f.Key, f.Value.Text})
		}
	}
	return out
}

// Field returns a field that is a text; "" when there is none.
func Field(a *alert.Alert, key string) string {
	text := ""
	for _, f := range a.Fields {
		if f.Key == key {
			text = ""
			if f.Value.Kind == alert.Text {
				text = f.Value.Text
			}
		}
	}
	return text
}

// Time returns the alert's time as Falcosidekick shows it: "2001-01-01 01:10:00 +0000 UTC".
func Time(a *alert.Alert) string { return a.Time.UTC().String() }

// Shown returns a field's value as a template shows it: as its text, null as "<no value>".
func Shown(v alert.Value) string {
	if v.Kind == alert.Null {
		return "<no value>"
	}
	return v.String()
}

// View is what a template of the user sees: the names of Falcosidekick's structure.
type View struct {
	UUID, Output string
	Priority     alert.Priority
	Rule         string
	Time         time.Time
	OutputFields map[string]any // texts, json.Number, truth values, nil, lists
	Source       string
	Tags         []string
	Hostname     string
}

// NewView returns the view of an alert.
func NewView(a *alert.Alert) View {
	v := View{
		UUID: a.UUID, Output: a.OutputText(), Priority: a.Priority, Rule: a.Rule, Time: a.Time.UTC(), OutputFields: make(map[string]any, len(a.Fields)),
		Source: a.Source, Tags: a.Tags, Hostname: a.Hostname,
	}
	for _, f := range a.Fields {
		v.OutputFields[f.Key] = plain(f.Value)
	}
	return v
}

func plain(v alert.Value) any {
	switch v.Kind {
	case alert.Text:
		return v.Text
	case alert.Bool:
		return v.Num != 0
	case alert.List:
		list := make([]any, len(v.Elems))
		for i, e := range v.Elems {
			list[i] = plain(e)
		}
		return list
	}
	if n, ok := v.Number(); ok {
		return json.Number(n)
	}
	if v.Kind == alert.Raw {
		return v.Text
	}
	return nil
}

// Template is a text of the user with places for parts of the alert. The zero Template is none.
type Template struct{ t *template.Template }

// ParseTemplate reads a template in the language of Go's text/template; "" is none.
func ParseTemplate(text string) (Template, error) {
	if text == "" {
		return Template{}, nil
	}
	t, err := template.New("messageformat").Parse(text)
	if err != nil {
		return Template{}, fmt.Errorf("messageformat is no Go template: %w", err)
	}
	return Template{t}, nil
}

// Set says whether there is a template.
func (t Template) Set() bool { return t.t != nil }

// Text returns the text for an alert. A template that fails for it does not hold up the alert: the text says so.
func (t Template) Text(a *alert.Alert) string {
	if t.t == nil {
		return ""
	}
	var b strings.Builder
	if err := t.t.Execute(&b, NewView(a)); err != nil {
		return fmt.Sprintf("(messageformat fails for this alert: %v)", err)
	}
	return b.String()
}

// cutMark ends a text that was cut, as in Falcosidekick.
const cutMark = "[...]"

// Cut returns a text of at most n characters, the mark of a cut included.
func Cut(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	n = max(n-len(cutMark), 0)
	for i := range s {
		if n == 0 {
			return s[:i] + cutMark
		}
		n--
	}
	return s
}

// CutBytes returns a text of at most n bytes, the mark of a cut included, without a broken character.
func CutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n = max(n-len(cutMark), 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + cutMark
}

// Shrink calls make with smaller and smaller limits for the length of a single text, until what it makes has at most n bytes.
// It returns what the smallest limit makes when that is still too large.
func Shrink(n int, make func(limit int) ([]byte, error)) ([]byte, error) {
	for limit := n; ; limit /= 2 {
		body, err := make(limit)
		if err != nil || len(body) <= n || limit < 16 {
			return body, err
		}
	}
}

// space has no width; it separates what must not act together.
const space = "\u200b"

// NoLinks returns a text in which Markdown finds no link whose text hides where it goes.
func NoLinks(s string) string { return strings.ReplaceAll(s, "](", "]"+space+"(") }

// NoMentions returns a text that notifies nobody on Mattermost, Rocket.Chat and their kin.
func NoMentions(s string) string {
	for _, name := range []string{"all", "here", "channel", "everyone"} {
		s = strings.ReplaceAll(s, "@"+name, "@"+space+name)
	}
	return s
}

// NoSlack returns a text without what Slack and Google Chat act on: "<!channel>", "<@user>", "<#channel>", "<users/all>" and
// "<https://link|text>", and HTML's "<a href>". Other angle brackets, as in "<NA>", stay as they are.
func NoSlack(s string) string {
	if !strings.Contains(s, "<") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '<' && acts(s[i+1:]) {
			b.WriteString("&lt;")
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func acts(s string) bool {
	if s == "" {
		return false
	}
	if strings.IndexByte("!@#", s[0]) >= 0 {
		return true
	}
	for _, begin := range []string{"http:", "https:", "mailto:", "tel:", "users/", "a "} {
		if len(s) >= len(begin) && strings.EqualFold(s[:len(begin)], begin) {
			return true
		}
	}
	return false
}

// NoFence returns a text that does not end a block of code.
func NoFence(s string) string { return strings.ReplaceAll(s, "```", "`"+space+"`"+space+"`") }

// Subject returns a template with its places for the priority and the rule filled, each in lower case, the rule with
// underlines for all but letters and digits of ASCII. A rule of which nothing is left is "_", since a subject has no empty
// part.
func Subject(template string, a *alert.Alert) string {
	rule := strings.Join(strings.FieldsFunc(strings.ToLower(a.Rule), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "_")
	if rule == "" {
		rule = "_"
	}
	return strings.NewReplacer("<priority>", strings.ToLower(a.Priority.String()), "<rule>", rule).Replace(template)
}
