// Package otlpmetrics counts alerts at a receiver of OpenTelemetry's protocol, in Falcosidekick's counters:
//
//	falcosecurity_falco_rules_matches_total   alerts, by source, priority, rule, hostname, tags, namespace, pod and further fields
//	falcosecurity_falcosidekick_inputs        what was taken, by source and status (see Watch)
//	falcosecurity_falcosidekick_outputs       what was delivered, by destination and status (see Watch)
//
// The counters are cumulative since the sink was made. An alert counts as delivered when the receiver has taken a value that
// includes it: each alert, or batch, is a request with the counters that it changes. An attempt without an answer leaves the
// counter as it is, and the next attempt repeats its value, so no attempt counts twice and no value goes down. All counters are
// sent again from time to time, for receivers that forget those that stand still. A restart begins at 0, with a new start time
// and a new service.instance.id, which is how the protocol says so; several sinks of one destination do not overwrite one another
// for the same reason. With OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta, a request has the difference instead, and
// one that is repeated without an answer may count twice.
//
// An alert is counted when the destination gets it from the durable queue, not when it comes in as in Falcosidekick.
package otlpmetrics

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/otlp"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	OTLP         otlp.Config       // what all of OpenTelemetry's destinations have
	Attributes   []string          // extraattributes: fields that are attributes
	CustomFields map[string]string // customfields of the whole program: fields that are attributes too, by their names
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.OTLP.Settings(),
		setting.Strings("extraattributes", &c.Attributes, "", "fields that are attributes"),
		setting.Map("customfields", &c.CustomFields, "fields that are attributes too, by their names").Global(),
	)
}

// Counts are counters of the program since its start: what was taken, by source and status, and what was delivered, by
// destination and status.
type Counts = func() (inputs, outputs map[[2]string]uint64)

// The counters.
const (
	matches = "falcosecurity_falco_rules_matches_total"
	inputs  = "falcosecurity_falcosidekick_inputs"
	outputs = "falcosecurity_falcosidekick_outputs"
)

var descriptions = map[string]string{
	matches: "Number of times rules match", inputs: "Number of times an input is received", outputs: "Number of times an output is generated",
}

// Bounds: of how many combinations of attributes are counted apart, of a value, and of how many alerts without an answer are remembered.
const (
	seriesLimit  = 2000
	valueLimit   = 255
	pendingLimit = 10000
)

// DefaultInterval is how often all counters are sent again, unless OTEL_METRIC_EXPORT_INTERVAL says otherwise.
const DefaultInterval = time.Minute

// series is a counter with its attributes.
type series struct {
	metric     string
	attributes []*common.KeyValue
	total      uint64
	told       uint64 // that the receiver has taken
}

// Sink counts alerts.
type Sink struct {
	names    []string // fields that are attributes
	client   *otlp.Client
	resource *resource.Resource
	delta    bool
	every    time.Duration
	counts   Counts // nil without

	once    sync.Once // starts the goroutine
	stop    context.CancelFunc
	ctx     context.Context // of the goroutine
	running sync.WaitGroup

	mu      sync.Mutex // held while a request is under way: values must arrive in order
	start   time.Time
	last    time.Time // until which differences were taken
	series  map[string]*series
	pending map[string]bool // alerts that are counted and whose request had no answer
}

// New returns a sink. It fails when the endpoint, a header or a certificate cannot be used.
func New(cfg Config) (*Sink, error) {
	client, err := otlp.New(otlp.Signal{Name: "otlp.metrics", Word: "METRICS", Path: "/v1/metrics", Service: "opentelemetry.proto.collector.metrics.v1.MetricsService"}, cfg.OTLP)
	if err != nil {
		return nil, err
	}
	s := &Sink{client: client, every: DefaultInterval, series: map[string]*series{}, pending: map[string]bool{}, start: time.Now()}
	s.last = s.start
	s.names = append(slices.Sorted(maps.Keys(cfg.CustomFields)), cfg.Attributes...)
	s.delta = strings.EqualFold(client.Option("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"), "delta")
	if text := client.Option("OTEL_METRIC_EXPORT_INTERVAL"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("otlp.metrics: OTEL_METRIC_EXPORT_INTERVAL is %q, it must be a number of milliseconds", text)
		}
		s.every = time.Duration(n) * time.Millisecond
	}
	s.resource = client.Resource(otlp.Attribute{Name: "service.instance.id", Value: rand.Text()})
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Watch adds the program's counters. It is called at most once, before the first Send.
func (s *Sink) Watch(counts Counts) {
	s.counts = counts
	s.begin()
}

// begin starts what sends all counters from time to time.
func (s *Sink) begin() {
	s.once.Do(func() {
		s.running.Go(func() {
			tick := time.NewTicker(s.every)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					_ = s.repeat(s.ctx) // what it says is said again the next time
				case <-s.ctx.Done():
					return
				}
			}
		})
	})
}

// Send counts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error { return s.count(ctx, a) }

// SendBatch counts several alerts with one request. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return s.client.Together(ctx, alerts, func() error { return s.count(ctx, alerts...) }, s.Send)
}

func (s *Sink) count(ctx context.Context, alerts ...*alert.Alert) error {
	s.begin()
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := map[*series]bool{}
	added := make([]*series, len(alerts))
	for i, a := range alerts {
		added[i] = s.seriesOf(a)
		changed[added[i]] = true
		if id := identity(a); !s.pending[id] {
			if len(s.pending) >= pendingLimit {
				clear(s.pending)
			}
			s.pending[id] = true
			added[i].total++
		}
	}
	err := s.export(ctx, changed, len(alerts))
	var final interface{ Permanent() bool }
	switch {
	case err == nil:
		for _, a := range alerts {
			delete(s.pending, identity(a))
		}
	case errors.As(err, &final) && final.Permanent(): // the receiver has not taken the value: it is as if it had not been sent
		for i, a := range alerts {
			delete(s.pending, identity(a))
			added[i].total--
		}
	}
	return err
}

// identity names an alert.
func identity(a *alert.Alert) string {
	if a.UUID != "" {
		return a.UUID
	}
	return string(a.AppendSidekick(nil))
}

// seriesOf returns the counter of an alert.
func (s *Sink) seriesOf(a *alert.Alert) *series {
	hostname := a.Hostname
	if hostname == "" {
		hostname = "unknown" // as in Falcosidekick
	}
	text := func(name, value string) *common.KeyValue {
		return otlp.Pair(name, otlp.String(message.CutBytes(value, valueLimit)))
	}
	tags := make([]string, 0, len(a.Tags))
	for _, t := range a.Tags[:min(len(a.Tags), 64)] {
		tags = append(tags, message.CutBytes(t, valueLimit))
	}
	list := []*common.KeyValue{
		text("source", a.Source), text("priority", a.Priority.String()), text("rule", a.Rule), text("hostname", hostname), otlp.Pair("tags", otlp.Strings(tags)),
	}
	names := s.names
	for _, n := range []string{"k8s.ns.name", "k8s.pod.name"} {
		if message.Field(a, n) != "" {
			names = append(names[:len(names):len(names)], n)
		}
	}
	for _, n := range names {
		name := strings.ReplaceAll(n, ".", "_")
		if !slices.ContainsFunc(list, func(p *common.KeyValue) bool { return p.Key == name }) {
			list = append(list, text(name, message.Field(a, n)))
		}
	}
	return s.get(matches, list)
}

// get returns a counter. When there are too many, it is one for all the others.
func (s *Sink) get(metric string, attributes []*common.KeyValue) *series {
	key := metric
	for _, p := range attributes {
		key += "\x00" + encode(p)
	}
	if found := s.series[key]; found != nil {
		return found
	}
	if len(s.series) >= seriesLimit {
		overflow := &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: true}}
		attributes = []*common.KeyValue{otlp.Pair("otel.metric.overflow", overflow)} // opentelemetry.io/docs/specs/otel/metrics/sdk, "Overflow attribute"
		if key = metric + "\x00overflow"; s.series[key] != nil {
			return s.series[key]
		}
	}
	s.series[key] = &series{metric: metric, attributes: attributes}
	return s.series[key]
}

// repeat sends all counters, those of the program too.
func (s *Sink) repeat(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[*series]bool{}
	if s.counts != nil {
		in, out := s.counts()
		for k, n := range in {
			s.get(inputs, []*common.KeyValue{otlp.Pair("source", otlp.String(k[0])), otlp.Pair("status", otlp.String(k[1]))}).total = n
		}
		for k, n := range out {
			s.get(outputs, []*common.KeyValue{otlp.Pair("destination", otlp.String(k[0])), otlp.Pair("status", otlp.String(k[1]))}).total = n
		}
	}
	for _, one := range s.series {
		if one.metric != matches || !s.delta {
			all[one] = true
		}
	}
	if len(all) == 0 {
		return nil
	}
	return s.export(ctx, all, len(all))
}

// export sends counters.
func (s *Sink) export(ctx context.Context, changed map[*series]bool, n int) error {
	now := time.Now()
	begin, temporality := s.start, metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	if s.delta {
		begin, temporality = s.last, metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
	}
	points := map[string][]*metrics.NumberDataPoint{}
	totals := map[*series]uint64{}
	for one := range changed {
		value := one.total
		if s.delta {
			value -= one.told
		}
		totals[one] = one.total
		points[one.metric] = append(points[one.metric], &metrics.NumberDataPoint{
			Attributes: one.attributes, StartTimeUnixNano: otlp.Nanoseconds(begin.UnixNano()), TimeUnixNano: otlp.Nanoseconds(now.UnixNano()),
			Value: &metrics.NumberDataPoint_AsInt{AsInt: int64(value)},
		})
	}
	scope := &metrics.ScopeMetrics{Scope: otlp.Scope("falcosecurity.falco.otlpmetrics.meter")}
	for _, name := range slices.Sorted(maps.Keys(points)) {
		slices.SortFunc(points[name], func(a, b *metrics.NumberDataPoint) int { return strings.Compare(order(a), order(b)) })
		scope.Metrics = append(scope.Metrics, &metrics.Metric{Name: name, Description: descriptions[name], Data: &metrics.Metric_Sum{Sum: &metrics.Sum{
			DataPoints: points[name], IsMonotonic: true, AggregationTemporality: temporality,
		}}})
	}
	// The request has the encoding of MetricsData (opentelemetry/proto/collector/metrics/v1).
	err := s.client.Export(ctx, &metrics.MetricsData{ResourceMetrics: []*metrics.ResourceMetrics{{
		Resource: s.resource, SchemaUrl: otlp.Schema, ScopeMetrics: []*metrics.ScopeMetrics{scope},
	}}}, n)
	if err != nil {
		return err
	}
	s.last = now
	for one, total := range totals {
		one.told = total
	}
	return nil
}

// order is a text that differs for points with different attributes.
func order(p *metrics.NumberDataPoint) string {
	var b strings.Builder
	for _, a := range p.Attributes {
		b.WriteString(encode(a))
	}
	return b.String()
}

func encode(p *common.KeyValue) string {
	b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(p) // texts were made valid, so it does not fail
	return string(b)
}

// Close sends the counters a last time when there are those of the program, and closes the connections.
func (s *Sink) Close(ctx context.Context) error {
	s.stop()
	s.running.Wait()
	var err error
	if s.counts != nil {
		last, over := context.WithTimeout(ctx, time.Second)
		defer over()
		if err = s.repeat(last); err != nil {
			err = fmt.Errorf("sending the last counters: %w", err)
		}
	}
	s.client.Close()
	return err
}
