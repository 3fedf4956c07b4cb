package smtp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	htmltemplate "html/template"
	"mime"
	"mime/quotedprintable"
	"strings"
	"unicode"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
)

// subjectLimit is how many characters a subject may have.
const subjectLimit = 200

// boundary separates the parts of a mail. It holds "=_", which quoted-printable text cannot (RFC 2045, section 6.7).
const boundary = "=_saker_part"

// messageID returns the name of a mail: the alert's uuid, or what equals for equal alerts.
func (s *Sink) messageID(a *alert.Alert) string {
	id := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return -1
	}, a.UUID)
	if id == "" || len(id) > 64 {
		sum := sha256.Sum256(a.AppendSidekick(nil))
		id = hex.EncodeToString(sum[:16])
	}
	return "<" + id + "@" + s.domain() + ">"
}

// mail returns a mail with its headers.
func (s *Sink) mail(a *alert.Alert, id string) []byte {
	var b bytes.Buffer
	header := func(name, value string) { b.WriteString(name + ": " + value + "\r\n") }
	var to []string
	for _, t := range s.to {
		to = append(to, t.String())
	}
	header("From", s.from.String())
	header("To", strings.Join(to, ",\r\n "))
	header("Subject", mime.QEncoding.Encode("utf-8", subject(a)))
	header("Date", date(a.Time))
	header("Message-ID", id)
	header("Auto-Submitted", "auto-generated") // so that nobody's holiday answers (RFC 3834)
	header("MIME-Version", "1.0")
	if s.cfg.Format == "text" {
		part(&b, "text/plain", plain(a))
		return b.Bytes()
	}
	header("Content-Type", `multipart/alternative; boundary="`+boundary+`"`)
	b.WriteString("\r\n--" + boundary + "\r\n")
	part(&b, "text/plain", plain(a))
	b.WriteString("\r\n--" + boundary + "\r\n")
	part(&b, "text/html", page(a))
	b.WriteString("\r\n--" + boundary + "--\r\n")
	return b.Bytes()
}

// part writes a text with the headers that belong to it.
func part(b *bytes.Buffer, kind, text string) {
	b.WriteString("Content-Type: " + kind + "; charset=\"UTF-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(b)
	_, _ = w.Write([]byte(strings.ToValidUTF8(text, "\uFFFD"))) // a buffer does not fail
	_ = w.Close()
}

// subject returns one line.
func subject(a *alert.Alert) string {
	text := "[" + a.Priority.String() + "] " + a.OutputText()
	return message.Cut(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD")), subjectLimit)
}

// plain returns the text, in Falcosidekick's form.
func plain(a *alert.Alert) string {
	var b strings.Builder
	line := func(name, value string) { b.WriteString(name + ": " + value + "\n") }
	line("Priority", a.Priority.String())
	line("Output", a.OutputText())
	line("Rule", a.Rule)
	line("Source", a.Source)
	line("Hostname", a.Hostname)
	line("Tags", strings.Join(a.Tags, " "))
	line("Time", message.Time(a))
	b.WriteString("\n--Fields--\n")
	for _, f := range a.SortedFields() {
		line(f.Key, message.Shown(f.Value))
	}
	return b.String()
}

// colours are those of the priorities, as Falcosidekick has them.
var colours = [...]string{
	alert.Emergency: "#e20b0b", alert.Alarm: "#ff5400", alert.Critical: "#ff9000", alert.Error: "#ffc700", alert.Warning: "#ffff00", alert.Notice: "#5bffb5",
	alert.Informational: "#68c2ff", alert.Debug: "#ccfff2",
}

// row is a line of a table.
type row struct{ Name, Value string }

// layout is the HTML of a mail: what the alert says, and its fields, in two tables.
var layout = htmltemplate.Must(htmltemplate.New("mail").Parse(`<!DOCTYPE html>
<html><head><meta charset="utf-8"></head>
<body style="font-family:arial,helvetica,sans-serif;font-size:13px">
<table cellpadding="5" cellspacing="0" width="700">
<tr><td colspan="2" align="center" bgcolor="{{.Colour}}"><strong>{{.Priority}}</strong></td></tr>
{{range .Head}}<tr><td bgcolor="#858585"><strong style="color:#fff">{{.Name}}</strong></td><td bgcolor="#d1d6da">{{.Value}}</td></tr>
{{end}}<tr><td colspan="2" align="center" bgcolor="#858585"><strong style="color:#fff">Fields</strong></td></tr>
{{range .Fields}}<tr><td bgcolor="#858585"><strong style="color:#fff">{{.Name}}</strong></td><td bgcolor="#d1d6da">{{.Value}}</td></tr>
{{end}}</table>
</body></html>
`))

// page returns the HTML.
func page(a *alert.Alert) string {
	view := struct {
		Priority, Colour string
		Head, Fields     []row
	}{Priority: a.Priority.String(), Colour: colours[min(a.Priority, alert.Debug)], Head: []row{
		{"Output", a.OutputText()},
		{"Rule", a.Rule},
		{"Source", a.Source},
		{"Hostname", a.Hostname},
		{"Tags", strings.Join(a.Tags, " ")},
		{"Time", message.Time(a)},
	}}
	for _, f := range a.SortedFields() {
		view.Fields = append(view.Fields, row{f.Key, message.Shown(f.Value)})
	}
	var b strings.Builder
	if err := layout.Execute(&b, view); err != nil {
		return htmltemplate.HTMLEscapeString(plain(a)) // a template over texts and a builder does not fail
	}
	return b.String()
}
