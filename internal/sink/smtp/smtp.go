// Package smtp sends alerts by mail: encrypted by STARTTLS or from the first byte (port 465), as text or as text and HTML, to
// several recipients.
//
// An alert counts as sent when the server has answered 250 to the message for every recipient. Where some recipients are
// refused the others get the mail, and are not sent it again when the alert is tried again. The Message-ID is made of the
// alert's uuid, so that mail systems recognise a mail that comes twice. Nothing of an alert can become a header or an address:
// addresses come from the configuration alone, and are parsed; the subject is one encoded line; the body is quoted-printable.
//
// It differs from Falcosidekick in that the connection is kept, in port 465, in that a refused authentication is an error and
// nothing is sent after it, and in that the HTML loads no picture from elsewhere (reference: sidekick.md §2.3).
package smtp

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	HostPort      string           // hostport: host:port of the server; the destination is off without
	Encrypt       bool             // tls: encrypt
	Mode          string           // tlsmode: auto, starttls, implicit; auto is implicit on port 465
	AuthMechanism string           // authmechanism: plain, oauthbearer, external, anonymous, none
	User          string           // user: user, of plain and oauthbearer
	Password      string           // password: password, of plain
	Token         string           // token: token, of oauthbearer
	Identity      string           // identity: identity, of plain and external
	Trace         string           // trace: trace, of anonymous
	From          string           // from: sender; the destination is off without
	To            string           // to: recipients, with commas; the destination is off without
	Format        string           // outputformat: html, text
	TLS           httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.TLS.Settings(),
		setting.Text("hostport", &c.HostPort, "", "host:port of the server").Required(),
		setting.Bool("tls", &c.Encrypt, true, "encrypt"),
		setting.Choice("tlsmode", &c.Mode, "how to encrypt; auto is implicit on port 465 and starttls on others", "auto", "starttls", "implicit"),
		setting.Choice("authmechanism", &c.AuthMechanism, "SASL mechanism", "plain", "oauthbearer", "external", "anonymous", "none"),
		setting.Text("user", &c.User, "", "user, of plain and oauthbearer"),
		setting.Text("password", &c.Password, "", "password, of plain").Secret(),
		setting.Text("token", &c.Token, "", "token, of oauthbearer").Secret(),
		setting.Text("identity", &c.Identity, "", "identity, of plain and external"),
		setting.Text("trace", &c.Trace, "", "trace, of anonymous"),
		setting.Text("from", &c.From, "", "sender").Required(),
		setting.Text("to", &c.To, "", "recipients, with commas between them").Required(),
		setting.Choice("outputformat", &c.Format, "form of the mail", "html", "text"),
	)
}

// Sink sends mails.
type Sink struct {
	cfg  Config
	self string // name of this machine
	host string // of the server
	port int
	from *mail.Address
	to   []*mail.Address
	tls  *tls.Config // nil is without
	link *wire.Link[*session]

	current string          // Message-ID of the alert whose recipients are in done
	done    map[string]bool // those that have it
}

// New returns a sink. It fails when an address or a certificate cannot be used.
func New(cfg Config) (*Sink, error) {
	s := &Sink{cfg: cfg, self: "localhost"}
	if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") {
		s.self = name // some servers want a whole name; one without a domain says no more than localhost
	}
	host, port, err := net.SplitHostPort(cfg.HostPort)
	if err == nil {
		s.host = host
		s.port, err = strconv.Atoi(port)
	}
	if err != nil || host == "" {
		return nil, fmt.Errorf("smtp: hostport is %q, it must be host:port", cfg.HostPort)
	}
	if s.from, err = mail.ParseAddress(cfg.From); err != nil {
		return nil, fmt.Errorf("smtp: from is %q, it must be a mail address: %w", cfg.From, err)
	}
	if s.to, err = mail.ParseAddressList(cfg.To); err != nil {
		return nil, fmt.Errorf("smtp: to is %q, it must be mail addresses with commas between them: %w", cfg.To, err)
	}
	if cfg.Encrypt {
		if s.tls, err = cfg.TLS.TLS(); err != nil {
			return nil, fmt.Errorf("smtp: %w", err)
		}
		s.tls.ServerName = host
	}
	secrets := []string{cfg.Password, cfg.Token}
	if auth := s.auth(); auth != nil {
		_, first, err := auth.Start()
		if err != nil {
			return nil, fmt.Errorf("smtp: preparing the authentication %s: %w", cfg.AuthMechanism, err)
		}
		secrets = append(secrets, string(first))
	}
	for _, secret := range secrets {
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(secret)))
	}
	s.link = wire.New(wire.Config{Name: "smtp", Where: cfg.HostPort, Timeout: cfg.TLS.Timeout, Secrets: secrets}, s.dial, (*session).hangUp)
	return s, nil
}

// auth returns the mechanism to authenticate with; nil is none.
func (s *Sink) auth() sasl.Client {
	switch c := s.cfg; c.AuthMechanism {
	case "plain":
		return sasl.NewPlainClient(c.Identity, c.User, c.Password)
	case "oauthbearer":
		return sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: c.User, Token: c.Token, Host: s.host, Port: s.port})
	case "external":
		return sasl.NewExternalClient(c.Identity)
	case "anonymous":
		return sasl.NewAnonymousClient(c.Trace)
	}
	return nil
}

// session is a connection to the server, ready for mails.
type session struct {
	client *smtp.Client
	used   bool
	most   int // bytes of a mail that the server takes

	mu   sync.Mutex // of what hangUp uses beside Send
	conn net.Conn
	over bool // hangUp was called
}

// hangUp closes the connection. What was answered is safe, the rest is sent again.
func (c *session) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	_ = c.conn.Close()
}

// renew takes the connection of another session, unless hangUp was called.
func (c *session) renew(fresh *session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		fresh.hangUp()
		return net.ErrClosed
	}
	_ = c.conn.Close() // it did not work any more
	c.client, c.conn, c.most = fresh.client, fresh.conn, fresh.most
	return nil
}

// maxSize is the size of a mail for a server that names none.
const maxSize = 10 << 20

// dial connects, encrypts and authenticates.
func (s *Sink) dial(ctx context.Context) (*session, error) {
	implicit := s.cfg.Mode == "implicit" || s.cfg.Mode != "starttls" && s.port == 465
	first := s.tls
	if !implicit {
		first = nil
	}
	conn, err := wire.Dial(ctx, s.cfg.HostPort, first)
	if err != nil {
		return nil, err
	}
	over := context.AfterFunc(ctx, func() { conn.Close() })
	defer over()
	client, err := s.greet(conn, implicit)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c := &session{conn: conn, client: client, most: maxSize}
	if ok, text := client.Extension("SIZE"); ok {
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			c.most = min(n, maxSize)
		}
	}
	return c, nil
}

// greet begins the dialogue.
func (s *Sink) greet(conn net.Conn, implicit bool) (*smtp.Client, error) {
	var client *smtp.Client
	if s.tls != nil && !implicit {
		var err error
		if client, err = smtp.NewClientStartTLS(conn, s.tls); err != nil {
			return nil, fmt.Errorf("beginning TLS: %w", err)
		}
	} else {
		client = smtp.NewClient(conn)
	}
	if err := client.Hello(s.self); err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	auth := s.auth()
	if auth == nil || s.cfg.AuthMechanism == "plain" && s.cfg.User == "" && s.cfg.Password == "" {
		return client, nil // plain is the default, and there is nothing to say
	}
	if ok, _ := client.Extension("AUTH"); !ok {
		return nil, fmt.Errorf("the server takes no authentication here, authmechanism %s asks for it (none is without)", s.cfg.AuthMechanism)
	}
	if err := client.Auth(auth); err != nil {
		return nil, fmt.Errorf("authenticating (%s): %w", s.cfg.AuthMechanism, err)
	}
	return client, nil
}

// refusal is an answer after which sending again is of no use.
type refusal struct{ error }

// Permanent says so.
func (refusal) Permanent() bool { return true }

// Unwrap returns the answer.
func (r refusal) Unwrap() error { return r.error }

// refused says whether the server refuses for good (RFC 5321, section 4.2.1). What it says of credentials (RFC 4954, section 6) is for the
// operator to put right, and says nothing of the alert.
func refused(err error) bool {
	var answer *smtp.SMTPError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Code {
	case 530, 534, 535, 538:
		return false
	}
	return answer.Code/100 == 5
}

// Send sends a mail.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	id := s.messageID(a)
	if id != s.current {
		s.current, s.done = id, map[string]bool{}
	}
	return s.link.Do(ctx, func(ctx context.Context, c *session) error {
		if c.used && c.client.Noop() != nil { // the server has closed it
			fresh, err := s.dial(ctx)
			if err != nil {
				return err
			}
			if err := c.renew(fresh); err != nil {
				return err
			}
		}
		c.used = true
		text := s.mail(message.Fit(a, c.most, func(a *alert.Alert) int { return len(s.mail(a, id)) }), id)
		if len(text) > c.most {
			return wire.Oversized(int64(len(text)), int64(c.most))
		}
		return s.transfer(c, text)
	})
}

// transfer hands a mail over for the recipients that do not have it.
func (s *Sink) transfer(c *session, text []byte) error {
	options := &smtp.MailOptions{Size: int64(len(text)), UTF8: s.utf8()}
	if ok, _ := c.client.Extension("SMTPUTF8"); options.UTF8 && !ok {
		return wire.Refuse("an address has letters beyond ASCII, which the server does not take (SMTPUTF8)")
	}
	if err := c.client.Mail(s.from.Address, options); err != nil {
		return s.failed(c, fmt.Errorf("naming the sender: %w", err))
	}
	var taken []string
	var later, never error
	for _, to := range s.to {
		if s.done[to.Address] {
			continue
		}
		switch err := c.client.Rcpt(to.Address, nil); {
		case err == nil:
			taken = append(taken, to.Address)
		case refused(err):
			never = errors.Join(never, fmt.Errorf("the recipient %s is refused: %w", to.Address, err))
		default:
			later = errors.Join(later, fmt.Errorf("the recipient %s is not taken now: %w", to.Address, err))
		}
	}
	if len(taken) > 0 {
		if err := hand(c.client, text); err != nil {
			return s.failed(c, fmt.Errorf("handing the mail over: %w", err))
		}
		for _, to := range taken {
			s.done[to] = true
		}
	} else if err := c.client.Reset(); err != nil {
		later = errors.Join(later, err)
	}
	switch {
	case later != nil:
		return errors.Join(later, never)
	case never != nil:
		return refusal{never}
	}
	s.current, s.done = "", nil
	return nil
}

// utf8 says whether an address has other letters than those of ASCII.
func (s *Sink) utf8() bool {
	beyond := func(r rune) bool { return r > unicode.MaxASCII }
	return slices.ContainsFunc(append([]*mail.Address{s.from}, s.to...), func(a *mail.Address) bool { return strings.ContainsFunc(a.Address, beyond) })
}

// failed ends a transaction that the server does not want.
func (s *Sink) failed(c *session, err error) error {
	if !refused(err) {
		return err
	}
	_ = c.client.Reset() // a server that has closed the connection is found out with the next mail
	return refusal{err}
}

// hand hands over a mail whose recipients are named.
func hand(client *smtp.Client, text []byte) error {
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return w.Close()
}

// Close closes the connection.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }

// date is the form of a time in a header (RFC 5322, section 3.3).
func date(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700") }

// domain is that of the sender.
func (s *Sink) domain() string {
	return s.from.Address[strings.LastIndexByte(s.from.Address, '@')+1:]
}
