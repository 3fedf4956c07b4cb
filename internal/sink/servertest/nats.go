package servertest

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// NATS is a NATS server in this process, with JetStream.
type NATS struct {
	Addr string
	// Conn is a connection of the test's own, made anew when the server starts; All has all that is published.
	Conn *nats.Conn
	All  *nats.Subscription

	options *server.Options
	server  *server.Server
}

// StartNATS starts a NATS server with one user, with TLS when there are certificates.
func StartNATS(t testing.TB, user, password string, cert *Certificates, mutual bool) *NATS {
	t.Helper()
	n := &NATS{Addr: Free(t)}
	n.options = &server.Options{
		Host: "127.0.0.1", Port: Number(t, n.Addr), Username: user, Password: password, NoLog: true, NoSigs: true, JetStream: true,
		DisableJetStreamBanner: true, StoreDir: t.TempDir(), AuthTimeout: patience.Seconds(),
	}
	if cert != nil {
		n.options.TLS, n.options.TLSVerify, n.options.TLSConfig, n.options.TLSTimeout = true, mutual, cert.Server(mutual), patience.Seconds()
	}
	t.Cleanup(n.Stop)
	n.Start(t)
	return n
}

// Start starts the server when it is stopped.
func (n *NATS) Start(t testing.TB) {
	t.Helper()
	if n.server != nil {
		return
	}
	own := n.options.Clone()
	s, err := server.NewServer(own)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	n.server = s
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not become ready")
	}
	if n.Conn, err = nats.Connect("", nats.InProcessServer(s), nats.UserInfo(own.Username, own.Password), nats.Timeout(patience)); err != nil {
		t.Fatal(err)
	}
	if n.All, err = n.Conn.SubscribeSync("falco.>"); err != nil {
		t.Fatal(err)
	}
	if err := n.Conn.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

// Stop stops the server.
func (n *NATS) Stop() {
	if n.server == nil {
		return
	}
	n.Conn.Close()
	n.server.Shutdown()
	n.server.WaitForShutdown()
	n.server = nil
}
