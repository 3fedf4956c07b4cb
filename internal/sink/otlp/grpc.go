package otlp

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/saker-sec/saker/internal/sink/httpsink"
)

// remote sends over gRPC. The connection is made with the first request, and again, by the library, when it is lost.
type remote struct {
	name, where string
	method      string
	timeout     time.Duration
	header      metadata.MD
	hide        *strings.Replacer
	conn        *grpc.ClientConn
	options     []grpc.CallOption
}

// longestBackoff bounds the library's pause between attempts to connect: pausing is route's.
const longestBackoff = 2 * time.Second

func newGRPC(signal Signal, cfg Config, u *url.URL, header map[string]string, compress bool) (*remote, error) {
	port := u.Port()
	if port == "" {
		port = "4317"
	}
	address := net.JoinHostPort(u.Hostname(), port)
	r := &remote{name: signal.Name, where: u.Scheme + "://" + address, method: "/" + signal.Service + "/Export", timeout: cfg.Timeout, header: metadata.MD{}}
	if r.timeout <= 0 {
		r.timeout = httpsink.DefaultTimeout
	}
	var secrets []string
	for name, value := range header {
		if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || c == ':' }) {
			return nil, fmt.Errorf("%s: the header %q cannot be sent over gRPC: name and value must be of printable ASCII", signal.Name, name)
		}
		r.header.Append(strings.ToLower(name), value)
		secrets = append(secrets, value)
		if _, token, ok := strings.Cut(value, " "); ok {
			secrets = append(secrets, token)
		}
	}
	r.hide = httpsink.Hide(secrets...)
	secure := insecure.NewCredentials()
	if u.Scheme == "https" {
		config, err := cfg.TLS.TLS()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", signal.Name, err)
		}
		secure = credentials.NewTLS(config)
	}
	r.options = []grpc.CallOption{grpc.ForceCodec(encoded{})}
	if compress {
		r.options = append(r.options, grpc.UseCompressor(gzip.Name))
	}
	pause := backoff.DefaultConfig
	pause.BaseDelay, pause.MaxDelay = 100*time.Millisecond, longestBackoff
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(secure), grpc.WithUserAgent(httpsink.UserAgent), grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: pause, MinConnectTimeout: r.timeout}))
	if err != nil {
		return nil, fmt.Errorf("%s: the endpoint cannot be used: %w", signal.Name, err)
	}
	r.conn = conn
	return r, nil
}

// encoded is the codec of messages that are encoded already.
type encoded struct{}

// Marshal returns the message.
func (encoded) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

// Unmarshal keeps the message.
func (encoded) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

// Name is that of the codec for Protobuf.
func (encoded) Name() string { return "proto" }

func (r *remote) post(ctx context.Context, body []byte) ([]byte, error) {
	limited, cancel := context.WithTimeout(metadata.NewOutgoingContext(ctx, r.header), r.timeout)
	defer cancel()
	var answer []byte
	err := r.conn.Invoke(limited, r.method, &body, &answer, r.options...)
	if err == nil {
		return answer, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: sending to %s: %w", r.name, r.where, ctx.Err())
	}
	s := status.Convert(err)
	limit, _ := limited.Deadline()
	// The receiver is told of the time limit, and may be the first to say that it is over.
	if limited.Err() != nil || s.Code() == codes.DeadlineExceeded && time.Until(limit) < r.timeout/10 {
		return nil, r.errorf(context.DeadlineExceeded, "no answer within %v", r.timeout)
	}
	e := r.errorf(err, "the receiver answers %s: %s", s.Code(), s.Message())
	e.permanent = !repeatable(s.Code())
	e.after, e.asked = pauseOf(s)
	return nil, e
}

// repeatable says whether a request may be sent again (opentelemetry.io/docs/specs/otlp, "Failures" of gRPC). A receiver that has
// no room says so for now, and credentials that are refused can be put right, as with status 401 of HTTP.
func repeatable(c codes.Code) bool {
	switch c {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss, codes.ResourceExhausted, codes.Unauthenticated:
		return true
	}
	return false
}

// longestPause bounds what a receiver can ask for.
const longestPause = time.Hour

// pauseOf returns the pause that a receiver asks for, by google.rpc.RetryInfo, whose field 1 it is.
func pauseOf(s *status.Status) (time.Duration, bool) {
	for _, d := range s.Proto().GetDetails() {
		if !strings.HasSuffix(d.GetTypeUrl(), "/google.rpc.RetryInfo") {
			continue
		}
		var pause durationpb.Duration
		if proto.Unmarshal(field(d.GetValue(), 1), &pause) == nil && pause.AsDuration() > 0 { // no pause is nothing to ask for
			return min(pause.AsDuration(), longestPause), true
		}
	}
	return 0, false
}

// Error is a request over gRPC that failed. It says whether it may be sent again, in the form that route asks for.
type Error struct {
	text      string
	cause     error
	permanent bool
	after     time.Duration
	asked     bool
}

// Error says what was being done and what went wrong, without secrets.
func (e *Error) Error() string { return e.text }

// Unwrap returns the cause, whose text may hold secrets.
func (e *Error) Unwrap() error { return e.cause }

// Permanent says that trying again is of no use.
func (e *Error) Permanent() bool { return e.permanent }

// RetryAfter returns the pause that the receiver asks for, and whether it asks for one.
func (e *Error) RetryAfter() (time.Duration, bool) { return e.after, e.asked }

func (r *remote) errorf(cause error, format string, args ...any) *Error {
	return &Error{text: r.name + ": sending to " + r.where + ": " + httpsink.Excerpt(r.hide.Replace(fmt.Sprintf(format, args...))), cause: cause}
}

func (r *remote) refuse(reason string) error {
	e := r.errorf(nil, "%s", reason)
	e.permanent = true
	return e
}

func (r *remote) close() { _ = r.conn.Close() } // requests have ended; it fails only when it is closed already
