package nats

import (
	"context"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Server says how to reach a NATS server or a cluster of them. It is shared by the destinations that speak this protocol.
type Server struct {
	HostPort  string           // hostport: addresses of servers; a user and a password, or a token, may be in them
	CredsFile string           // credsfile: JWT and key of the user, as nsc writes them
	TLS       httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys, and one of ours: credsfile.
func (c *Server) Settings() setting.List {
	return append(c.TLS.Settings(),
		setting.Text("hostport", &c.HostPort, "", "addresses of the servers: nats://host:4222 or tls://host:4222, with commas between them").Secret().Required(),
		setting.Text("credsfile", &c.CredsFile, "", "file with JWT and key of the user"),
	)
}

// Link returns a link to the server, for the destination of the name. made finishes a new connection, and fails when it is of
// no use. The library's own way of connecting again is not used: what it keeps back meanwhile would be lost.
func Link[C any](c Server, name string, made func(context.Context, *nats.Conn) (C, error), hangUp func(C)) (*wire.Link[C], error) {
	addresses, err := wire.Addresses(name, c.HostPort, "nats", "tls")
	if err != nil {
		return nil, err
	}
	config, err := c.TLS.TLS()
	if err != nil {
		return nil, wire.Setup(name, err)
	}
	if c.TLS.Timeout <= 0 {
		c.TLS.Timeout = httpsink.DefaultTimeout
	}
	options := nats.GetDefaultOptions()
	options.Name, options.AllowReconnect, options.TLSConfig = "saker", false, config
	options.Secure = c.TLS.MutualTLS || secure(addresses)
	options.Timeout = 2 * c.TLS.Timeout // the link gives up before
	options.NoCallbacksAfterClientClose = true
	options.AsyncErrorCB = func(*nats.Conn, *nats.Subscription, error) {} // LastError tells
	for _, u := range addresses {
		options.Servers = append(options.Servers, u.String())
	}
	if c.CredsFile != "" {
		if err := nats.UserCredentials(c.CredsFile)(&options); err != nil {
			return nil, wire.Setup(name, err)
		}
	}
	dial := func(ctx context.Context) (none C, err error) {
		own := options
		d := &dialer{ctx: ctx}
		defer d.done()
		own.CustomDialer = d
		conn, err := own.Connect()
		if err != nil {
			return none, err
		}
		out, err := made(ctx, conn)
		if err != nil {
			conn.Close()
			return none, err
		}
		return out, nil
	}
	return wire.New(wire.Config{Name: name, Where: wire.Where(addresses), Secrets: wire.Secrets(addresses), Timeout: c.TLS.Timeout}, dial, hangUp), nil
}

func secure(addresses []*url.URL) bool {
	for _, u := range addresses {
		if strings.EqualFold(u.Scheme, "tls") {
			return true
		}
	}
	return false
}

// dialer connects and breaks the connection off when the context is done before done is called.
type dialer struct {
	ctx  context.Context
	free []func() bool
}

// Dial connects.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(d.ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.free = append(d.free, context.AfterFunc(d.ctx, func() { conn.Close() }))
	return conn, nil
}

func (d *dialer) done() {
	for _, stop := range d.free {
		stop()
	}
}

// Flush waits until the server has taken all that was published, and returns what it says against that.
func Flush(ctx context.Context, conn *nats.Conn) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		defer cancel()
	}
	if err := conn.FlushWithContext(ctx); err != nil {
		return err
	}
	return conn.LastError()
}
