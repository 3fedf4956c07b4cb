// Package kafka produces alerts to a topic of Kafka, as Falcosidekick's JSON with the uuid as key.
//
// An alert counts as delivered when as many brokers as requiredacks asks for have it; with NONE, which is Falcosidekick's
// default, it is lost when the connection breaks, so the default here is ALL. Producing is idempotent with ALL, unless that is
// turned off: what is sent again on one connection is stored once. It differs from Falcosidekick in that too, in own
// authorities and client certificates, OAUTHBEARER, and that async, by which Falcosidekick does not wait for the brokers, only
// means that alerts may be sent together. An alert that is larger than a message may be is refused for good.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"hash/crc32"
	"hash/fnv"
	"net"
	"net/url"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	HostPort    string           // hostport: brokers to ask first, with commas; the destination is off without
	Topic       string           // topic
	SASL        string           // sasl: none, plain, scram_sha256, scram_sha512, oauthbearer
	Encrypt     bool             // tls: encrypt connections; implied by mutualtls
	Username    string           // username
	Password    string           // password
	Token       string           // token: of oauthbearer
	Balancer    string           // balancer: which partition an alert goes to
	ClientID    string           // clientid
	Compression string           // compression: none, gzip, snappy, lz4, zstd
	Async       bool             // async: taken, without effect
	Acks        string           // requiredacks: all, one, none
	Idempotent  bool             // idempotent: with all
	Create      bool             // topiccreation: let the brokers make the topic
	Largest     int              // maxmessagebytes: of a batch of alerts, hence of one
	TLS         httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys, and some of ours: token, idempotent, maxmessagebytes.
func (c *Config) Settings() setting.List {
	return append(c.TLS.Settings(),
		setting.Text("hostport", &c.HostPort, "", "brokers to ask first: host:port, with commas between them").Secret().Required(),
		setting.Text("topic", &c.Topic, "", "topic").Required(),
		setting.Choice("sasl", &c.SASL, "how to log in", "none", "plain", "scram_sha256", "scram_sha512", "oauthbearer"),
		setting.Bool("tls", &c.Encrypt, false, "encrypt connections"),
		setting.Text("username", &c.Username, "", "user"),
		setting.Text("password", &c.Password, "", "password").Secret(),
		setting.Text("token", &c.Token, "", "token, for oauthbearer").Secret(),
		setting.Choice("balancer", &c.Balancer, "which partition an alert goes to", "round_robin", "hash", "least_bytes", "murmur2", "murmur2_random", "crc32", "crc32_random"),
		setting.Text("clientid", &c.ClientID, "", "name of the client, in logs of the brokers"),
		setting.Choice("compression", &c.Compression, "how alerts are compressed", "none", "gzip", "snappy", "lz4", "zstd"),
		setting.Bool("async", &c.Async, false, "has no effect: the brokers' answers are always waited for"),
		setting.Choice("requiredacks", &c.Acks, "which brokers must have an alert", "all", "one", "none"),
		setting.Bool("idempotent", &c.Idempotent, true, "brokers recognise what is sent again; needs requiredacks all"),
		setting.Bool("topiccreation", &c.Create, false, "let the brokers make the topic"),
		setting.Int("maxmessagebytes", &c.Largest, 1000012, 1024, "bytes of the largest message that the brokers take; a larger alert is refused for good"),
	)
}

// Sink produces alerts.
type Sink struct {
	options []kgo.Opt
	tls     *tls.Config // nil is no encryption
	link    *wire.Link[connection]
}

// connection is a client and what breaks its connections off, which the client itself would wait for.
type connection struct {
	*kgo.Client
	cut context.CancelFunc
}

func (c connection) hangUp() {
	c.cut()
	c.Close()
}

// New returns a sink. It fails when an address or a certificate cannot be used. It does not connect.
func New(cfg Config) (*Sink, error) {
	addresses, err := wire.Addresses("kafka", cfg.HostPort, "kafka")
	if err != nil {
		return nil, err
	}
	config, err := cfg.TLS.TLS()
	if err != nil {
		return nil, wire.Setup("kafka", err)
	}
	if !cfg.Encrypt && !cfg.TLS.MutualTLS {
		config = nil
	}
	if cfg.TLS.Timeout <= 0 {
		cfg.TLS.Timeout = httpsink.DefaultTimeout
	}
	s := &Sink{options: cfg.options(addresses), tls: config}
	s.link = wire.New(wire.Config{
		Name: "kafka", Where: wire.Where(addresses), Secrets: append(wire.Secrets(addresses), cfg.Password, cfg.Token), Timeout: cfg.TLS.Timeout,
	}, s.dial, connection.hangUp)
	return s, nil
}

func (c Config) options(addresses []*url.URL) []kgo.Opt {
	var seeds []string
	for _, u := range addresses {
		seeds = append(seeds, wire.WithPort(u, "9092"))
	}
	o := []kgo.Opt{
		kgo.SeedBrokers(seeds...), kgo.DefaultProduceTopic(c.Topic), kgo.RecordPartitioner(c.partitioner()), kgo.ProducerBatchCompression(c.codec()),
		kgo.ProducerBatchMaxBytes(int32(c.Largest)), kgo.ProducerLinger(0), kgo.DialTimeout(c.TLS.Timeout),
	}
	if c.ClientID != "" {
		o = append(o, kgo.ClientID(c.ClientID))
	}
	if m := c.mechanism(); m != nil {
		o = append(o, kgo.SASL(m))
	}
	if c.Create {
		o = append(o, kgo.AllowAutoTopicCreation())
	}
	acks := kgo.AllISRAcks()
	switch c.Acks {
	case "one":
		acks = kgo.LeaderAck()
	case "none":
		acks = kgo.NoAck()
	}
	o = append(o, kgo.RequiredAcks(acks))
	if c.Acks != "all" || !c.Idempotent {
		o = append(o, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1)) // one at a time keeps the order
	}
	return o
}

func (c Config) mechanism() sasl.Mechanism {
	switch c.SASL {
	case "plain":
		return plain.Auth{User: c.Username, Pass: c.Password}.AsMechanism()
	case "scram_sha256":
		return scram.Auth{User: c.Username, Pass: c.Password}.AsSha256Mechanism()
	case "scram_sha512":
		return scram.Auth{User: c.Username, Pass: c.Password}.AsSha512Mechanism()
	case "oauthbearer":
		return oauth.Auth{Token: c.Token}.AsMechanism()
	}
	return nil
}

// partitioner returns what chooses the partition, as the library that Falcosidekick uses does, by the key. The random ones differ there for
// messages without a key, of which there are none.
func (c Config) partitioner() kgo.Partitioner {
	switch c.Balancer {
	case "hash":
		return kgo.StickyKeyPartitioner(kgo.SaramaHasher(func(key []byte) uint32 {
			h := fnv.New32a()
			_, _ = h.Write(key) // does not fail
			return h.Sum32()
		}))
	case "crc32", "crc32_random":
		return kgo.StickyKeyPartitioner(func(key []byte, n int) int { return int(crc32.ChecksumIEEE(key) % uint32(n)) })
	case "murmur2", "murmur2_random":
		return kgo.StickyKeyPartitioner(nil)
	case "least_bytes":
		return kgo.LeastBackupPartitioner()
	}
	return kgo.RoundRobinPartitioner()
}

func (c Config) codec() kgo.CompressionCodec {
	switch c.Compression {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

// dial makes a client. It asks a broker for something, since what is wrong with connecting or logging in is said only then;
// alerts that are produced wait.
func (s *Sink) dial(ctx context.Context) (connection, error) {
	life, cut := context.WithCancel(context.Background())
	dialer := kgo.Dialer(func(ctx context.Context, _, address string) (net.Conn, error) { return s.connect(ctx, life, address) })
	client, err := kgo.NewClient(append(slices.Clip(s.options), dialer)...)
	if err != nil {
		cut()
		return connection{}, err
	}
	c := connection{client, cut}
	stop := context.AfterFunc(ctx, cut) // the first request of a connection has a time limit of its own
	err = client.Ping(ctx)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.hangUp()
		return c, err
	}
	return c, nil
}

// connect makes a connection that is broken off at the end of life.
func (s *Sink) connect(ctx, life context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	conn, err := wire.Dial(ctx, address, s.tls)
	if err != nil {
		return nil, err
	}
	return &bound{conn, context.AfterFunc(life, func() { conn.Close() })}, nil
}

// bound is a connection that is broken off at the end of something. Closed before that, it is forgotten: a client closes those that it has
// not used for a while, and makes others, for as long as it lives.
type bound struct {
	net.Conn
	forget func() bool
}

// Close closes the connection.
func (b *bound) Close() error {
	b.forget()
	return b.Conn.Close()
}

// Send produces an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	errs := s.SendBatch(ctx, []*alert.Alert{a})
	if errs == nil {
		return nil
	}
	return errs[0]
}

// SendBatch produces several alerts and waits for the brokers. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return s.link.DoAll(ctx, len(alerts), func(ctx context.Context, client connection) []error {
		records := make([]*kgo.Record, len(alerts))
		index := make(map[*kgo.Record]int, len(alerts))
		for i, a := range alerts {
			records[i] = &kgo.Record{Key: []byte(wire.ID(a)), Value: a.AppendSidekick(nil)}
			index[records[i]] = i
		}
		errs := make([]error, len(alerts))
		for _, r := range client.ProduceSync(ctx, records...) {
			err := r.Err
			if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.InvalidRecord) {
				err = wire.Refuse("%w", err)
			}
			errs[index[r.Record]] = err
		}
		return errs
	})
}

// Close closes the connections.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
