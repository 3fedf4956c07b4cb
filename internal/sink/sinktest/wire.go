package sinktest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Wire is a destination that speaks a protocol of its own, with a real server of it.
type Wire struct {
	// Prefix is that of the destination's keys.
	Prefix string
	// Open makes a sink.
	Open func(setting.Values) (route.Sink, error)
	// Start starts a server, or skips the test.
	Start func(t *testing.T, how Security) Peer
	// Record reads one alert as a server of a protocol without answers gets it. It is set in place of Start, which the suite
	// does then itself; tests that want an answer are left out.
	Record func(*bufio.Reader) (string, error)
	// Settings returns the values that a sink needs to send to the server at an address: the right credentials, and TLS where
	// that is wanted, with the server's certificate checked against the system's authorities.
	Settings func(addr string, tls bool) setting.Values
	// Wrong are settings in place of the right ones with which the server refuses the client;
	// SERVER in a value is its address.
	Wrong setting.Values
	// Secrets are those in the settings, right and wrong; no error may show them.
	Secrets []string
	// Variants are further settings, each with a golden file of this name.
	Variants map[string]setting.Values
	// Address is the key of the server's address, which may be none; "" is that any text may be one.
	Address string
	// Refused are the samples that the destination cannot take.
	Refused []string
	// Large says that the destination takes an alert of more than a megabyte.
	Large bool
	// Unordered says that the destination does not keep the order.
	Unordered bool
	// NoTLS says that there is no server with TLS to test with.
	NoTLS bool
	// Blur replaces what differs from one run to the next in what has arrived; nil replaces nothing.
	Blur func(string) string
}

// Security is how a server is secured. The zero value is a server without TLS, with credentials.
type Security struct {
	TLS    *servertest.Certificates // nil is none
	Mutual bool                     // the server wants a certificate of the client
}

// Peer is a server that runs.
type Peer struct {
	Addr string
	// Proxy is the one that the server is behind, for servers that tell clients where to connect; nil is none.
	Proxy *servertest.Proxy
	// Stop stops the server, Start starts it again at the same address.
	Stop, Start func()
	// Read returns what has arrived since the last call, each alert with all that says where and how, in order. What the
	// server loses when it is stopped need not be there.
	Read func() []string
}

// Run runs the suite.
func (w Wire) Run(t *testing.T) {
	if w.Record != nil {
		w = w.blind()
	}
	t.Run("settings", w.settings)
	t.Run("silent", w.silent)
	t.Run("nobody", w.nobody)
	t.Run("plain", func(t *testing.T) { // with one server, for some take long to start
		peer := w.Start(t, Security{})
		t.Run("payload", func(t *testing.T) { w.payload(t, peer) })
		t.Run("batch", func(t *testing.T) { w.batch(t, peer) })
		t.Run("size", func(t *testing.T) { w.size(t, peer) })
		t.Run("credentials", func(t *testing.T) { w.credentials(t, peer) })
		t.Run("frozen", func(t *testing.T) { w.frozen(t, peer) })
		t.Run("outage", func(t *testing.T) { w.outage(t, peer) })
	})
	t.Run("certificate", w.certificate)
	t.Run("mutual", w.mutual)
}

func (w Wire) values(addr string, tls bool, more ...setting.Values) setting.Values {
	values := w.Settings(addr, tls)
	for _, m := range more {
		for k, v := range m {
			values[k] = strings.ReplaceAll(v, "SERVER", addr)
		}
	}
	return values
}

func (w Wire) open(t *testing.T, values setting.Values) route.Sink {
	t.Helper()
	s, err := w.Open(values)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if c, ok := s.(route.Closer); !ok {
			t.Error("the sink keeps a connection and cannot be closed")
		} else if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// fails sends an alert and wants an error that is not permanent and shows no secret.
func (w Wire) fails(t *testing.T, what string, s route.Sink, a *alert.Alert) string {
	t.Helper()
	err := send(t.Context(), s, a)
	if err == nil || route.Permanent(err) {
		t.Errorf("%s: %v, want an error that is not permanent", what, err)
		return ""
	}
	w.secret(t, err)
	return err.Error()
}

func (w Wire) secret(t *testing.T, err error) {
	t.Helper()
	HTTP{Secrets: w.Secrets}.secret(t, err)
}

// deliver sends as route does: until there is no error.
func (w Wire) deliver(t *testing.T, s route.Sink, a *alert.Alert) {
	t.Helper()
	servertest.Await(t, "sending", func() error {
		err := send(t.Context(), s, a)
		if err != nil {
			w.secret(t, err)
			if route.Permanent(err) {
				t.Fatal(err)
			}
		}
		return err
	})
}

// has fails unless all uuids of the alerts are in what has arrived, in order.
func (w Wire) has(t *testing.T, got []string, alerts ...*alert.Alert) {
	t.Helper()
	at := 0
	for _, a := range alerts {
		i := slices.IndexFunc(got[at:], func(text string) bool { return strings.Contains(text, a.UUID) })
		if i < 0 {
			t.Errorf("%s has not arrived, or not in order; there are %d: %.1000q", a.UUID, len(got), got)
			return
		}
		if !w.Unordered {
			at += i
		}
	}
}

// fresh returns the samples with uuids that no other call returns: a destination may know those that it has seen.
func (w Wire) fresh(t *testing.T) []*alert.Alert {
	t.Helper()
	var out []*alert.Alert
	for _, s := range Samples() {
		if slices.Contains(w.Refused, s.Name) {
			continue
		}
		a := s.Alert(t)
		a.UUID = newID(t)
		out = append(out, a)
	}
	return out
}

func newID(t *testing.T) string {
	t.Helper()
	b := make([]byte, 6)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("6f1b7c1e-0000-4000-8000-%x", b)
}

// payload compares what arrives of each sample with the golden files, and that sending changes no alert.
func (w Wire) payload(t *testing.T, peer Peer) {
	variants := map[string]setting.Values{"": nil}
	for name, values := range w.Variants {
		variants[name] = values
	}
	for name, values := range variants {
		sink := w.open(t, w.values(peer.Addr, false, values))
		var b strings.Builder
		for _, sample := range Samples() {
			fmt.Fprintf(&b, "== %s\n", sample.Name)
			a, again := sample.Alert(t), sample.Alert(t)
			err := send(t.Context(), sink, a)
			if slices.Contains(w.Refused, sample.Name) {
				if err == nil || !route.Permanent(err) {
					t.Errorf("%s: %v, want a permanent error", sample.Name, err)
				}
				fmt.Fprintf(&b, "refused: %v\n", strings.ReplaceAll(err.Error(), peer.Addr, "SERVER"))
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", sample.Name, err)
			}
			if !bytes.Equal(a.AppendSidekick(nil), again.AppendSidekick(nil)) {
				t.Errorf("%s: sending has changed the alert", sample.Name)
			}
			got := peer.Read()
			if len(got) != 1 {
				t.Errorf("%s: %d have arrived: %.1000q", sample.Name, len(got), got)
			}
			for _, text := range got {
				if w.Blur != nil {
					text = w.Blur(text)
				}
				fmt.Fprintf(&b, "%s\n", strings.ReplaceAll(text, peer.Addr, "SERVER"))
			}
		}
		if name == "" {
			name = "payload"
		}
		golden(t, filepath.Join("testdata", name+".golden"), b.String())
	}
}

// batch sends several alerts at once.
func (w Wire) batch(t *testing.T, peer Peer) {
	sink, ok := w.open(t, w.values(peer.Addr, false)).(batcher)
	if !ok {
		t.Skip("the sink sends alerts one by one")
	}
	peer.Read()
	alerts := w.fresh(t)
	if errs := sink.SendBatch(t.Context(), nil); errs != nil {
		t.Errorf("no alerts: %v", errs)
	}
	if errs := sink.SendBatch(t.Context(), alerts); errs != nil {
		t.Errorf("%v", errs)
	}
	got := peer.Read()
	if w.has(t, got, alerts...); len(got) != len(alerts) {
		t.Errorf("%d alerts have become %d", len(alerts), len(got))
	}
	alerts = w.fresh(t)
	large := huge(t)
	large.UUID = newID(t)
	mixed := append(alerts[:2:2], append([]*alert.Alert{large}, alerts[2:]...)...)
	errs := sink.SendBatch(t.Context(), mixed)
	for i, err := range errs {
		if w.Large && err != nil || i == 2 && !route.Permanent(err) || i != 2 && err != nil {
			t.Errorf("with a huge one: alert %d: %v", i, err)
		}
	}
	if !w.Large && errs == nil {
		t.Error("the huge one is taken")
	}
	w.has(t, peer.Read(), alerts...)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if errs := sink.SendBatch(over, alerts); len(errs) != len(alerts) || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("given up: %v", errs)
	}
}

// size sends more than any destination wants, and something smaller after that.
func (w Wire) size(t *testing.T, peer Peer) {
	sink := w.open(t, w.values(peer.Addr, false))
	peer.Read()
	err := send(t.Context(), sink, huge(t))
	if w.Large && err != nil || !w.Large && !route.Permanent(err) {
		t.Errorf("a huge alert: %v", err)
	}
	a := w.fresh(t)[0]
	if err := send(t.Context(), sink, a); err != nil {
		t.Errorf("after a huge alert: %v", err)
	}
	w.has(t, peer.Read(), a)
}

// credentials sends with wrong ones.
func (w Wire) credentials(t *testing.T, peer Peer) {
	if w.Wrong == nil {
		t.Skip("the destination has no credentials")
	}
	peer.Read()
	sink := w.open(t, w.values(peer.Addr, false, w.Wrong, setting.Values{w.Prefix + ".timeout": "5s"}))
	t.Log(w.fails(t, "wrong credentials", sink, Samples()[0].Alert(t)))
	if got := peer.Read(); len(got) > 0 {
		t.Errorf("%d alerts were taken with wrong credentials", len(got))
	}
}

// frozen lets an established connection hang, breaks one, and gives up.
func (w Wire) frozen(t *testing.T, peer Peer) {
	if w.Record != nil {
		t.Skip("the protocol has no answers")
	}
	proxy := peer.Proxy
	if proxy == nil {
		proxy = servertest.NewProxy(t, peer.Addr)
	}
	sink := w.open(t, w.values(proxy.Addr, false, setting.Values{w.Prefix + ".timeout": "1s"}))
	peer.Read()
	alerts := w.fresh(t)
	a, b, c := alerts[0], alerts[1], alerts[2]
	w.deliver(t, sink, a)
	proxy.Freeze()
	begin := time.Now()
	if text := w.fails(t, "frozen", sink, b); !strings.Contains(text, "no answer within 1s") {
		t.Errorf("frozen: %s", text)
	}
	if d := time.Since(begin); d > patience {
		t.Errorf("giving up has taken %v", d)
	}
	over, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := send(over, sink, b); !errors.Is(err, context.DeadlineExceeded) || route.Permanent(err) {
		t.Errorf("given up: %v", err)
	}
	proxy.Thaw()
	w.deliver(t, sink, b)
	proxy.Reset()
	w.deliver(t, sink, c)
	w.has(t, peer.Read(), a, b, c)
}

// outage stops the server before the sink is opened, and between alerts.
func (w Wire) outage(t *testing.T, peer Peer) {
	alerts := w.fresh(t)
	peer.Stop()
	sink := w.open(t, w.values(peer.Addr, false, setting.Values{w.Prefix + ".timeout": "2s"})) // some clients try until the time is over
	w.fails(t, "before the server is there", sink, alerts[0])
	if b, ok := sink.(batcher); ok {
		errs := b.SendBatch(t.Context(), alerts)
		if len(errs) != len(alerts) {
			t.Fatalf("before the server is there: %v", errs)
		}
		for _, err := range errs {
			if err == nil || route.Permanent(err) {
				t.Errorf("before the server is there: %v", err)
				continue
			}
			w.secret(t, err)
		}
	}
	peer.Start()
	peer.Read()
	w.deliver(t, sink, alerts[0])
	w.deliver(t, sink, alerts[1])
	w.has(t, peer.Read(), alerts[:2]...)
	peer.Stop() // while there is a connection
	w.fails(t, "server stopped", sink, alerts[2])
	w.fails(t, "server still stopped", sink, alerts[2])
	peer.Start()
	peer.Read()
	w.deliver(t, sink, alerts[2])
	w.has(t, peer.Read(), alerts[2])
	peer.Stop() // and back before anything is sent
	peer.Start()
	peer.Read()
	w.deliver(t, sink, alerts[3])
	w.deliver(t, sink, alerts[4])
	w.has(t, peer.Read(), alerts[3:5]...)
}

// nobody sends to an address that nobody listens on, and closes.
func (w Wire) nobody(t *testing.T) {
	addr := servertest.Free(t)
	sink := w.open(t, w.values(addr, false, setting.Values{w.Prefix + ".timeout": "5s"}))
	text := w.fails(t, "nobody listens", sink, Samples()[0].Alert(t))
	if !strings.Contains(text, w.Prefix+": ") || !strings.Contains(text, addr) {
		t.Errorf("the error does not say what was being done where: %s", text)
	}
	w.open(t, w.values(addr, false)) // and is closed without ever having sent
}

// silent connects to a server that never answers.
func (w Wire) silent(t *testing.T) {
	proxy := servertest.NewProxy(t, servertest.Free(t))
	proxy.Freeze()
	for _, tls := range []bool{false, true} {
		if tls && w.NoTLS || !tls && w.Record != nil {
			continue
		}
		sink := w.open(t, w.values(proxy.Addr, tls, setting.Values{w.Prefix + ".timeout": "300ms"}))
		begin := time.Now()
		if text := w.fails(t, "silent server", sink, Samples()[0].Alert(t)); !strings.Contains(text, "no answer within 300ms") {
			t.Errorf("silent server, TLS %v: %s", tls, text)
		}
		if d := time.Since(begin); d > patience {
			t.Errorf("giving up has taken %v", d)
		}
	}
}

// certificate meets a server whose certificate nobody trusts.
func (w Wire) certificate(t *testing.T) {
	if w.NoTLS {
		t.Skip("there is no server with TLS")
	}
	cert := servertest.NewCertificates(t)
	peer := w.Start(t, Security{TLS: cert})
	a := Samples()[0].Alert(t)
	text := w.fails(t, "unknown certificate", w.open(t, w.values(peer.Addr, true, setting.Values{w.Prefix + ".timeout": patience.String()})), a)
	if !strings.Contains(text, "certificate") {
		t.Errorf("unknown certificate: %s", text)
	}
	if got := peer.Read(); len(got) > 0 {
		t.Errorf("%d alerts were sent to a server that nobody trusts", len(got))
	}
	w.deliver(t, w.open(t, w.values(peer.Addr, true, setting.Values{w.Prefix + ".checkcert": "false"})), a)
	got := peer.Read()
	b := Samples()[1].Alert(t)
	w.deliver(t, w.open(t, w.values(peer.Addr, true, setting.Values{"tlsclient.cacertfile": cert.CA})), b)
	w.has(t, append(got, peer.Read()...), a, b)
}

// mutual meets a server that wants a certificate.
func (w Wire) mutual(t *testing.T) {
	if w.NoTLS {
		t.Skip("there is no server with TLS")
	}
	cert := servertest.NewCertificates(t)
	peer := w.Start(t, Security{TLS: cert, Mutual: true})
	a := Samples()[0].Alert(t)
	w.fails(t, "no client certificate", w.open(t, w.values(peer.Addr, true, setting.Values{"tlsclient.cacertfile": cert.CA, w.Prefix + ".timeout": "5s"})), a)
	if got := peer.Read(); len(got) > 0 {
		t.Errorf("%d alerts were taken without a client certificate", len(got))
	}
	sink := w.open(t, w.values(peer.Addr, true, setting.Values{w.Prefix + ".mutualtls": "true", "mutualtlsfilespath": cert.Dir}))
	w.deliver(t, sink, a)
	w.has(t, peer.Read(), a)
}

// settings gives no values, and an address that is none.
func (w Wire) settings(t *testing.T) {
	if _, err := w.Open(setting.Values{}); err == nil {
		t.Error("a sink without settings")
	}
	if _, err := w.Open(w.values("127.0.0.1:1", true, setting.Values{"tlsclient.cacertfile": filepath.Join(t.TempDir(), "missing")})); err == nil || !strings.Contains(err.Error(), "authorities") {
		t.Errorf("authorities that are not there: %v", err)
	}
	if w.Address == "" {
		return
	}
	for _, bad := range []string{"ftp://user:s3cret-address@host", "://s3cret-address", " , "} {
		_, err := w.Open(w.values("127.0.0.1:1", false, setting.Values{w.Address: bad}))
		if err == nil {
			t.Errorf("%s: %q is taken", w.Address, bad)
		} else if strings.Contains(err.Error(), "s3cret-address") {
			t.Errorf("the error shows the address: %v", err)
		}
	}
}
