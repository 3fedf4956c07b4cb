package queue

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/servertest"
)

// cluster starts a server with JetStream on a port of its own.
func cluster(t *testing.T, o *server.Options) *server.Server {
	t.Helper()
	o.Host, o.Port, o.JetStream, o.StoreDir, o.NoSigs, o.NoLog, o.AuthTimeout = "127.0.0.1", -1, true, t.TempDir(), true, true, 60
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server is not ready")
	}
	return s
}

// TestCluster uses a server of its own over TCP, with a user.
func TestCluster(t *testing.T) {
	s := cluster(t, &server.Options{Username: "u", Password: "p"})
	if _, err := Open(t.Context(), Config{Bus: Bus{URL: s.ClientURL()}}); err == nil || !strings.Contains(err.Error(), "Authorization") {
		t.Errorf("without the password: %v", err)
	}
	cfg := Config{Bus: Bus{URL: s.ClientURL(), User: "u", Password: "p"}, Name: "alerts", Destinations: to("d")}
	q := open(t, cfg)
	publish(t, q, alert.Notice, "a", "b")
	q.atomic = false
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { publish(t, q, alert.Notice, "x") })
	}
	group.Wait()
	messages := take(t, q, "d", 1)
	if got := rules(messages); got != "a" {
		t.Errorf("got %s", got)
	}
	nothing(t, q, "d") // the order is kept, also for a process that takes over
	ack(t, messages...)
	if got := rules(take(t, q, "d", 1)); got != "b" {
		t.Errorf("got %s", got)
	}
}

// TestClusterSecret shows no part of a URL that is none.
func TestClusterSecret(t *testing.T) {
	for _, bad := range []string{"nats://u:s3cret%zz@host:4222", "nats://u:s3cret@host:port", "nats://good:4222,nats://u:s3cret word@host"} {
		if _, err := Open(t.Context(), Config{Bus: Bus{URL: bad}}); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "its URL is none") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestClusterTLS uses a server that wants a certificate of its clients.
func TestClusterTLS(t *testing.T) {
	cert := servertest.NewCertificates(t)
	s := cluster(t, &server.Options{TLSConfig: cert.Server(true), TLSTimeout: 60})
	url := strings.Replace(s.ClientURL(), "nats://", "tls://", 1)
	for name, b := range map[string]Bus{
		"unknown authority": {URL: url, CertFile: cert.ClientCert, KeyFile: cert.ClientKey}, "no certificate": {URL: url, CAFile: cert.CA},
		"no such file": {URL: url, CAFile: "none.pem"}, "no key": {URL: url, CAFile: cert.CA, CertFile: cert.ClientCert, KeyFile: "none.key"},
	} {
		if _, err := Open(t.Context(), Config{Bus: b}); err == nil {
			t.Errorf("%s: it is opened", name)
		}
	}
	q := open(t, Config{Bus: Bus{URL: url, CAFile: cert.CA, CertFile: cert.ClientCert, KeyFile: cert.ClientKey}, Destinations: to("d")})
	publish(t, q, alert.Notice, "a")
	if got := rules(take(t, q, "d", 1)); got != "a" {
		t.Errorf("got %s", got)
	}
}

// key makes a pair of keys, and returns it with its public part.
func key(t *testing.T, create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
	t.Helper()
	k, err := create()
	if err != nil {
		t.Fatal(err)
	}
	public, err := k.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return k, public
}

// seed writes a key's seed, in the text that wrap makes of it, to a file.
func seed(t *testing.T, k nkeys.KeyPair, wrap func([]byte) ([]byte, error)) string {
	t.Helper()
	text, err := k.Seed()
	if err == nil {
		text, err = wrap(text)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// admits opens a queue with the credentials, and none without them or with those of somebody else.
func admits(t *testing.T, right, wrong, none Bus) {
	t.Helper()
	for _, b := range []Bus{wrong, none} {
		if _, err := Open(t.Context(), Config{Bus: b}); err == nil || !strings.Contains(err.Error(), "Authorization") {
			t.Errorf("%+v: %v", b, err)
		}
	}
	q := open(t, Config{Bus: right, Destinations: to("d")})
	publish(t, q, alert.Notice, "a")
	if got := rules(take(t, q, "d", 1)); got != "a" {
		t.Errorf("got %s", got)
	}
}

// TestClusterNKey proves who we are with a key whose public part the server knows.
func TestClusterNKey(t *testing.T) {
	k, public := key(t, nkeys.CreateUser)
	other, _ := key(t, nkeys.CreateUser)
	same := func(seed []byte) ([]byte, error) { return seed, nil }
	url := cluster(t, &server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}}).ClientURL()
	admits(t, Bus{URL: url, NKeyFile: seed(t, k, same)}, Bus{URL: url, NKeyFile: seed(t, other, same)}, Bus{URL: url})
	for _, path := range []string{"none.nk", seed(t, k, func([]byte) ([]byte, error) { return []byte("SUnone"), nil })} {
		if _, err := Open(t.Context(), Config{Bus: Bus{URL: url, NKeyFile: path}}); err == nil || !strings.Contains(err.Error(), "reading the key of the NATS user") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestClusterCreds proves who we are with a token that an account has signed, and the account's operator the account's.
func TestClusterCreds(t *testing.T) {
	operator, operatorID := key(t, nkeys.CreateOperator)
	account, accountID := key(t, nkeys.CreateAccount)
	_, sysID := key(t, nkeys.CreateAccount)
	claims := jwt.NewOperatorClaims(operatorID)
	claims.SystemAccount = sysID
	resolver := &server.MemAccResolver{}
	for _, id := range []string{accountID, sysID} {
		c := jwt.NewAccountClaims(id)
		if id == accountID {
			c.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
		}
		token, err := c.Encode(operator)
		if err == nil {
			err = resolver.Store(id, token)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	url := cluster(t, &server.Options{TrustedOperators: []*jwt.OperatorClaims{claims}, SystemAccount: sysID, AccountResolver: resolver}).ClientURL()
	creds := func(by nkeys.KeyPair) string {
		user, id := key(t, nkeys.CreateUser)
		token, err := jwt.NewUserClaims(id).Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return seed(t, user, func(seed []byte) ([]byte, error) { return jwt.FormatUserConfig(token, seed) })
	}
	stranger, _ := key(t, nkeys.CreateAccount)
	admits(t, Bus{URL: url, CredsFile: creds(account)}, Bus{URL: url, CredsFile: creds(stranger)}, Bus{URL: url})
	if _, err := Open(t.Context(), Config{Bus: Bus{URL: url, CredsFile: "none.creds"}}); err == nil || !strings.Contains(err.Error(), "none.creds") {
		t.Errorf("a file that is not there: %v", err)
	}
}
