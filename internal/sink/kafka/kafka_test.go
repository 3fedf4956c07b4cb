package kafka_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/kafka"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) { return setting.Open("kafka", v, kafka.New) }

func settings(addr string, tls bool) setting.Values {
	v := setting.Values{"kafka.hostport": addr, "kafka.topic": "falco", "kafka.sasl": "PLAIN", "kafka.username": "saker", "kafka.password": "s3cretPassword"}
	if tls {
		v["kafka.tls"] = "true"
	}
	return v
}

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "kafka", Secrets: []string{"s3cretPassword", "s3cretWrong"}, Address: "kafka.hostport", Open: open,
		Start: func(t *testing.T, how sinktest.Security) sinktest.Peer {
			k := servertest.StartKafka(t, "saker", "s3cretPassword", "falco", how.TLS, how.Mutual)
			return sinktest.Peer{Addr: k.Proxy.Addr, Proxy: k.Proxy, Stop: k.Stop, Start: func() { k.Start(t) }, Read: func() []string { return k.Read(t) }}
		},
		Settings: settings,
		Wrong:    setting.Values{"kafka.password": "s3cretWrong"},
		Variants: map[string]setting.Values{
			"scram256": {"kafka.sasl": "SCRAM_SHA256", "kafka.compression": "GZIP", "kafka.balancer": "crc32_random", "kafka.clientid": "x", "kafka.requiredacks": "ONE"},
			"scram512": {"kafka.sasl": "SCRAM_SHA512", "kafka.compression": "ZSTD", "kafka.balancer": "hash", "kafka.async": "true", "kafka.idempotent": "false"},
			"lz4":      {"kafka.compression": "LZ4", "kafka.balancer": "least_bytes"},
			"snappy":   {"kafka.compression": "SNAPPY", "kafka.balancer": "murmur2_random"},
		},
	}.Run(t)
}

// TestTopic produces to a topic that is not there.
func TestTopic(t *testing.T) {
	k := servertest.StartKafka(t, "saker", "s3cretPassword", "other", nil, false)
	v := settings(k.Proxy.Addr, false)
	v["kafka.timeout"] = "5s"
	s, err := open(v)
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	if err := s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil); err == nil || route.Permanent(err) {
		t.Errorf("a topic that is not there: %v", err)
	} else {
		t.Log(err)
	}
}
