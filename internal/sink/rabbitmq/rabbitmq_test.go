package rabbitmq_test

import (
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/rabbitmq"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) { return setting.Open("rabbitmq", v, rabbitmq.New) }

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "rabbitmq", Secrets: []string{"s3cretPassword", "s3cretWrong"}, Address: "rabbitmq.url", Open: open,
		Start: func(t *testing.T, how sinktest.Security) sinktest.Peer {
			r := servertest.StartRabbitMQ(t, "saker", "s3cretPassword", "alerts", how.TLS, how.Mutual)
			if how.TLS == nil {
				queue(t, r.Addr)
			}
			return sinktest.Peer{Addr: r.Addr, Stop: r.Stop, Start: func() { r.Start(t) }, Read: func() []string { return r.Read(t) }}
		},
		Settings: func(addr string, tls bool) setting.Values {
			scheme := "amqp"
			if tls {
				scheme = "amqps"
			}
			return setting.Values{"rabbitmq.url": scheme + "://saker:s3cretPassword@" + addr + "/", "rabbitmq.queue": "alerts"}
		},
		Wrong: setting.Values{"rabbitmq.url": "amqp://saker:s3cretWrong@SERVER/"},
	}.Run(t)
}

// queue sends to a queue that is not there.
func queue(t *testing.T, addr string) {
	s, err := open(setting.Values{"rabbitmq.url": "amqp://saker:s3cretPassword@" + addr, "rabbitmq.queue": "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	err = s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil)
	if err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "NO_ROUTE") {
		t.Errorf("a queue that is not there: %v", err)
	}
}
