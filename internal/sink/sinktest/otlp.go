package sinktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	nethttp "net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// OTLP is a destination that speaks OpenTelemetry's protocol. The suite runs over both of its transports.
type OTLP struct {
	// Prefix is that of the destination's keys.
	Prefix string
	// Open makes a sink.
	Open func(setting.Values) (route.Sink, error)
	// Method is the full name of the method that takes requests, and Request makes an empty one, both as the protocol's own
	// package for receivers has them.
	Method  string
	Request func() proto.Message
	// Variants are further settings, each with a golden file of this name.
	Variants map[string]setting.Values
	// Blur replaces what differs from one run to the next in a request as JSON; nil replaces nothing.
	Blur func(string) string
}

const otlpSecret = "s3cretT0ken"

func (o OTLP) settings(endpoint string, more ...setting.Values) setting.Values {
	values := setting.Values{o.Prefix + ".endpoint": endpoint, o.Prefix + ".headers": "authorization=Bearer%20" + otlpSecret + ",x-one=1"}
	for _, m := range more {
		for k, v := range m {
			values[k] = v
		}
	}
	return values
}

// Run runs the suite.
func (o OTLP) Run(t *testing.T) {
	HTTP{
		Prefix: o.Prefix, Open: o.Open, Secrets: []string{otlpSecret}, Variants: o.Variants, Blur: o.text,
		Settings: func(url string) setting.Values { return o.settings(url) },
	}.Run(t)
	t.Run("partial", o.partial)
	t.Run("grpc", o.payload)
	t.Run("grpc status", o.status)
	t.Run("grpc outage", o.outage)
	t.Run("grpc certificate", o.certificate)
}

// text returns a request as JSON that is the same in every run.
func (o OTLP) text(body string) string {
	m := o.Request()
	if err := proto.Unmarshal([]byte(body), m); err != nil {
		return "no request: " + err.Error()
	}
	compact, err := protojson.Marshal(m)
	if err != nil {
		return "no request: " + err.Error()
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", " "); err != nil {
		return "no request: " + err.Error()
	}
	text := strings.ReplaceAll(b.String(), ":  ", ": ") // protojson puts blanks where it likes
	if o.Blur != nil {
		text = o.Blur(text)
	}
	return text
}

// receiver takes requests over gRPC.
type receiver struct {
	mu       sync.Mutex
	requests [][]byte
	headers  []metadata.MD
	fault    func(ctx context.Context, body []byte) ([]byte, error) // nil takes all
}

// start starts a server and returns its address and what stops it.
func (r *receiver) start(t *testing.T, addr, method string, how Security) (string, func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	options := []grpc.ServerOption{grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		if got, _ := grpc.MethodFromServerStream(s); got != method {
			return status.Errorf(codes.Unimplemented, "there is no method %s", got)
		}
		var body, answer []byte
		if err := s.RecvMsg(&body); err != nil {
			return err
		}
		head, _ := metadata.FromIncomingContext(s.Context())
		r.mu.Lock()
		r.headers = append(r.headers, head)
		fault := r.fault
		r.mu.Unlock()
		if fault != nil {
			var err error
			if answer, err = fault(s.Context(), body); err != nil {
				return err
			}
		}
		r.mu.Lock()
		r.requests = append(r.requests, body)
		r.mu.Unlock()
		return s.SendMsg(&answer)
	})}
	if how.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(how.TLS.Server(how.Mutual))))
	}
	s := grpc.NewServer(options...)
	var running sync.WaitGroup
	running.Go(func() { _ = s.Serve(l) }) // it ends when it is stopped
	return l.Addr().String(), func() {
		s.Stop()
		running.Wait()
	}
}

// raw is the codec of messages as they are on the wire.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Name() string                  { return "proto" }
func (raw) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(b)
	return nil
}

func (r *receiver) breakWith(f func(ctx context.Context, body []byte) ([]byte, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

func (r *receiver) taken() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.requests
	r.requests = nil
	return out
}

func (o OTLP) open(t *testing.T, addr string, more ...setting.Values) route.Sink {
	t.Helper()
	values := o.settings("http://"+addr, append([]setting.Values{{o.Prefix + ".protocol": "grpc"}}, more...)...)
	return HTTP{Open: o.Open, Settings: func(string) setting.Values { return values }}.open(t, "")
}

// payload compares what is sent of each sample over gRPC with a golden file.
func (o OTLP) payload(t *testing.T) {
	r := &receiver{}
	addr, stop := r.start(t, "127.0.0.1:0", o.Method, Security{})
	defer stop()
	sink := o.open(t, addr)
	var b strings.Builder
	for _, sample := range Samples() {
		if err := send(t.Context(), sink, sample.Alert(t)); err != nil {
			t.Errorf("%s: %v", sample.Name, err)
		}
		fmt.Fprintf(&b, "== %s\n", sample.Name)
		for _, body := range r.taken() {
			fmt.Fprintf(&b, "%s\n", o.text(string(body)))
		}
	}
	golden(t, filepath.Join("testdata", "grpc.golden"), b.String())
	if h := r.headers[0]; strings.Join(h.Get("authorization"), "") != "Bearer "+otlpSecret || strings.Join(h.Get("x-one"), "") != "1" {
		t.Errorf("metadata %v", h)
	}
	compressed := o.open(t, addr, setting.Values{o.Prefix + ".extraenvvars": "OTEL_EXPORTER_OTLP_COMPRESSION:gzip"})
	if err := send(t.Context(), compressed, Samples()[5].Alert(t)); err != nil || len(r.taken()) != 1 {
		t.Errorf("compressed: %v", err)
	}
	if err := send(t.Context(), sink, huge(t)); err != nil {
		t.Errorf("a huge alert: %v", err)
	}
}

// status gives answers that are no success, with the metadata in them.
func (o OTLP) status(t *testing.T) {
	r := &receiver{}
	addr, stop := r.start(t, "127.0.0.1:0", o.Method, Security{})
	defer stop()
	sink := o.open(t, addr, setting.Values{o.Prefix + ".timeout": patience.String()})
	a := Samples()[0].Alert(t)
	for code, permanent := range map[codes.Code]bool{
		codes.InvalidArgument: true, codes.Unauthenticated: false, codes.PermissionDenied: true, codes.Unimplemented: true, codes.Internal: true, codes.NotFound: true,
		codes.Unavailable: false, codes.ResourceExhausted: false, codes.Aborted: false, codes.DataLoss: false, codes.OutOfRange: false, codes.DeadlineExceeded: false, codes.Canceled: false,
	} {
		r.breakWith(func(ctx context.Context, _ []byte) ([]byte, error) {
			head, _ := metadata.FromIncomingContext(ctx)
			s := status.New(code, fmt.Sprint("no: ", head)).Proto()
			s.Details = []*anypb.Any{retryInfo(t, 7*time.Second)}
			return nil, status.ErrorProto(s)
		})
		err := send(t.Context(), sink, a)
		if err == nil || route.Permanent(err) != permanent || !strings.Contains(err.Error(), code.String()) || strings.Contains(err.Error(), otlpSecret) {
			t.Errorf("%v: permanent %v: %v", code, route.Permanent(err), err)
			continue
		}
		asks, ok := err.(interface{ RetryAfter() (time.Duration, bool) })
		if !ok {
			t.Errorf("%v: %T does not ask for a pause", code, err)
		} else if d, ok := asks.RetryAfter(); !ok || d != 7*time.Second {
			t.Errorf("%v: pause %v, %v", code, d, ok)
		}
	}
	hold := make(chan struct{})
	r.breakWith(func(ctx context.Context, _ []byte) ([]byte, error) {
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return nil, ctx.Err()
	})
	hasty := o.open(t, addr, setting.Values{o.Prefix + ".timeout": "300"})
	if err := send(t.Context(), hasty, a); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "no answer within 300ms") {
		t.Errorf("no answer: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := send(over, sink, a); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("given up: %v", err)
	}
	close(hold)
	r.breakWith(nil)
	if err := send(t.Context(), sink, a); err != nil {
		t.Errorf("after the faults: %v", err)
	}
}

// retryInfo is google.rpc.RetryInfo, whose only field, 1, is a duration.
func retryInfo(t *testing.T, d time.Duration) *anypb.Any {
	text, err := proto.Marshal(durationpb.New(d))
	if err != nil {
		t.Fatal(err)
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.RetryInfo", Value: protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), text)}
}

// partialAnswer is an answer that refuses some items.
func partialAnswer(rejected uint64, reason string) []byte {
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), rejected)
	b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), reason)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b)
}

// partial lets the receiver refuse one of several alerts, and warn.
func (o OTLP) partial(t *testing.T) {
	var alerts []*alert.Alert
	for _, sample := range Samples()[:3] {
		alerts = append(alerts, sample.Alert(t))
	}
	answer := func(body []byte) []byte {
		if bytes.Contains(body, []byte(alerts[1].Rule)) {
			return partialAnswer(1, "no such thing as "+otlpSecret)
		}
		return partialAnswer(0, "a warning")
	}
	r := &receiver{fault: func(_ context.Context, body []byte) ([]byte, error) { return answer(body), nil }}
	addr, stop := r.start(t, "127.0.0.1:0", o.Method, Security{})
	defer stop()
	url := Serve(t, func(_ *nethttp.Request, body []byte) string { return string(answer(body)) })
	for name, sink := range map[string]route.Sink{
		"http": HTTP{Open: o.Open, Settings: func(url string) setting.Values { return o.settings(url) }}.open(t, url),
		"grpc": o.open(t, addr),
	} {
		if err := send(t.Context(), sink, alerts[0]); err != nil {
			t.Errorf("%s: a warning: %v", name, err)
		}
		err := send(t.Context(), sink, alerts[1])
		if err == nil || !route.Permanent(err) || !strings.Contains(err.Error(), "refuses 1 of 1: no such thing") || strings.Contains(err.Error(), otlpSecret) {
			t.Errorf("%s: %v", name, err)
		}
		errs := sink.(batcher).SendBatch(t.Context(), alerts)
		if len(errs) != 3 || errs[0] != nil || !route.Permanent(errs[1]) || errs[2] != nil {
			t.Errorf("%s: one of several is refused: %v", name, errs)
		}
	}
}

// outage opens before the receiver is there, and lets it go and come back.
func (o OTLP) outage(t *testing.T) {
	addr := servertest.Free(t)
	sink := o.open(t, addr, setting.Values{o.Prefix + ".timeout": "5s"})
	fresh := func(i int) *alert.Alert {
		a := Samples()[0].Alert(t)
		a.UUID = fmt.Sprintf("6f1b7c1e-0000-4000-8000-00000000006%d", i)
		return a
	}
	fails := func(what string, a *alert.Alert) {
		t.Helper()
		if err := send(t.Context(), sink, a); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), o.Prefix+": sending to http://"+addr) {
			t.Errorf("%s: %v", what, err)
		}
	}
	fails("nobody listens", fresh(0))
	r := &receiver{}
	for i := range 2 {
		_, stop := r.start(t, addr, o.Method, Security{})
		for j := range 2 {
			servertest.Await(t, "sending", func() error { return send(t.Context(), sink, fresh(2*i+j)) })
		}
		if got := r.taken(); len(got) < 2 {
			t.Errorf("%d requests have arrived, want 2", len(got))
		}
		stop()
		fails("it has gone", fresh(9))
	}
}

// certificate meets receivers whose certificate nobody trusts, and that want one.
func (o OTLP) certificate(t *testing.T) {
	cert := servertest.NewCertificates(t)
	for _, mutual := range []bool{false, true} {
		r := &receiver{}
		addr, stop := r.start(t, "127.0.0.1:0", o.Method, Security{TLS: cert, Mutual: mutual})
		a := Samples()[0].Alert(t)
		key := func(name string) string { return o.Prefix + "." + name }
		for _, c := range []struct {
			endpoint string
			more     setting.Values
			ok       bool
		}{
			{"https://" + addr, nil, false},
			{"https://" + addr, setting.Values{"tlsclient.cacertfile": cert.CA}, !mutual},
			{"https://" + addr, setting.Values{key("checkcert"): "false"}, !mutual},
			{addr, setting.Values{"tlsclient.cacertfile": cert.CA}, !mutual},
			{addr, setting.Values{key("tls"): "true", key("checkcert"): "false"}, !mutual},
			{"http://" + addr, setting.Values{key("tls"): "true", "tlsclient.cacertfile": cert.CA}, !mutual},
			{"http://" + addr, nil, false},
			{addr, setting.Values{key("checkcert"): "false"}, false}, // plain, as Falcosidekick documents it
			{"https://" + addr, setting.Values{key("mutualtls"): "true", "mutualtlsfilespath": cert.Dir}, true},
			{"https://" + addr, setting.Values{key("extraenvvars"): "OTEL_EXPORTER_OTLP_CERTIFICATE:" + cert.CA + ",OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE:" + cert.ClientCert + ",OTEL_EXPORTER_OTLP_CLIENT_KEY:" + cert.ClientKey}, true},
		} {
			sink := o.open(t, addr, c.more, setting.Values{key("endpoint"): c.endpoint, key("timeout"): patience.String()})
			err := send(t.Context(), sink, a)
			if (err == nil) != c.ok || err != nil && route.Permanent(err) {
				t.Errorf("%s %v, mutual %v: %v", c.endpoint, c.more, mutual, err)
			}
			if got := r.taken(); (len(got) == 1) != c.ok {
				t.Errorf("%s %v, mutual %v: %d requests", c.endpoint, c.more, mutual, len(got))
			}
		}
		stop()
	}
}
