package syslogremote

import (
	"strconv"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// program is the name of what reports, as Falcosidekick gives it.
const program = "Falco"

// message returns what is sent of an alert. It holds no line feed.
func (s *Sink) message(a *alert.Alert) []byte {
	b := append(strconv.AppendInt([]byte{'<'}, int64(facilities[s.cfg.Facility]<<3|int(min(a.Priority, alert.Debug))), 10), '>')
	if s.cfg.RFC == "5424" {
		b = s.head5424(b, a)
	} else {
		b = a.Time.AppendFormat(b, time.RFC3339) // as Go's log/syslog writes to a server
		b = append(append(append(b, ' '), s.host...), " "+program+"["...)
		b = append(strconv.AppendInt(b, int64(s.pid), 10), "]: "...)
	}
	if s.cfg.Format == "cef" {
		return cef(b, a)
	}
	return a.AppendSidekick(b)
}

// head5424 appends what RFC 5424 has before the message: a version, the time, who has seen it, and as the message's id the
// alert's uuid.
func (s *Sink) head5424(b []byte, a *alert.Alert) []byte {
	b = append(b, "1 "...)
	b = a.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z07:00") // at most six digits, section 6.2.3
	host := a.Hostname
	if host == "" {
		host = s.host
	}
	b = append(append(append(b, ' '), name(host, 255)...), " "+program+" "...)
	b = strconv.AppendInt(b, int64(s.pid), 10)
	b = append(append(append(b, ' '), name(a.UUID, 36)...), " - "...) // no structured data
	return b
}

// name returns a name of printable ASCII that has at most n bytes (RFC 5424, section 6); "-" is none.
func name(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), n)]
}

// severities are those of CEF, from 0 to 10, as Falcosidekick gives them.
var severities = [...]string{alert.Emergency: "10", alert.Alarm: "9", alert.Critical: "8", alert.Error: "7", alert.Warning: "6", alert.Notice: "4", alert.Informational: "3", alert.Debug: "0"}

// cef appends an alert in the Common Event Format: Falcosidekick's keys, escaped (CEF, "Character encoding": in the head
// backslashes and bars, in the extension backslashes, equals signs and line feeds).
func cef(b []byte, a *alert.Alert) []byte {
	head := strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\n", " ", "\r", " ")
	extension := strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
	clean := func(r *strings.Replacer, s string) string { return r.Replace(strings.ToValidUTF8(s, "\uFFFD")) }
	b = append(b, "CEF:0|Falcosecurity|Falco|1.0|Falco Event|"...)
	b = append(b, clean(head, a.Rule)+"|"+severities[min(a.Priority, alert.Debug)]+"|"...)
	pair := func(key, value string) { b = append(b, key+"="+clean(extension, value)+" "...) }
	pair("uuid", a.UUID)
	pair("start", a.Time.UTC().Format(time.RFC3339))
	pair("msg", a.OutputText())
	pair("source", a.Source)
	if a.Hostname != "" {
		pair("hostname", a.Hostname)
	}
	var fields []string
	for _, f := range a.SortedFields() {
		fields = append(fields, f.Key+":"+f.Value.String())
	}
	pair("outputfields", strings.Join(fields, " "))
	if len(a.Tags) > 0 {
		pair("tags", strings.Join(a.Tags, ","))
	}
	return b[:len(b)-1]
}
