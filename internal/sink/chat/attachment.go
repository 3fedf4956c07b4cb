package chat

import (
	"strings"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
)

// attachment is what Slack, Mattermost and Rocket.Chat show of an alert. The order of its parts in JSON is Falcosidekick's.
type attachment struct {
	Fallback string  `json:"fallback"`
	Colour   string  `json:"color"`
	Text     string  `json:"text,omitempty"`
	Fields   []field `json:"fields"`
	Footer   string  `json:"footer,omitempty"`
}

// field is a row of an attachment.
type field struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"` // it may stand beside another one
}

// How many characters of the output and of a field are shown.
const (
	outputLimit = 40000
	fieldLimit  = 3000
)

// attachment returns the attachment for an alert.
func (s *Sink) attachment(a *alert.Alert) attachment {
	clean := s.style.Clean
	output := clean(message.Cut(a.OutputText(), outputLimit))
	out := attachment{Fallback: output, Colour: colour(a.Priority)}
	if s.cfg.OutputFormat != "fields" {
		out.Text = output
	}
	if s.cfg.OutputFormat == "text" {
		return out
	}
	row := func(title, value string, short bool) {
		out.Fields = append(out.Fields, field{title, clean(message.Cut(value, fieldLimit)), short})
		if title == s.style.HostAfter && a.Hostname != "" {
			out.Fields = append(out.Fields, field{"hostname", clean(message.Cut(a.Hostname, fieldLimit)), true})
		}
	}
	row("rule", a.Rule, true)
	row("priority", a.Priority.String(), true)
	row("source", a.Source, true)
	if len(a.Tags) > 0 {
		row("tags", strings.Join(a.Tags, ", "), true)
	}
	for _, p := range message.Texts(a) {
		out.Fields = append(out.Fields, field{clean(p.Key), clean(message.Cut(p.Value, fieldLimit)), utf8.RuneCountInString(p.Value) < 36})
	}
	row("time", message.Time(a), false)
	out.Footer = s.cfg.Footer
	return out
}

// colour returns Falcosidekick's colour of a priority for Slack and its kin.
func colour(p alert.Priority) string {
	switch p {
	case alert.Emergency, alert.Error:
		return "#e20b0b"
	case alert.Alarm, alert.Critical:
		return "#ff5400"
	case alert.Warning:
		return "#ffc700"
	case alert.Notice:
		return "#5bffb5"
	case alert.Informational:
		return "#68c2ff"
	}
	return "#ccfff2"
}
