package syslogremote_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/syslogremote"
)

func open(v setting.Values) (route.Sink, error) { return setting.Open("syslog", v, syslogremote.New) }

func settings(addr string, tls bool) setting.Values {
	host, port, _ := net.SplitHostPort(addr)
	v := setting.Values{"syslog.host": host, "syslog.port": port}
	if tls {
		v["syslog.protocol"] = "tls"
	}
	return v
}

// record reads a message: up to a line feed, or as many octets as are announced (RFC 6587, section 3.4).
func record(r *bufio.Reader) (string, error) {
	first, err := r.Peek(1)
	if err != nil || first[0] == '<' {
		line, err := r.ReadString('\n')
		return line, err
	}
	count, err := r.ReadString(' ')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(count[:len(count)-1])
	if err != nil {
		return "", err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	return count + string(text), err
}

// blur replaces what belongs to the machine and the process.
func blur(text string) string {
	host, _ := os.Hostname()
	text = strings.NewReplacer(" "+host+" Falco", " THIS Falco", " "+strconv.Itoa(os.Getpid())+" ", " PID ", "["+strconv.Itoa(os.Getpid())+"]", "[PID]").Replace(text)
	return regexp.MustCompile(`^\d+ `).ReplaceAllString(text, "COUNT ") // the machine's name is in it
}

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "syslog", Large: true, Open: open, Settings: settings, Record: record, Blur: blur,
		Variants: map[string]setting.Values{
			"cef":     {"syslog.format": "cef", "syslog.facility": "local0"},
			"rfc5424": {"syslog.rfc": "5424", "syslog.framing": "octets", "syslog.facility": "auth"},
			"small":   {"syslog.maxsize": "1024"},
		},
	}.Run(t)
}

// udp receives datagrams.
func udp(t *testing.T) (*net.UDPConn, string) {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, c.LocalAddr().String()
}

func receive(t *testing.T, c *net.UDPConn) string {
	t.Helper()
	b := make([]byte, 1<<16)
	c.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// TestDatagrams sends one for each alert, as large as a server takes whole. What is cut is still JSON and says so.
func TestDatagrams(t *testing.T) {
	c, addr := udp(t)
	for rfc, size := range map[string]int{"3164": 0, "5424": 1024} {
		v := settings(addr, false)
		v["syslog.protocol"], v["syslog.rfc"], v["syslog.maxsize"] = "udp", rfc, fmt.Sprint(size)
		s, err := open(v)
		if err != nil {
			t.Fatal(err)
		}
		if size == 0 {
			size = 8192
		}
		hostile := large()
		hostile.Output = strings.Repeat("\x01", 10_000) // six bytes each in JSON
		alerts := []*alert.Alert{large(), hostile}
		for _, sample := range sinktest.Samples() {
			alerts = append(alerts, sample.Alert(t))
		}
		for _, a := range alerts {
			whole := len(a.AppendSidekick(nil))
			if err := s.Send(t.Context(), a, nil); err != nil {
				t.Errorf("%s: %v", a.Rule, err)
				continue
			}
			text := receive(t, c)
			at := strings.IndexByte(text, '{')
			if len(text) > size+1 || !strings.HasPrefix(text, "<") || at < 0 {
				t.Fatalf("%d bytes: %.300q", len(text), text)
			}
			got, err := alert.Decode([]byte(text[at:]))
			if err != nil {
				t.Errorf("%v: %.600q", err, text)
				continue
			}
			if got.UUID != a.UUID || got.Priority != a.Priority {
				t.Errorf("got %+v", got)
			}
			if cut := strings.Contains(text, "[...]"); cut != (whole+60 > size) && whole < size-100 {
				t.Errorf("cut %v: %q", cut, text)
			}
		}
		if err := s.(route.Closer).Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// large is an alert whose names and number of fields no datagram holds.
func large() *alert.Alert {
	a := &alert.Alert{UUID: "6f1b7c1e-0000-4000-8000-000000000099", Time: time.Unix(0, 0), Rule: strings.Repeat("rule ", 3000), Output: strings.Repeat("ü\"", 100_000), Source: "syscall"}
	for i := range 1000 {
		a.Fields = append(a.Fields, alert.Field{Key: fmt.Sprintf("field.%d.%s", i, strings.Repeat("k", 100)), Value: alert.Value{Kind: alert.Text, Text: strings.Repeat("v", i)}})
		a.Tags = append(a.Tags, fmt.Sprint("tag", i))
	}
	return a
}

// TestCEF escapes what would end a value or begin another.
func TestCEF(t *testing.T) {
	c, addr := udp(t)
	v := settings(addr, false)
	v["syslog.protocol"], v["syslog.format"] = "udp", "cef"
	s, err := open(v)
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	a := &alert.Alert{
		UUID: "u", Time: time.Unix(0, 0), Rule: "a|b\\c\nd=e", Output: "x=1|y\\ z\r\nmsg=evil", Source: "syscall", Priority: alert.Critical, Hostname: "h=1",
		Fields: []alert.Field{{Key: "b", Value: alert.Value{Kind: alert.Text, Text: "2 source=evil"}}, {Key: "a", Value: alert.Value{Kind: alert.Int, Num: 1}}}, Tags: []string{"t=1", "u"},
	}
	if err := s.Send(t.Context(), a, nil); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(strings.TrimSuffix(receive(t, c), "\n"), "]: ")
	if want := `CEF:0|Falcosecurity|Falco|1.0|Falco Event|a\|b\\c d=e|8|uuid=u start=1970-01-01T00:00:00Z msg=x\=1|y\\ z\r\nmsg\=evil source=syscall hostname=h\=1 outputfields=a:1 b:2 source\=evil tags=t\=1,u`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestUDPRefused is told that nobody listens when it sends again; what it could not send is an error.
func TestUDPRefused(t *testing.T) {
	c, addr := udp(t)
	v := settings(addr, false)
	v["syslog.protocol"] = "udp"
	s, err := open(v)
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	c.Close()
	a := sinktest.Samples()[0].Alert(t)
	servertest.Await(t, "an error", func() error {
		if err := s.Send(t.Context(), a, nil); err != nil {
			if route.Permanent(err) || !strings.Contains(err.Error(), "syslog: sending to udp://"+addr) {
				t.Error(err)
			}
			return nil
		}
		return fmt.Errorf("none")
	})
}

func TestConfig(t *testing.T) {
	for key, value := range map[string]string{"protocol": "sctp", "format": "leef", "rfc": "5425", "framing": "nul", "facility": "local8", "port": "x", "maxsize": "100"} {
		v := setting.Values{"syslog.host": "h", "syslog." + key: value}
		if _, err := open(v); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %s: %v", key, value, err)
		}
	}
}

func TestLargest(t *testing.T) {
	c, addr := udp(t)
	v := settings(addr, false)
	v["syslog.protocol"], v["syslog.maxsize"] = "udp", "65507"
	if _, err := open(v); err == nil || !strings.Contains(err.Error(), "at most 65506") {
		t.Error(err)
	}
	v["syslog.maxsize"] = "65506"
	s, err := open(v)
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	if err := s.Send(t.Context(), large(), nil); err != nil {
		t.Fatal(err)
	}
	if n := len(receive(t, c)); n < 20_000 {
		t.Errorf("%d bytes", n)
	}
}

// TestRsyslog sends to a real server in every form, and reads what it has stored.
func TestRsyslog(t *testing.T) {
	cert := servertest.NewCertificates(t)
	for _, c := range []struct {
		name, input string
		values      setting.Values
	}{
		{"udp", `module(load="imudp") input(type="imudp" address="127.0.0.1" port="PORT")`, setting.Values{"syslog.protocol": "udp"}},
		{"tcp", `module(load="imtcp") input(type="imtcp" address="127.0.0.1" port="PORT")`, setting.Values{}},
		{"tcp5424", `module(load="imtcp") input(type="imtcp" address="127.0.0.1" port="PORT")`, setting.Values{"syslog.rfc": "5424", "syslog.framing": "octets"}},
		{
			"tls", `module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon") input(type="imtcp" address="127.0.0.1" port="PORT")`,
			setting.Values{"syslog.protocol": "tls", "syslog.rfc": "5424", "tlsclient.cacertfile": cert.CA},
		},
		{
			"mutual", `module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid") input(type="imtcp" address="127.0.0.1" port="PORT")`,
			setting.Values{"syslog.protocol": "tls", "syslog.mutualtls": "true", "mutualtlsfilespath": cert.Dir},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Contains(c.input, "gtls") {
				if found, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_gtls.so"); len(found) == 0 {
					t.Skip("TLS for rsyslog is not installed: the Debian package rsyslog-gnutls has it")
				}
			}
			dir := servertest.Dir(t, "")
			addr := servertest.Free(t)
			out := dir + "/out"
			config := `global(workDirectory="` + dir + `" maxMessageSize="64k" defaultNetstreamDriverCAFile="` + cert.CA + `" defaultNetstreamDriverCertFile="` + cert.ServerCert +
				`" defaultNetstreamDriverKeyFile="` + cert.ServerKey + "\")\n" + strings.ReplaceAll(c.input, "PORT", servertest.Port(t, addr)) + "\n" +
				`template(name="all" type="string" string="%pri% %timereported:::date-rfc3339% %programname% %msg%\n")` + "\n" +
				`action(type="omfile" file="` + out + `" template="all")` + "\n"
			path := servertest.Write(t, dir, "rsyslog.conf", config)
			p := servertest.Program{Package: "rsyslog", Path: "rsyslogd", Args: []string{"-n", "-f", path, "-i", dir + "/pid"}, Addr: addr}
			if c.name == "udp" {
				p.Ready = udpReady(dir + "/pid")
			}
			server := servertest.Run(t, p)
			v := settings(addr, false)
			for k, value := range c.values {
				v[k] = value
			}
			s, err := open(v)
			if err != nil {
				t.Fatal(err)
			}
			defer s.(route.Closer).Close(t.Context())
			var want []string
			send := func(a *alert.Alert) {
				servertest.Await(t, "sending", func() error { return s.Send(t.Context(), a, nil) })
				want = append(want, a.UUID)
			}
			for _, sample := range sinktest.Samples() {
				send(sample.Alert(t))
			}
			arrived := func() error {
				text, err := os.ReadFile(out)
				for _, id := range want {
					if err == nil && !strings.Contains(string(text), id) {
						err = fmt.Errorf("%s has not arrived: %.500s", id, text)
					}
				}
				return err
			}
			servertest.Await(t, "arriving", arrived)
			if c.name != "udp" {
				server.Stop()
				server.Start(t)
				a := sinktest.Samples()[0].Alert(t)
				a.UUID = "6f1b7c1e-0000-4000-8000-0000000000ff"
				send(a)
				servertest.Await(t, "arriving after a restart", arrived)
			}
			text, _ := os.ReadFile(out)
			pri := "4 " // kern.warning
			if line, _, _ := strings.Cut(string(text), "\n"); !strings.HasPrefix(line, pri+"2026-11-23T18:46:58") || !strings.Contains(line, " Falco ") {
				t.Errorf("stored as %s", line)
			}
		})
	}
}

// udpReady waits for a file that the server writes when it is ready: a datagram would be stored.
func udpReady(path string) func(context.Context) error {
	return func(context.Context) error {
		_, err := os.Stat(path)
		return err
	}
}
