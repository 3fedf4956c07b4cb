// Package statsd counts alerts at a StatsD server, or at one that understands Datadog's tags (DogStatsD), with Falcosidekick's
// counters, over UDP:
//
//	falcosidekick.falco.accepted.Warning:1|c      of each alert; with DogStatsD falco.accepted:1|c|#priority:Warning
//	falcosidekick.total, .inputs.*, .outputs.*    of what the program has taken and delivered, see Watch
//
// The counter of an alert is sent when the destination gets it from the durable queue: an alert that waited is counted when it
// is delivered, one that is delivered again is counted again, and nobody can tell what UDP loses.
//
// It differs from Falcosidekick in that a StatsD server gets no DogStatsD tags, which it takes for an error, and that it gets
// the counters of the outputs (reference: sidekick.md §2.1).
package statsd

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	Forwarder string        // forwarder: host:port of the server; the destination is off without
	Namespace string        // namespace: what names begin with
	Tags      []string      // tags: tags to add, with DogStatsD
	Interval  time.Duration // interval: how often the counters of the program are sent
}

// Settings binds Falcosidekick's keys, and one of ours: interval.
func (c *Config) Settings() setting.List {
	return setting.List{
		setting.Text("forwarder", &c.Forwarder, "", "host:port of the server").Required(),
		setting.Text("namespace", &c.Namespace, "falcosidekick.", "what names of counters begin with"),
		setting.Strings("tags", &c.Tags, "", "tags to add, as name:value; without effect with plain StatsD, which has none"),
		setting.Duration("interval", &c.Interval, 10*time.Second, "how often the counters of inputs and outputs are sent"),
	}
}

// Counts are counters of the program since its start: what was taken, by source and status, and what was delivered, by
// destination and status.
type Counts = func() (inputs, outputs map[[2]string]uint64)

// packet is how many bytes a datagram may have that is not fragmented on its way (github.com/statsd/statsd, metric_types.md).
const packet = 1432

// Sink counts alerts.
type Sink struct {
	cfg  Config
	name string
	dog  bool
	link *wire.Link[*wire.Datagrams]

	stop    context.CancelFunc // of the goroutine of Watch; nil without
	running sync.WaitGroup
	told    map[string]uint64 // counters that were sent, by the line before the colon and after the bar
}

// New returns a sink for StatsD. It fails when the address is none.
func New(cfg Config) (*Sink, error) { return open(cfg, "statsd", false) }

// NewDog returns a sink for DogStatsD. It fails when the address is none.
func NewDog(cfg Config) (*Sink, error) { return open(cfg, "dogstatsd", true) }

func open(cfg Config, name string, dog bool) (*Sink, error) {
	if host, port, err := net.SplitHostPort(cfg.Forwarder); err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("%s: forwarder is %q, it must be host:port", name, cfg.Forwarder)
	}
	dial := func(ctx context.Context) (*wire.Datagrams, error) { return wire.DialDatagrams(ctx, cfg.Forwarder) }
	return &Sink{
		cfg: cfg, name: name, dog: dog, told: map[string]uint64{},
		link: wire.New(wire.Config{Name: name, Where: "udp://" + cfg.Forwarder}, dial, (*wire.Datagrams).HangUp),
	}, nil
}

// Send counts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.send(ctx, s.metric("falco.accepted", tag{"priority", a.Priority.String()}).line(1))
}

func (s *Sink) send(ctx context.Context, text string) error {
	return s.link.Do(ctx, func(ctx context.Context, d *wire.Datagrams) error { return d.Send(ctx, []byte(text)) })
}

// tag says more about a counter.
type tag struct{ name, value string }

// metric is a counter: what is before its value, and after.
type metric struct{ before, after string }

func (m metric) line(n uint64) string { return fmt.Sprintf("%s:%d|c%s", m.before, n, m.after) }

// metric returns a counter. StatsD has the values of tags in its name, as Falcosidekick does it.
func (s *Sink) metric(name string, tags ...tag) metric {
	m := metric{before: clean(s.cfg.Namespace) + name}
	var list []string
	for _, t := range s.cfg.Tags {
		list = append(list, clean(t))
	}
	for _, t := range tags {
		list = append(list, t.name+":"+clean(t.value))
		if !s.dog {
			m.before += "." + clean(strings.ReplaceAll(t.value, " ", ""))
		}
	}
	if s.dog && len(list) > 0 {
		m.after = "|#" + strings.Join(list, ",")
	}
	if over := len(m.before) + len(m.after) - packet/2; over > 0 {
		m.after = message.CutBytes(m.after, max(len(m.after)-over, 0))
		m.before = message.CutBytes(m.before, packet/2)
	}
	return m
}

// clean returns a text without what ends a part of a line. A tag keeps the colon after its name.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune("|@#,", r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(s, "_"))
}

// Watch sends the program's counters from time to time, as differences, until the sink is closed. It is called at most once,
// before the first Send. A difference that could not be sent is part of the next one.
func (s *Sink) Watch(counts Counts) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.running.Go(func() {
		every := time.NewTicker(s.cfg.Interval)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				s.report(ctx, counts)
			case <-ctx.Done():
				last, over := context.WithTimeout(context.Background(), time.Second)
				s.report(last, counts)
				over()
				return
			}
		}
	})
}

// report sends what was counted since the last time, several counters in a datagram.
func (s *Sink) report(ctx context.Context, counts Counts) {
	inputs, outputs := counts()
	now := map[metric]uint64{}
	var total uint64
	for k, n := range inputs {
		now[s.metric("inputs."+clean(k[0])+"."+clean(k[1]))] += n
		total += n
	}
	now[s.metric("total")] = total
	for k, n := range outputs {
		now[s.metric("outputs", tag{"output", k[0]}, tag{"status", k[1]})] += n
	}
	var lines []string
	due := map[string]uint64{}
	flush := func() {
		if len(lines) > 0 && s.send(ctx, strings.Join(lines, "\n")) == nil {
			maps.Copy(s.told, due)
		}
		lines, due = nil, map[string]uint64{}
	}
	size := 0
	for _, m := range slices.SortedFunc(maps.Keys(now), func(a, b metric) int { return strings.Compare(a.before+a.after, b.before+b.after) }) {
		n := now[m]
		more := n - s.told[m.before+m.after]
		if more == 0 {
			continue
		}
		line := m.line(more)
		if size+len(line)+1 > packet {
			flush()
			size = 0
		}
		lines, due[m.before+m.after] = append(lines, line), n
		size += len(line) + 1
	}
	flush()
}

// Close sends the last counters and closes the socket.
func (s *Sink) Close(ctx context.Context) error {
	if s.stop != nil {
		s.stop()
		s.running.Wait()
	}
	return s.link.Close(ctx)
}
