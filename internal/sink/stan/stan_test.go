package stan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) { return setting.Open("stan", v, New) }

func settings(addr string, tls bool) setting.Values {
	scheme := "nats"
	if tls {
		scheme = "tls"
	}
	return setting.Values{
		"stan.hostport": scheme + "://saker:s3cretPassword@" + addr, "stan.clusterid": "test", "stan.clientid": "saker", "stan.subjecttemplate": "falco.alerts",
	}
}

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "stan", Secrets: []string{"s3cretPassword", "s3cretWrong"}, Address: "stan.hostport", Open: open,
		Start: func(t *testing.T, how sinktest.Security) sinktest.Peer {
			s := servertest.StartSTAN(t, "saker", "s3cretPassword", how.TLS, how.Mutual)
			r := &reader{addr: s.Addr, cert: how.TLS}
			return sinktest.Peer{Addr: s.Addr, Stop: s.Stop, Start: func() { s.Start(t); r.seen = 0 }, Read: func() []string { return r.read(t) }}
		},
		Settings: settings,
		Wrong:    setting.Values{"stan.hostport": "nats://saker:s3cretWrong@SERVER"},
	}.Run(t)
}

// reader reads a channel. The server loses what it has when it is stopped.
type reader struct {
	addr string
	cert *servertest.Certificates
	seen uint64
}

// read returns what was published since the last call: all up to a mark of its own.
func (r *reader) read(t *testing.T) (out []string) {
	options := []nats.Option{nats.UserInfo("saker", "s3cretPassword"), nats.Timeout(time.Minute)}
	if r.cert != nil {
		options = append(options, nats.Secure(r.cert.Client()))
	}
	conn, err := nats.Connect("nats://"+r.addr, options...)
	if err != nil {
		t.Fatal(err)
	}
	s := &Sink{cfg: Config{ClusterID: "test", ClientID: "reader"}}
	c, err := s.register(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	inbox, err := conn.SubscribeSync("inbox")
	if err != nil {
		t.Fatal(err)
	}
	// A subscription's subject is in field 2 of the server's answer, beside that to publish to.
	m, err := conn.RequestWithContext(t.Context(), "_STAN.discover.test", message(nil).text(1, "second").text(2, conn.NewInbox()).text(4, "second"))
	if err != nil {
		t.Fatal(err)
	}
	texts, _, err := message(m.Data).fields()
	if err != nil {
		t.Fatal(err)
	}
	conn.PublishMsg(&nats.Msg{Subject: c.prefix + ".falco.alerts", Reply: c.inbox + ".0", Data: message(nil).text(1, c.client).text(2, "mark").text(3, "falco.alerts").text(5, "mark").text(6, c.id)})
	subscription := message(nil).text(1, c.client).text(2, "falco.alerts").text(4, "inbox").number(5, 100_000).number(6, 60).number(10, 4)
	if m, err = conn.RequestWithContext(t.Context(), texts[2], subscription); err != nil {
		t.Fatal(err)
	}
	if texts, _, err = message(m.Data).fields(); err != nil || texts[3] != "" {
		t.Fatal(err, texts)
	}
	for {
		m, err := inbox.NextMsg(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		texts, numbers, err := message(m.Data).fields()
		if err != nil {
			t.Fatal(err)
		}
		if numbers[1] <= r.seen {
			continue
		}
		r.seen = numbers[1]
		if texts[4] != "mark" {
			out = append(out, texts[2]+" "+texts[4])
			continue
		}
		for _, name := range []string{"second", c.client} {
			// The answer is awaited: the server ends sessions by name, and would end that of the next call.
			if _, err := conn.RequestWithContext(t.Context(), c.bye, message(nil).text(1, name)); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
}

// TestSecond opens two sinks with the same name, and one for a cluster that is not there.
func TestSecond(t *testing.T) {
	server := servertest.StartSTAN(t, "saker", "s3cretPassword", nil, false)
	r := &reader{addr: server.Addr}
	var want []string
	for i := range 2 {
		s, err := open(settings(server.Addr, false))
		if err != nil {
			t.Fatal(err)
		}
		defer s.(route.Closer).Close(t.Context())
		a := sinktest.Samples()[i].Alert(t)
		if err := s.Send(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
		want = append(want, "falco.alerts "+string(a.AppendSidekick(nil)))
	}
	if got := r.read(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	v := settings(server.Addr, false)
	v["stan.clusterid"] = "other"
	s, err := open(v)
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	if err := s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "clusterid") {
		t.Errorf("another cluster: %v", err)
	}
}

// FuzzFields reads what a server could send.
func FuzzFields(f *testing.F) {
	f.Add([]byte(message(nil).text(1, "a").number(3, 300).text(100, "b")))
	f.Fuzz(func(t *testing.T, data []byte) {
		texts, numbers, err := message(data).fields()
		if err == nil && len(data) > 0 && len(texts)+len(numbers) == 0 {
			t.Error("nothing is read")
		}
	})
}
