// Package timescaledb inserts alerts into a table of TimescaleDB or any PostgreSQL, with Falcosidekick's columns: time, rule,
// priority, source, output, tags, hostname, and one for each custom and templated field.
//
// The table must be there. A row that breaks a unique constraint is there already, which is success; with the column that
// uuidcolumn names and a unique index on it (together with time, in a hypertable), an alert that comes again is stored once.
// It differs from Falcosidekick in that names are quoted; those of letters, digits and underlines are in lower case, as
// PostgreSQL takes names without quotes. Characters that PostgreSQL's texts do not have, NUL and what is no UTF-8, are U+FFFD.
package timescaledb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	Host            string            // host; the destination is off without
	Port            int               // port
	User            string            // user
	Password        string            // password
	Database        string            // database
	Table           string            // hypertablename: with a schema or without
	UUIDColumn      string            // uuidcolumn: "" is none
	SSLMode         string            // sslmode: prefer, disable, require
	CustomFields    map[string]string // customfields of the whole program: fields that are columns, by their names
	TemplatedFields map[string]string // templatedfields of the whole program: fields that are columns, by their names
	TLS             httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys, and two of ours: uuidcolumn and sslmode.
func (c *Config) Settings() setting.List {
	return append(c.TLS.Settings(),
		setting.Text("host", &c.Host, "", "host").Required(),
		setting.Int("port", &c.Port, 5432, 1, "port"),
		setting.Text("user", &c.User, "postgres", "user"),
		setting.Text("password", &c.Password, "postgres", "password").Secret(),
		setting.Text("database", &c.Database, "falcosidekick", "database"),
		setting.Text("hypertablename", &c.Table, "falcosidekick_events", "table to insert into, with a schema or without"),
		setting.Text("uuidcolumn", &c.UUIDColumn, "", "column for the alert's uuid; empty is none"),
		setting.Choice("sslmode", &c.SSLMode, "encryption; prefer is if the server can, without verifying its certificate; require verifies it", "prefer", "disable", "require"),
		setting.Map("customfields", &c.CustomFields, "fields that are columns, by their names").Global(),
		setting.Map("templatedfields", &c.TemplatedFields, "fields that are columns, by their names").Global(),
	)
}

// Sink inserts alerts.
type Sink struct {
	cfg     Config
	options *pgx.ConnConfig
	link    *wire.Link[*pgx.Conn]
}

// New returns a sink. It fails when the host or a certificate cannot be used. It does not connect.
func New(cfg Config) (*Sink, error) {
	if strings.ContainsAny(cfg.Host, "/@ ,") || cfg.Port > 65535 {
		return nil, errors.New("timescaledb: the host or the port is none (they are not shown, they may hold a secret)")
	}
	config, err := cfg.TLS.TLS()
	if err != nil {
		return nil, wire.Setup("timescaledb", err)
	}
	options, err := pgx.ParseConfig("host=localhost sslmode=disable") // what is not set here is not taken from the environment
	if err != nil {
		return nil, wire.Setup("timescaledb", err)
	}
	options.Host, options.Port, options.User, options.Password, options.Database = cfg.Host, uint16(cfg.Port), cfg.User, cfg.Password, cfg.Database
	options.RuntimeParams = map[string]string{"application_name": "saker"}
	options.ConnectTimeout = 0 // the link's
	options.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	options.TLSConfig, options.Fallbacks = nil, nil
	config.ServerName = cfg.Host
	switch {
	case cfg.SSLMode == "require" || cfg.TLS.MutualTLS:
		options.TLSConfig = config
	case cfg.SSLMode != "disable":
		options.TLSConfig = &tls.Config{InsecureSkipVerify: true, ServerName: cfg.Host} // as good as without, where it is refused
		options.Fallbacks = []*pgconn.FallbackConfig{{Host: cfg.Host, Port: uint16(cfg.Port)}}
	}
	s := &Sink{cfg: cfg, options: options}
	s.link = wire.New(wire.Config{
		Name: "timescaledb", Where: net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)), Secrets: []string{cfg.Password}, Timeout: cfg.TLS.Timeout,
	}, s.dial, func(c *pgx.Conn) { c.PgConn().Conn().Close() })
	return s, nil
}

func (s *Sink) dial(ctx context.Context) (*pgx.Conn, error) {
	return pgx.ConnectConfig(ctx, s.options.Copy())
}

// Send inserts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.link.Do(ctx, func(ctx context.Context, c *pgx.Conn) error { return s.insert(ctx, c, a) })
}

// SendBatch inserts several alerts in one transaction. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return httpsink.Together(ctx, alerts, func() error {
		return s.link.Do(ctx, func(ctx context.Context, c *pgx.Conn) error { return s.insert(ctx, c, alerts...) })
	}, s.Send)
}

// insert inserts alerts: all or none.
func (s *Sink) insert(ctx context.Context, c *pgx.Conn, alerts ...*alert.Alert) error {
	var batch pgx.Batch
	for _, a := range alerts {
		query, values := s.row(a)
		batch.Queue(query, values...)
	}
	err := c.SendBatch(ctx, &batch).Close()
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	err = fmt.Errorf("the database answers: %s (SQLSTATE %s)", e.Message, e.Code)
	if strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23") { // a value that does not fit; a constraint
		return wire.Refuse("%w", err)
	}
	return err
}

// row returns the statement that inserts an alert, with its values.
func (s *Sink) row(a *alert.Alert) (query string, values []any) {
	columns := []string{"time", "rule", "priority", "source", "output"}
	values = []any{a.Time.UTC(), text(a.Rule), a.Priority.String(), text(a.Source), text(a.OutputText())}
	add := func(column, value string) {
		columns, values = append(columns, identifier(column)), append(values, text(value))
	}
	if len(a.Tags) > 0 {
		add("tags", strings.Join(a.Tags, ","))
	}
	if a.Hostname != "" {
		add("hostname", a.Hostname)
	}
	if s.cfg.UUIDColumn != "" {
		add(s.cfg.UUIDColumn, wire.ID(a))
	}
	for _, p := range message.Texts(a) {
		_, custom := s.cfg.CustomFields[p.Key]
		_, templated := s.cfg.TemplatedFields[p.Key]
		if (custom || templated) && !slices.Contains(columns, identifier(p.Key)) {
			add(p.Key, strings.ReplaceAll(p.Value, `"`, ""))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES (", table(s.cfg.Table), strings.Join(columns, ", "))
	for i := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	b.WriteString(") ON CONFLICT DO NOTHING")
	return b.String(), values
}

// table quotes the name of a table, with its schema if it has one.
func table(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = identifier(p)
	}
	return strings.Join(parts, ".")
}

// identifier quotes a name. One that needs no quotes is in lower case.
func identifier(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
	}
	if strings.TrimFunc(name, plain) == "" {
		name = strings.ToLower(name)
	}
	return pgx.Identifier{name}.Sanitize()
}

// text returns a text as the database can have it.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// Close closes the connection.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
