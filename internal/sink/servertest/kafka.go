package servertest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// Kafka is a broker of Kafka in this process, behind a proxy: it tells clients the proxy's address.
type Kafka struct {
	Proxy *Proxy

	addr, user, password, topic string
	cert                        *Certificates
	options                     []kfake.Opt
	cluster                     *kfake.Cluster
	next                        int64
}

// StartKafka starts a broker with a topic of one partition and one user, known to all ways to log in, with TLS when there are
// certificates.
func StartKafka(t testing.TB, user, password, topic string, cert *Certificates, mutual bool) *Kafka {
	t.Helper()
	k := &Kafka{addr: Free(t), user: user, password: password, topic: topic, cert: cert}
	k.Proxy = NewProxy(t, k.addr)
	k.options = []kfake.Opt{
		kfake.NumBrokers(1), kfake.SeedTopics(1, topic), kfake.EnableSASL(), kfake.Superuser("PLAIN", user, password),
		kfake.Superuser("SCRAM-SHA-256", user, password), kfake.Superuser("SCRAM-SHA-512", user, password),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, k.addr)
			return advertised{l, k.Proxy.listener.Addr()}, err
		}),
	}
	if cert != nil {
		k.options = append(k.options, kfake.TLS(cert.Server(mutual)))
	}
	t.Cleanup(k.Stop)
	k.Start(t)
	return k
}

// advertised is a listener that says that it listens elsewhere.
type advertised struct {
	net.Listener
	addr net.Addr
}

// Addr returns the address that clients are told.
func (a advertised) Addr() net.Addr { return a.addr }

// Start starts the broker when it is stopped, without what it had.
func (k *Kafka) Start(t testing.TB) {
	t.Helper()
	if k.cluster != nil {
		return
	}
	var err error
	if k.cluster, err = kfake.NewCluster(k.options...); err != nil {
		t.Fatal(err)
	}
	k.next = 0
}

// Stop stops the broker.
func (k *Kafka) Stop() {
	if k.cluster != nil {
		k.cluster.Close()
		k.Proxy.Reset()
		k.cluster = nil
	}
}

// Read returns what was produced since the last call, each with its key.
func (k *Kafka) Read(t testing.TB) (out []string) {
	t.Helper()
	end := k.cluster.PartitionInfo(k.topic, 0).HighWatermark
	if end == k.next {
		return nil
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(k.addr), kgo.SASL(plain.Auth{User: k.user, Pass: k.password}.AsMechanism()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{k.topic: {0: kgo.NewOffset().At(k.next)}}),
	}
	if k.cert != nil {
		dialer := &tls.Dialer{Config: k.cert.Client()}
		options = append(options, kgo.Dialer(dialer.DialContext))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for k.next < end {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			out = append(out, fmt.Sprintf("%s/%d %s %s", r.Topic, r.Partition, r.Key, r.Value))
			k.next = r.Offset + 1
		})
	}
	return out
}
