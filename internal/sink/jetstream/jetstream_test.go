package jetstream_test

import (
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go/jetstream"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/jetstream"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) { return setting.Open("jetstream", v, jetstream.New) }

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "jetstream", Secrets: []string{"s3cretPassword", "s3cretWrong"}, Address: "jetstream.hostport", Open: open,
		Start: func(t *testing.T, how sinktest.Security) sinktest.Peer {
			n := servertest.StartNATS(t, "saker", "s3cretPassword", how.TLS, how.Mutual)
			return sinktest.Peer{Addr: n.Addr, Stop: n.Stop, Start: func() { n.Start(t) }, Read: func() []string { return read(t, n) }}
		},
		Settings: func(addr string, tls bool) setting.Values {
			if tls {
				return setting.Values{"jetstream.hostport": "tls://saker:s3cretPassword@" + addr}
			}
			return setting.Values{"jetstream.hostport": "nats://saker:s3cretPassword@" + addr}
		},
		Wrong:    setting.Values{"jetstream.hostport": "nats://saker:s3cretWrong@SERVER"},
		Variants: map[string]setting.Values{"subject": {"jetstream.subjecttemplate": "other.<priority>.x", "jetstream.stream": "other"}},
	}.Run(t)
}

func stream(t *testing.T, n *servertest.NATS) natsgo.JetStream {
	js, err := natsgo.New(n.Conn, natsgo.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// read takes what the streams have stored.
func read(t *testing.T, n *servertest.NATS) (out []string) {
	js := stream(t, n)
	list := js.ListStreams(t.Context())
	for info := range list.Info() {
		s, err := js.Stream(t.Context(), info.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		for i := info.State.FirstSeq; i <= info.State.LastSeq; i++ {
			m, err := s.GetMsg(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, info.Config.Name+" "+m.Subject+" "+m.Header.Get("Nats-Msg-Id")+" "+string(m.Data))
		}
		if err := s.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestStream sends an alert twice, and to streams that others have made or nobody has.
func TestStream(t *testing.T) {
	n := servertest.StartNATS(t, "saker", "s3cretPassword", nil, false)
	js := stream(t, n)
	if err := n.All.Unsubscribe(); err != nil { // or the test itself would be somebody who could answer
		t.Fatal(err)
	}
	a := sinktest.Samples()[0].Alert(t)
	sink := func(more setting.Values) route.Sink {
		v := setting.Values{"jetstream.hostport": "saker:s3cretPassword@" + n.Addr}
		for k, x := range more {
			v[k] = x
		}
		s, err := open(v)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.(route.Closer).Close(t.Context()) })
		return s
	}
	if err := sink(setting.Values{"jetstream.createstream": "false"}).Send(t.Context(), a, nil); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "no stream takes") {
		t.Errorf("no stream: %v", err)
	}
	s := sink(nil)
	for range 2 {
		if err := s.Send(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, n); len(got) != 1 || !strings.HasPrefix(got[0], "falco falco.warning.read_sensitive_file_untrusted "+a.UUID) {
		t.Errorf("%q", got)
	}
	if err := js.DeleteStream(t.Context(), "falco"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), natsgo.StreamConfig{Name: "theirs", Subjects: []string{"falco.>"}, MaxMsgSize: 5000}); err != nil {
		t.Fatal(err)
	}
	if err := sink(nil).Send(t.Context(), a, nil); err != nil {
		t.Errorf("a stream of somebody else: %v", err)
	}
	if err := sink(nil).Send(t.Context(), sinktest.Samples()[5].Alert(t), nil); !route.Permanent(err) {
		t.Errorf("more than the stream takes: %v", err)
	}
}
