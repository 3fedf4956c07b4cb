package queue

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/alert"
)

// requestTimeout bounds a request to the server.
const requestTimeout = 10 * time.Second

// What JetStream may use; the bounds of the queue are ours.
const (
	maxMemory    = 1 << 20
	maxStore     = 1 << 50
	syncInterval = 30 * time.Second
)

// Bus is an external NATS cluster with JetStream. What is written there is as durable as the cluster makes it: with
// sync_interval always it is on disk, with replicas it is on more than one machine.
type Bus struct {
	URL      string // nats://host:4222 or tls://…, several with commas; "" is no external cluster
	Replicas int    // of each stream; 0 is 1

	CredsFile      string // user JWT and key, as nsc writes them
	NKeyFile       string // seed of a user key
	User, Password string
	Token          string

	CAFile            string // authorities to trust; "" is the system's
	CertFile, KeyFile string // the client's certificate
}

func (b Bus) replicas() int { return max(b.Replicas, 1) }

// connect starts the embedded server, or connects to the cluster.
func (q *Queue) connect() (err error) {
	options := []nats.Option{
		nats.Name("saker"), nats.MaxReconnects(-1), nats.ReconnectWait(500 * time.Millisecond), nats.Timeout(requestTimeout),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			q.cfg.Log(alert.Warning, fmt.Sprintf("queue: %v", err))
		}),
	}
	if q.cfg.Bus.URL != "" {
		more, err := q.cfg.Bus.options()
		if err != nil {
			return err
		}
		options = append(options, more...)
		options = append(options, nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				q.cfg.Log(alert.Error, fmt.Sprintf("queue: the connection to the NATS cluster is lost: %v", err))
			}
		}), nats.ReconnectHandler(func(*nats.Conn) { q.cfg.Log(alert.Notice, "queue: the connection to the NATS cluster is back") }))
		var bad *url.Error
		if q.conn, err = nats.Connect(q.cfg.Bus.URL, options...); errors.As(err, &bad) {
			return errors.New("connecting to the NATS cluster: its URL is none, it must be like nats://host:4222 (it is not shown, it may hold a password)")
		} else if err != nil {
			return fmt.Errorf("connecting to the NATS cluster: %w", err)
		}
		return nil
	}
	if q.cfg.Dir == "" {
		return errors.New("neither a directory nor the URL of a NATS cluster is configured, it must be one of them")
	}
	if err := os.MkdirAll(q.cfg.Dir, 0o700); err != nil {
		return err
	}
	if q.unlock, err = lock(filepath.Join(q.cfg.Dir, "lock")); err != nil {
		return err
	}
	q.server, err = server.NewServer(&server.Options{
		ServerName: "saker", DontListen: true, NoSigs: true, NoLog: true, JetStream: true, DisableJetStreamBanner: true,
		StoreDir: q.cfg.Dir, SyncAlways: true, SyncInterval: syncInterval, MaxPayload: Largest + 16384,
		JetStreamMaxMemory: maxMemory, JetStreamMaxStore: maxStore, MaxPending: 64 << 20,
	})
	if err != nil {
		return fmt.Errorf("making the embedded NATS server: %w", err)
	}
	q.server.SetLoggerV2(&serverLog{log: q.cfg.Log}, false, false, false)
	q.server.Start()
	if !q.server.ReadyForConnections(requestTimeout) {
		return errors.New("starting the embedded NATS server: it does not become ready")
	}
	if !q.server.JetStreamEnabled() {
		return fmt.Errorf("starting the embedded NATS server: JetStream does not start, see the lines before; is %s writable?", q.cfg.Dir)
	}
	q.conn, err = nats.Connect("", append(options, nats.InProcessServer(q.server))...)
	return err
}

// options returns how to connect.
func (b Bus) options() (o []nats.Option, err error) {
	if b.CredsFile != "" {
		o = append(o, nats.UserCredentials(b.CredsFile))
	}
	if b.NKeyFile != "" {
		k, err := nats.NkeyOptionFromSeed(b.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the key of the NATS user: %w", err)
		}
		o = append(o, k)
	}
	if b.User != "" {
		o = append(o, nats.UserInfo(b.User, b.Password))
	}
	if b.Token != "" {
		o = append(o, nats.Token(b.Token))
	}
	if b.CAFile == "" && b.CertFile == "" {
		return o, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if b.CAFile != "" {
		pem, err := os.ReadFile(b.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the authorities of the NATS cluster: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the authorities of the NATS cluster: %s holds no certificate in PEM", b.CAFile)
		}
	}
	if b.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(b.CertFile, b.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate for the NATS cluster: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return append(o, nats.Secure(c)), nil
}

func (q *Queue) disconnect() {
	if q.conn != nil {
		if q.server != nil {
			_ = q.conn.FlushTimeout(requestTimeout) // acknowledgements; those that do not arrive make duplicates
		}
		q.conn.Close()
	}
	if q.server != nil {
		q.server.Shutdown()
		q.server.WaitForShutdown()
	}
	if q.unlock != nil {
		q.unlock()
	}
}

// ErrInUse says that another process has the directory open.
var ErrInUse = errors.New("another process uses it")

// lock makes this process the only user of a directory, until it ends or calls the function.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// freeBytes returns how much of the disk this process may still use.
func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("asking for the free room of %s: %w", dir, err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// serverLog passes on what the embedded server says, warnings and worse.
type serverLog struct{ log func(alert.Priority, string) }

func (l *serverLog) say(p alert.Priority, format string, v []any) {
	l.log(p, "queue: "+strings.TrimSpace(fmt.Sprintf(format, v...)))
}

// Noticef drops the line.
func (l *serverLog) Noticef(string, ...any) {}

// Warnf logs a warning.
func (l *serverLog) Warnf(format string, v ...any) { l.say(alert.Warning, format, v) }

// Fatalf logs what makes the server unusable.
func (l *serverLog) Fatalf(format string, v ...any) { l.say(alert.Critical, format, v) }

// Errorf logs an error.
func (l *serverLog) Errorf(format string, v ...any) { l.say(alert.Error, format, v) }

// Debugf drops the line.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef drops the line.
func (l *serverLog) Tracef(string, ...any) {}
