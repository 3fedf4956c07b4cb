// Package redis appends alerts to a list of Redis, or puts them into a hash under their uuid, as Falcosidekick's JSON.
//
// An alert that comes again is in a list twice, and in a hash once. It differs from Falcosidekick in that an error is one: the
// alert is sent again.
package redis

import (
	"context"
	"crypto/tls"
	"strconv"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	Address     string           // address: host and port of the server; the destination is off without
	Username    string           // username: "" is the default user
	Password    string           // password
	Database    int              // database: its number
	StorageType string           // storagetype: list, hashmap
	Key         string           // key: of the list or hash
	Encrypt     bool             // tls: encrypt the connection; implied by mutualtls, and by an address that begins with rediss://
	CAFile      string           // cacertfile: authorities to trust, in place of those of all destinations
	CertFile    string           // certfile: client certificate, in place of that of all destinations
	KeyFile     string           // keyfile: its key
	TLS         httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.TLS.Settings(),
		setting.Text("address", &c.Address, "", "host and port of the server").Secret().Required(),
		setting.Text("username", &c.Username, "", "user; empty is the default one"),
		setting.Text("password", &c.Password, "", "password").Secret(),
		setting.Int("database", &c.Database, 0, 0, "number of the database"),
		setting.Choice("storagetype", &c.StorageType, "what alerts are appended to or put into", "list", "hashmap"),
		setting.Text("key", &c.Key, "falco", "key of the list or hash"),
		setting.Bool("tls", &c.Encrypt, false, "encrypt the connection"),
		setting.Text("cacertfile", &c.CAFile, "", "authorities to trust beside the system's"),
		setting.Text("certfile", &c.CertFile, "", "client certificate to show, with mutualtls"),
		setting.Text("keyfile", &c.KeyFile, "", "key of the client certificate"),
	)
}

// Sink stores alerts.
type Sink struct {
	cfg  Config
	addr string
	tls  *tls.Config // nil is no encryption
	link *wire.Link[*client]
}

// New returns a sink. It fails when the address or a certificate cannot be used. It does not connect.
func New(cfg Config) (*Sink, error) {
	addresses, err := wire.Addresses("redis", cfg.Address, "redis", "rediss")
	if err != nil {
		return nil, err
	}
	u := addresses[0]
	if u.User != nil {
		cfg.Username = u.User.Username()
		cfg.Password, _ = u.User.Password()
	}
	s := &Sink{cfg: cfg, addr: wire.WithPort(u, "6379")}
	o := cfg.TLS
	if cfg.CAFile != "" {
		o.CAFile, o.ClientCA = cfg.CAFile, cfg.CAFile
	}
	if cfg.CertFile != "" {
		o.CertFile, o.KeyFile = cfg.CertFile, cfg.KeyFile
	}
	config, err := o.TLS()
	if err != nil {
		return nil, wire.Setup("redis", err)
	}
	if cfg.Encrypt || cfg.TLS.MutualTLS || u.Scheme == "rediss" {
		s.tls = config
	}
	s.link = wire.New(wire.Config{
		Name: "redis", Where: s.addr, Secrets: append(wire.Secrets(addresses), cfg.Password), Timeout: cfg.TLS.Timeout,
	}, s.dial, (*client).close)
	return s, nil
}

func (s *Sink) dial(ctx context.Context) (*client, error) {
	c, err := dial(ctx, s.addr, s.tls)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, c.close)()
	var commands [][][]byte
	switch {
	case s.cfg.Username != "":
		commands = append(commands, command("AUTH", s.cfg.Username, s.cfg.Password))
	case s.cfg.Password != "":
		commands = append(commands, command("AUTH", s.cfg.Password))
	}
	if s.cfg.Database != 0 {
		commands = append(commands, command("SELECT", strconv.Itoa(s.cfg.Database)))
	}
	if err := c.do(commands...); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func command(args ...string) [][]byte {
	out := make([][]byte, len(args))
	for i, a := range args {
		out[i] = []byte(a)
	}
	return out
}

// Send stores an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.link.Do(ctx, func(_ context.Context, c *client) error { return c.do(s.store(a)) })
}

// SendBatch stores several alerts with one command, hence all or none of them. It returns nil or an error for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return s.link.DoAll(ctx, len(alerts), func(_ context.Context, c *client) []error {
		if err := c.do(s.store(alerts...)); err != nil {
			return wire.Same(err, len(alerts))
		}
		return nil
	})
}

// store returns the command that stores alerts.
func (s *Sink) store(alerts ...*alert.Alert) [][]byte {
	name := "RPUSH"
	if s.cfg.StorageType == "hashmap" {
		name = "HSET"
	}
	out := command(name, s.cfg.Key)
	for _, a := range alerts {
		if name == "HSET" {
			out = append(out, []byte(wire.ID(a)))
		}
		out = append(out, a.AppendSidekick(nil))
	}
	return out
}

// Close closes the connection.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
