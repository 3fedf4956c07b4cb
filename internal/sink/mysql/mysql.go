// Package mysql inserts alerts into a table of MySQL or MariaDB, which is made when it is not there. Falcosidekick does not have
// this destination.
//
// The columns are uuid (the primary key), time (UTC), rule, priority, source, hostname, output, and tags and output_fields as
// JSON text, so that numbers of any size stay as they are. An alert that comes again is there already, which is success.
package mysql

import (
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	Host     string           // host; the destination is off without
	Port     int              // port
	User     string           // user
	Password string           // password
	Database string           // database
	Table    string           // table
	Create   bool             // createtable: make the table when it is not there
	Encrypt  bool             // tls: encrypt the connection; implied by mutualtls
	TLS      httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds the keys.
func (c *Config) Settings() setting.List {
	return append(c.TLS.Settings(),
		setting.Text("host", &c.Host, "", "host").Required(),
		setting.Int("port", &c.Port, 3306, 1, "port"),
		setting.Text("user", &c.User, "falco", "user"),
		setting.Text("password", &c.Password, "", "password").Secret(),
		setting.Text("database", &c.Database, "falco", "database"),
		setting.Text("table", &c.Table, "falco_events", "table to insert into"),
		setting.Bool("createtable", &c.Create, true, "make the table when it is not there"),
		setting.Bool("tls", &c.Encrypt, false, "encrypt the connection"),
	)
}

// Sink inserts alerts.
type Sink struct {
	cfg  Config
	tls  *tls.Config // nil is no encryption
	link *wire.Link[connection]
}

// connection is a database with one connection.
type connection struct {
	*sql.DB
	conn net.Conn
}

func (c connection) hangUp() {
	c.conn.Close()
	_ = c.Close() // nothing can be done about what is broken
}

// New returns a sink. It fails when the host or a certificate cannot be used. It does not connect.
func New(cfg Config) (*Sink, error) {
	if strings.ContainsAny(cfg.Host, "/@ ,") || cfg.Port > 65535 {
		return nil, errors.New("mysql: the host or the port is none (they are not shown, they may hold a secret)")
	}
	config, err := cfg.TLS.TLS()
	if err != nil {
		return nil, wire.Setup("mysql", err)
	}
	s := &Sink{cfg: cfg}
	if cfg.Encrypt || cfg.TLS.MutualTLS {
		config.ServerName = cfg.Host
		s.tls = config
	}
	s.link = wire.New(wire.Config{Name: "mysql", Where: s.addr(), Secrets: []string{cfg.Password}, Timeout: cfg.TLS.Timeout}, s.dial, connection.hangUp)
	return s, nil
}

func (s *Sink) addr() string { return net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port)) }

func (s *Sink) dial(ctx context.Context) (connection, error) {
	c := connection{}
	o := mysql.NewConfig()
	o.User, o.Passwd, o.DBName, o.Net, o.Addr, o.TLS = s.cfg.User, s.cfg.Password, s.cfg.Database, "tcp", s.addr(), s.tls
	o.MaxAllowedPacket = 0     // the server's
	o.InterpolateParams = true // one statement, not three
	o.Logger = quiet{}
	used := false
	o.DialFunc = func(_ context.Context, network, address string) (conn net.Conn, err error) {
		if used { // only one connection is ever made: another might not be the one that hangs up
			return nil, errors.New("the connection is broken")
		}
		used = true
		c.conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return c.conn, err
	}
	connector, err := mysql.NewConnector(o)
	if err != nil {
		return c, err
	}
	c.DB = sql.OpenDB(connector)
	c.SetMaxOpenConns(1)
	err = c.PingContext(ctx)
	if err == nil && s.cfg.Create {
		_, err = c.ExecContext(ctx, s.table())
	}
	if err != nil {
		if c.conn != nil {
			c.conn.Close()
		}
		_ = c.Close() // the error before says more
		return c, answer(err)
	}
	return c, nil
}

// quiet is a logger that says nothing: what it would say is in errors.
type quiet struct{}

// Print says nothing.
func (quiet) Print(...any) {}

// table returns the statement that makes the table.
func (s *Sink) table() string {
	return "CREATE TABLE IF NOT EXISTS " + identifier(s.cfg.Table) + ` (
	uuid CHAR(36) CHARACTER SET ascii NOT NULL PRIMARY KEY,
	time DATETIME(6) NOT NULL,
	rule TEXT NOT NULL,
	priority VARCHAR(16) NOT NULL,
	source TEXT NOT NULL,
	hostname TEXT NOT NULL,
	output LONGTEXT NOT NULL,
	tags LONGTEXT NOT NULL,
	output_fields LONGTEXT NOT NULL,
	INDEX (time)
) CHARACTER SET utf8mb4`
}

// identifier quotes a name.
func identifier(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// Send inserts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.link.Do(ctx, func(ctx context.Context, c connection) error { return s.insert(ctx, c, a) })
}

// most is how many alerts one statement inserts: the server allows 65 535 values.
const most = 1000

// SendBatch inserts several alerts with one statement, hence all or none. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	var out []error
	for len(alerts) > 0 {
		part := alerts[:min(len(alerts), most)]
		alerts = alerts[len(part):]
		errs := httpsink.Together(ctx, part, func() error {
			return s.link.Do(ctx, func(ctx context.Context, c connection) error { return s.insert(ctx, c, part...) })
		}, s.Send)
		if errs == nil {
			errs = make([]error, len(part))
		}
		out = append(out, errs...)
	}
	if errors.Join(out...) == nil {
		return nil
	}
	return out
}

// insert inserts alerts. Those that are there stay as they are; INSERT IGNORE would also cut values that are too long.
func (s *Sink) insert(ctx context.Context, c connection, alerts ...*alert.Alert) error {
	query := "INSERT INTO " + identifier(s.cfg.Table) + " (uuid, time, rule, priority, source, hostname, output, tags, output_fields) VALUES " +
		strings.Repeat("(?, ?, ?, ?, ?, ?, ?, ?, ?), ", len(alerts))
	query = strings.TrimSuffix(query, ", ") + " ON DUPLICATE KEY UPDATE uuid = uuid"
	var values []any
	for _, a := range alerts {
		tags, err := json.Marshal(append([]string{}, a.Tags...))
		if err != nil {
			return wire.Refuse("encoding the tags: %w", err)
		}
		values = append(values, wire.ID(a), a.Time.UTC().Format("2006-01-02 15:04:05.999999"), text(a.Rule), a.Priority.String(), text(a.Source), text(a.Hostname), text(a.OutputText()),
			string(tags), string(a.AppendSidekickFields(nil)))
	}
	_, err := c.ExecContext(ctx, query, values...)
	return answer(err)
}

// text returns a text as the database can have it.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// answer says what a database's error means.
func answer(err error) error {
	var e *mysql.MySQLError
	switch {
	case errors.Is(err, mysql.ErrPktTooLarge):
		return wire.Refuse("the alert is larger than the server's max_allowed_packet")
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, io.EOF):
		return errors.New("the server has closed the connection")
	case !errors.As(err, &e):
		return err
	}
	if e.Number == 1105 && strings.Contains(e.Message, "max_allowed_packet") { // the code of errors that have none
		return wire.Refuse("the alert is larger than the server's max_allowed_packet")
	}
	err = fmt.Errorf("the database answers: %s (error %d)", e.Message, e.Number)
	switch e.Number {
	case 1048, 1153, 1264, 1292, 1366, 1406, 3819, 4025: // a value that the column or a constraint does not take, or more than a packet
		return wire.Refuse("%w", err)
	}
	return err
}

// Close closes the connection.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
