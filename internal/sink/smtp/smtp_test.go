package smtp_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	server "github.com/emersion/go-smtp"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/smtp"
)

const password = "s3cretPassword"

func open(v setting.Values) (route.Sink, error) { return setting.Open("smtp", v, smtp.New) }

func settings(addr string, encrypt bool) setting.Values {
	return setting.Values{
		"smtp.hostport": addr, "smtp.tls": fmt.Sprint(encrypt), "smtp.user": "saker", "smtp.password": password,
		"smtp.from": "Saker <saker@example.org>", "smtp.to": "one@example.org, Two <two@example.org>",
	}
}

// postOffice is a server that keeps mails.
type postOffice struct {
	mu     sync.Mutex
	mails  []string
	refuse map[string]*server.SMTPError // recipients, "DATA" and "MAIL"
	logins []string                     // mechanisms and names
}

// NewSession begins a dialogue.
func (p *postOffice) NewSession(*server.Conn) (server.Session, error) {
	return &dialogue{office: p}, nil
}

type dialogue struct {
	office *postOffice
	known  bool
	head   string
}

func (d *dialogue) AuthMechanisms() []string {
	return []string{sasl.Plain, sasl.OAuthBearer, sasl.External, sasl.Anonymous}
}

func (d *dialogue) login(name string, ok bool) error {
	if !ok {
		return &server.SMTPError{Code: 535, EnhancedCode: server.EnhancedCode{5, 7, 8}, Message: "wrong: " + name}
	}
	d.office.mu.Lock()
	defer d.office.mu.Unlock()
	d.office.logins = append(d.office.logins, name)
	d.known = true
	return nil
}

func (d *dialogue) Auth(mech string) (sasl.Server, error) {
	switch mech {
	case sasl.Plain:
		return sasl.NewPlainServer(func(identity, user, pass string) error {
			return d.login("plain "+identity+" "+user+" "+pass, user == "saker" && pass == password)
		}), nil
	case sasl.OAuthBearer:
		return sasl.NewOAuthBearerServer(func(o sasl.OAuthBearerOptions) *sasl.OAuthBearerError {
			if d.login("oauthbearer "+o.Username, o.Token == "s3cretT0ken") != nil {
				return &sasl.OAuthBearerError{Status: "invalid_token"}
			}
			return nil
		}), nil
	case sasl.External:
		return sasl.NewExternalServer(func(identity string) error { return d.login("external "+identity, true) }), nil
	}
	return sasl.NewAnonymousServer(func(trace string) error { return d.login("anonymous "+trace, true) }), nil
}

func (d *dialogue) refused(what string) error {
	d.office.mu.Lock()
	defer d.office.mu.Unlock()
	if err := d.office.refuse[what]; err != nil {
		return err
	}
	return nil
}

func (d *dialogue) Mail(from string, _ *server.MailOptions) error {
	if !d.known && d.refused("anybody") != nil {
		return server.ErrAuthRequired
	}
	d.head = "from " + from
	return d.refused("MAIL")
}

func (d *dialogue) Rcpt(to string, _ *server.RcptOptions) error {
	if err := d.refused(to); err != nil {
		return err
	}
	d.head += " to " + to
	return nil
}

func (d *dialogue) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := d.refused("DATA"); err != nil {
		return err
	}
	d.office.mu.Lock()
	defer d.office.mu.Unlock()
	d.office.mails = append(d.office.mails, d.head+"\n"+strings.ReplaceAll(string(text), "\r\n", "\n"))
	return nil
}

func (d *dialogue) Reset()        {}
func (d *dialogue) Logout() error { return nil }

func (p *postOffice) read() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.mails
	p.mails = nil
	return out
}

// start starts the server at the address; implicit is TLS from the first byte. It returns what stops it.
func (p *postOffice) start(t *testing.T, addr string, config *tls.Config, implicit bool, most int64) (string, func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	s := server.NewServer(p)
	s.Domain, s.AllowInsecureAuth, s.TLSConfig, s.MaxMessageBytes, s.ErrorLog = "localhost", true, config, most, discard{}
	if implicit {
		l = tls.NewListener(l, config)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = s.Serve(l) }) // it ends when it is closed
	return addr, func() {
		_ = s.Close()
		running.Wait()
	}
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "smtp", Secrets: []string{password, "s3cretWrong", "AHNha2VyAHMzY3JldFdyb25n"}, Large: true, Open: open, Settings: settings,
		Start: func(t *testing.T, how sinktest.Security) sinktest.Peer {
			p := &postOffice{}
			var config *tls.Config
			if how.TLS != nil {
				config = how.TLS.Server(how.Mutual)
			}
			addr := servertest.Free(t)
			_, stop := p.start(t, addr, config, false, 0)
			peer := sinktest.Peer{Addr: addr, Read: p.read}
			peer.Stop = func() { stop() }
			peer.Start = func() { _, stop = p.start(t, addr, config, false, 0) }
			t.Cleanup(func() { stop() })
			return peer
		},
		Wrong:    setting.Values{"smtp.password": "s3cretWrong"},
		Variants: map[string]setting.Values{"text": {"smtp.outputformat": "text", "smtp.to": "one@example.org"}},
	}.Run(t)
}

// TestMechanisms authenticates in every way; a refusal is an error, and no mail is sent after it.
func TestMechanisms(t *testing.T) {
	p := &postOffice{refuse: map[string]*server.SMTPError{"anybody": {Code: 530}}}
	addr, stop := p.start(t, "127.0.0.1:0", nil, false, 0)
	defer stop()
	send := func(more setting.Values) error {
		v := settings(addr, false)
		for k, value := range more {
			v[k] = value
		}
		s, err := open(v)
		if err != nil {
			t.Fatal(err)
		}
		defer s.(route.Closer).Close(t.Context())
		return s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil)
	}
	for want, v := range map[string]setting.Values{
		"plain admin saker " + password: {"smtp.identity": "admin"},
		"oauthbearer saker":             {"smtp.authmechanism": "OAuthBearer", "smtp.token": "s3cretT0ken"},
		"external me":                   {"smtp.authmechanism": "external", "smtp.identity": "me"},
		"anonymous trace":               {"smtp.authmechanism": "anonymous", "smtp.trace": "trace"},
	} {
		p.logins = nil
		if err := send(v); err != nil || len(p.logins) != 1 || p.logins[0] != want || len(p.read()) != 1 {
			t.Errorf("%s: %v, %q", want, err, p.logins)
		}
	}
	for want, v := range map[string]setting.Values{
		"authenticating (plain)":       {"smtp.password": "s3cretWrong"},
		"authenticating (oauthbearer)": {"smtp.authmechanism": "oauthbearer", "smtp.token": "s3cretWrong"},
		"naming the sender":            {"smtp.authmechanism": "none"},
	} {
		err := send(v)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", want, err)
		}
		if got := p.read(); len(got) > 0 {
			t.Errorf("%s: a mail was sent: %q", want, got)
		}
	}
}

// TestRecipients refuses some: the others get the mail, and get it once.
func TestRecipients(t *testing.T) {
	p := &postOffice{refuse: map[string]*server.SMTPError{}}
	addr, stop := p.start(t, "127.0.0.1:0", nil, false, 0)
	defer stop()
	s, err := open(settings(addr, false))
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	a := sinktest.Samples()[0].Alert(t)
	heads := func() (out []string) {
		for _, m := range p.read() {
			head, _, _ := strings.Cut(m, "\n")
			out = append(out, head)
		}
		return out
	}
	set := func(what string, code int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.refuse, what)
		if code > 0 {
			p.refuse[what] = &server.SMTPError{Code: code, Message: "no"}
		}
	}
	for _, c := range []struct {
		what      string
		code      int
		ok        bool
		permanent bool
		heads     string
	}{
		{"two@example.org", 450, false, false, "from saker@example.org to one@example.org"},
		{"two@example.org", 450, false, false, ""},
		{"two@example.org", 0, true, false, "from saker@example.org to two@example.org"},
		{"two@example.org", 550, false, true, "from saker@example.org to one@example.org"},
		{"two@example.org", 0, true, false, "from saker@example.org to two@example.org"},
		{"MAIL", 550, false, true, ""},
		{"MAIL", 451, false, false, ""},
		{"MAIL", 530, false, false, ""}, // authentication required
		{"MAIL", 0, true, false, "from saker@example.org to one@example.org to two@example.org"},
		{"DATA", 554, false, true, ""},
		{"DATA", 452, false, false, ""},
		{"DATA", 0, true, false, "from saker@example.org to one@example.org to two@example.org"},
	} {
		set(c.what, c.code)
		err := s.Send(t.Context(), a, nil)
		if got := strings.Join(heads(), "; "); (err == nil) != c.ok || route.Permanent(err) != c.permanent || got != c.heads {
			t.Errorf("%s %d: %v (permanent %v), mails %q", c.what, c.code, err, route.Permanent(err), got)
		}
		if err != nil && !strings.Contains(err.Error(), "no") {
			t.Errorf("%v does not say what the server said", err)
		}
	}
}

// TestUTF8 needs a server that takes such addresses.
func TestUTF8(t *testing.T) {
	p := &postOffice{}
	addr, stop := p.start(t, "127.0.0.1:0", nil, false, 0)
	defer stop()
	v := settings(addr, false)
	v["smtp.to"] = "größe@example.org"
	s, err := open(v)
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	if err := s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil); !route.Permanent(err) || !strings.Contains(err.Error(), "SMTPUTF8") {
		t.Errorf("%v", err)
	}
}

// TestImplicit encrypts from the first byte, and does not send where it cannot encrypt.
func TestImplicit(t *testing.T) {
	cert := servertest.NewCertificates(t)
	p := &postOffice{}
	addr, stop := p.start(t, "127.0.0.1:0", cert.Server(false), true, 0)
	defer stop()
	v := settings(addr, true)
	v["smtp.tlsmode"], v["tlsclient.cacertfile"] = "implicit", cert.CA
	s, err := open(v)
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	if err := s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil); err != nil || len(p.read()) != 1 {
		t.Error(err)
	}
	bare, stopBare := p.start(t, "127.0.0.1:0", nil, false, 0)
	defer stopBare()
	if s, err = open(settings(bare, true)); err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	if err := s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil); err == nil || !strings.Contains(err.Error(), "beginning TLS") || len(p.read()) > 0 {
		t.Errorf("a server without TLS: %v", err)
	}
}

// TestSize keeps to the size that the server names.
func TestSize(t *testing.T) {
	p := &postOffice{}
	addr, stop := p.start(t, "127.0.0.1:0", nil, false, 20000)
	defer stop()
	s, err := open(settings(addr, false))
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	a := sinktest.Samples()[0].Alert(t)
	a.Output += strings.Repeat(" ö", 100_000)
	if err := s.Send(t.Context(), a, nil); err != nil {
		t.Fatal(err)
	}
	if got := p.read(); len(got) != 1 || !strings.Contains(got[0], "[...]") {
		t.Errorf("%.500q", got)
	}
}

// TestContents reads mails as a mail program does: an alert adds no header, no part and no address.
func TestContents(t *testing.T) {
	p := &postOffice{}
	addr, stop := p.start(t, "127.0.0.1:0", nil, false, 0)
	defer stop()
	s, err := open(settings(addr, false))
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	evil := sinktest.Samples()[0].Alert(t)
	evil.UUID = "x>\r\nBcc: evil@example.org"
	evil.Output = "subject\r\nBcc: evil@example.org\r\n\r\n--=_saker_part\r\nContent-Type: text/html\r\n\r\n.\r\nMAIL FROM:<x>\r\n=_saker_part--\n.\n"
	evil.Rule = "<script>alert(1)</script>"
	alerts := []*alert.Alert{evil}
	for _, sample := range sinktest.Samples() {
		alerts = append(alerts, sample.Alert(t))
	}
	for _, a := range alerts {
		if err := s.Send(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
		got := p.read()
		if len(got) != 1 {
			t.Fatalf("%d mails", len(got))
		}
		_, text, _ := strings.Cut(got[0], "\n")
		m, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Header) != 8 || len(m.Header["Subject"]) != 1 {
			t.Errorf("headers %q", m.Header)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if len(line) > 998 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
		if to, err := m.Header.AddressList("To"); err != nil || len(to) != 2 {
			t.Error(to, err)
		}
		if id := m.Header.Get("Message-Id"); a != evil && id != "<"+a.UUID+"@example.org>" || a == evil && id != "<xBcceviexampleorg@example.org>" && strings.ContainsAny(id, " \r\n") {
			t.Errorf("Message-ID %q", id)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil || !strings.HasPrefix(subject, "["+a.Priority.String()+"] ") {
			t.Error(subject, err)
		}
		_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		parts := multipart.NewReader(m.Body, params["boundary"])
		for _, kind := range []string{"text/plain", "text/html"} {
			part, err := parts.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(part))
			if err != nil || !strings.HasPrefix(part.Header.Get("Content-Type"), kind) || bytes.Contains(body, []byte("<script>")) && kind == "text/html" {
				t.Errorf("%v %v %q", err, part.Header, body)
			}
			if kind == "text/plain" && !strings.Contains(string(body), "\nRule: "+a.Rule+"\n") {
				t.Errorf("%q", body)
			}
		}
		if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
			t.Errorf("a third part, %v", err)
		}
	}
}

func TestConfig(t *testing.T) {
	for key, value := range map[string]string{"hostport": "host", "from": "nobody", "to": "a@b, c", "authmechanism": "ntlm", "outputformat": "rtf", "tlsmode": "none"} {
		v := settings("127.0.0.1:25", true)
		v["smtp."+key] = value
		if _, err := open(v); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %s: %v", key, value, err)
		}
	}
	v := settings("127.0.0.1:25", true)
	v["smtp.from"] = "a@b\r\nBcc: c@d"
	if _, err := open(v); err == nil {
		t.Error("a sender with a line feed is taken")
	}
}

// deliverAll sends all samples, and waits until a mail of each is in a directory.
func deliverAll(t *testing.T, v setting.Values, stored string) {
	t.Helper()
	s, err := open(v)
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	for _, sample := range sinktest.Samples() {
		if err := s.Send(t.Context(), sample.Alert(t), nil); err != nil {
			t.Fatalf("%s: %v", sample.Name, err)
		}
	}
	_, domain, _ := strings.Cut(strings.TrimRight(v["smtp.from"], ">"), "@")
	servertest.Await(t, "storing", func() error {
		files, err := filepath.Glob(stored)
		var all strings.Builder
		for _, f := range files {
			text, readErr := os.ReadFile(f)
			err = errors.Join(err, readErr)
			all.Write(text)
		}
		for _, sample := range sinktest.Samples() {
			if id := "<" + sample.Alert(t).UUID + "@" + domain + ">"; strings.Count(all.String(), id) != 1 {
				err = errors.Join(err, fmt.Errorf("%s is there %d times", id, strings.Count(all.String(), id)))
			}
		}
		return err
	})
}

// TestOpenSMTPD sends to a real server, without TLS: Debian's cannot do it with its OpenSSL ("EVP lib").
func TestOpenSMTPD(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("smtpd must be started by root")
	}
	if _, err := os.Stat("/run/smtpd.sock"); err == nil {
		t.Skip("an smtpd is running: its socket cannot be used twice")
	}
	dir, mails, addr := servertest.Dir(t, ""), servertest.Dir(t, "nobody"), servertest.Free(t)
	path := servertest.Write(t, dir, "smtpd.conf", `listen on 127.0.0.1 port `+servertest.Port(t, addr)+` hostname localhost
action store maildir "`+mails+`/mail" user nobody
match from any for any action store
`)
	servertest.Run(t, servertest.Program{Package: "opensmtpd", Path: "smtpd", Args: []string{"-d", "-f", path}, Addr: addr})
	v := settings(addr, false)
	v["smtp.authmechanism"], v["smtp.to"] = "none", "nobody@localhost"
	v["smtp.from"] = fmt.Sprintf("saker@%d.example.org", time.Now().UnixNano()) // the spool is the machine's, and may hold mails of an earlier run
	deliverAll(t, v, mails+"/mail/new/*")
}

// TestAiosmtpd sends to another real server, with STARTTLS, which it wants.
func TestAiosmtpd(t *testing.T) {
	if _, err := os.Stat("/usr/lib/python3/dist-packages/aiosmtpd"); err != nil {
		t.Skip("aiosmtpd is not installed: the Debian package python3-aiosmtpd has it")
	}
	cert := servertest.NewCertificates(t)
	dir, addr := servertest.Dir(t, ""), servertest.Free(t)
	servertest.Run(t, servertest.Program{Package: "python3-aiosmtpd", Path: "/usr/bin/python3", Args: []string{
		"-m", "aiosmtpd", "-n", "-l", addr, "--tlscert", cert.ServerCert, "--tlskey", cert.ServerKey, "-c", "aiosmtpd.handlers.Mailbox", dir + "/mail",
	}, Addr: addr})
	v := settings(addr, true)
	v["smtp.authmechanism"], v["tlsclient.cacertfile"] = "none", cert.CA
	deliverAll(t, v, dir+"/mail/new/*")
}
