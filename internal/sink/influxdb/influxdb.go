// Package influxdb writes alerts to InfluxDB, as points of the measurement "events".
//
// The point is Falcosidekick's, but its line is valid whatever the alert holds: everything is escaped, tags without a value
// are left out, a name appears once, and the point has the alert's time (reference: sidekick.md §2.3;
// docs.influxdata.com, "Line protocol"). Blanks in values of tags are underlines, as in Falcosidekick.
package influxdb

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	HostPort     string           // hostport: address of the server; the destination is off without
	Database     string           // database: database, of version 1
	Organization string           // organization: organization, of version 2; version 1 is meant without
	Bucket       string           // bucket: bucket, of version 2
	Precision    string           // precision: ns, us, ms, s
	User         string           // user: user, of version 1
	Password     string           // password: password, of version 1
	Token        string           // token: token, in place of user and password
	HTTP         httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("hostport", &c.HostPort, "", "address of the server").Required(),
		setting.Text("database", &c.Database, "falco", "database, of version 1"),
		setting.Text("organization", &c.Organization, "", "organization, of version 2; version 1 is meant without"),
		setting.Text("bucket", &c.Bucket, "falco", "bucket, of version 2"),
		setting.Choice("precision", &c.Precision, "precision of times", "ns", "us", "ms", "s", "n", "u"),
		setting.Text("user", &c.User, "", "user, of version 1"),
		setting.Text("password", &c.Password, "", "password, of version 1").Secret(),
		setting.Text("token", &c.Token, "", "token, in place of user and password").Secret(),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	header := map[string]string{"Accept": "application/json"}
	if cfg.Token != "" {
		header["Authorization"] = "Token " + cfg.Token
	}
	sender, err := httpsink.New(httpsink.Config{Name: "influxdb", URL: address(cfg), Options: cfg.HTTP, Header: header, Secrets: []string{cfg.Password, cfg.Token}})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	_, err := s.sender.Do(ctx, httpsink.Request{Body: s.point(a)})
	return err
}

// address returns where to write to.
func address(cfg Config) string {
	var query []string
	add := func(name, value string) { query = append(query, name+"="+url.QueryEscape(value)) }
	path := "write"
	if cfg.Organization != "" && cfg.Bucket != "" {
		path = "api/v2/write"
		add("org", cfg.Organization)
		add("bucket", cfg.Bucket)
	} else {
		add("db", cfg.Database)
	}
	if cfg.User != "" && cfg.Password != "" && cfg.Token == "" {
		add("u", cfg.User)
		add("p", cfg.Password)
	}
	if cfg.Precision != "" {
		add("precision", cfg.Precision)
	}
	return httpsink.Join(cfg.HostPort, path) + "?" + strings.Join(query, "&")
}

// point returns the alert's line.
func (s *Sink) point(a *alert.Alert) []byte {
	b := []byte("events")
	taken := map[string]bool{"": true}
	tag := func(name, value string) {
		name, value = key(name), tagValue(value)
		if value == "" || taken[name] {
			return
		}
		taken[name] = true
		b = append(append(append(append(b, ','), name...), '='), value...)
	}
	tag("rule", a.Rule)
	tag("priority", a.Priority.String())
	tag("source", a.Source)
	for _, p := range message.Texts(a) {
		if p.Key != "hostname" && p.Key != "tags" {
			tag(p.Key, p.Value)
		}
	}
	tag("hostname", a.Hostname)
	tag("tags", strings.Join(a.Tags, "_"))
	b = append(b, ` value="`...)
	b = append(b, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(strings.ToValidUTF8(a.OutputText(), "\uFFFD"))...)
	b = append(b, `" `...)
	t := a.Time.UnixNano()
	switch s.cfg.Precision {
	case "us", "u":
		t /= 1000
	case "ms":
		t /= 1000_000
	case "s":
		t /= 1000_000_000
	}
	return strconv.AppendInt(b, t, 10)
}

// key returns the name of a tag.
func key(s string) string { return escape(s, `\ `) }

// tagValue returns the value of a tag.
func tagValue(s string) string { return escape(s, "_") }

// escape escapes what ends a part of the line. A backslash before such a character, another backslash or the end is an
// underline: readers of the line do not agree on what it would mean.
func escape(s, blank string) string {
	var b strings.Builder
	s = strings.ToValidUTF8(s, "\uFFFD")
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && (i+1 == len(s) || strings.IndexByte(",= \\", s[i+1]) >= 0), c == '\n', c == '\r', c == '\t':
			b.WriteByte('_')
		case c == ' ':
			b.WriteString(blank)
		case c == ',', c == '=':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
