package nats_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/nats"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) { return setting.Open("nats", v, nats.New) }

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "nats", Secrets: []string{"s3cretPassword", "s3cretWrong"}, Address: "nats.hostport", Open: open,
		Start: func(t *testing.T, how sinktest.Security) sinktest.Peer {
			n := servertest.StartNATS(t, "saker", "s3cretPassword", how.TLS, how.Mutual)
			return sinktest.Peer{Addr: n.Addr, Stop: n.Stop, Start: func() { n.Start(t) }, Read: func() []string { return read(t, n) }}
		},
		Settings: func(addr string, tls bool) setting.Values {
			if tls {
				return setting.Values{"nats.hostport": "tls://saker:s3cretPassword@" + addr}
			}
			return setting.Values{"nats.hostport": "nats://saker:s3cretPassword@" + addr}
		},
		Wrong:    setting.Values{"nats.hostport": "nats://saker:s3cretWrong@SERVER"},
		Variants: map[string]setting.Values{"subject": {"nats.subjecttemplate": "falco.alerts"}},
	}.Run(t)
}

// read returns what was published since the last call.
func read(t *testing.T, n *servertest.NATS) (out []string) {
	if err := n.Conn.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := n.All.NextMsg(time.Millisecond)
		if errors.Is(err, natsgo.ErrTimeout) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(m.Subject, "falco.") {
			out = append(out, m.Subject+" "+string(m.Data))
		}
	}
}
