package mqtt_test

import (
	"errors"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/mqtt"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) { return setting.Open("mqtt", v, mqtt.New) }

func settings(addr string, tls bool) setting.Values {
	v := setting.Values{"mqtt.broker": "tcp://" + addr, "mqtt.user": "saker", "mqtt.password": "s3cretPassword"}
	if tls {
		v["mqtt.broker"] = "ssl://" + addr
	}
	return v
}

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "mqtt", Secrets: []string{"s3cretPassword", "s3cretWrong"}, Address: "mqtt.broker", Open: open, Large: true,
		Start: func(t *testing.T, how sinktest.Security) sinktest.Peer {
			m := servertest.StartMosquitto(t, "saker", "s3cretPassword", how.TLS, how.Mutual)
			return sinktest.Peer{Addr: m.Addr, Stop: m.Stop, Start: func() { m.Start(t) }, Read: func() []string { return m.Read(t) }}
		},
		Settings: settings,
		Wrong:    setting.Values{"mqtt.password": "s3cretWrong"},
		Variants: map[string]setting.Values{"twice": {"mqtt.broker": "mqtt://saker:s3cretPassword@SERVER", "mqtt.user": "", "mqtt.qos": "2", "mqtt.topic": "security/alerts"}},
	}.Run(t)
}

// TestLargest refuses what the broker would hang up for, and nothing else.
func TestLargest(t *testing.T) {
	m := servertest.StartMosquitto(t, "saker", "s3cretPassword", nil, false)
	v := settings(m.Addr, false)
	v["mqtt.maxmessagebytes"], v["mqtt.qos"] = "5000", "0"
	s, err := open(v)
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	if err := s.Send(t.Context(), sinktest.Samples()[5].Alert(t), nil); !route.Permanent(err) {
		t.Errorf("a large alert: %v", err)
	}
	if err := s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil); err != nil {
		t.Error(err)
	}
	servertest.Await(t, "the alert arrives", func() error {
		if len(m.Read(t)) == 0 {
			return errors.New("nothing has arrived")
		}
		return nil
	})
}
