package otlp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/sink/otlp"
	"github.com/saker-sec/saker/internal/sink/setting"
)

var signal = otlp.Signal{Name: "otlp.logs", Word: "LOGS", Path: "/v1/logs", Service: "service"}

// TestConfig names what is wrong, without what may be secret.
func TestConfig(t *testing.T) {
	for want, cfg := range map[string]otlp.Config{
		"otlp.logs: the endpoint is not a URL":                                         {Endpoint: "ftp://s3cret@h"},
		"otlp.logs: headers: it must be name=value":                                    {Endpoint: "http://h", Headers: "s3cret"},
		"otlp.logs: headers: it must be name=value with commas":                        {Endpoint: "http://h", Headers: "a=s3cret%zz"},
		`otlp.logs: the header "a b" cannot be sent`:                                   {Endpoint: "http://h", Headers: "a b=s3cret"},
		`otlp.logs: the header "x" cannot be sent over gRPC`:                           {Endpoint: "http://h", Protocol: "grpc", Headers: "x=s3cret%0a"},
		`otlp.logs: protocol is "http/json"`:                                           {Endpoint: "http://h", Extra: map[string]string{"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/json"}},
		`otlp.logs: the variable for the compression is "zstd"`:                        {Endpoint: "http://h", Extra: map[string]string{"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}},
		`otlp.logs: the variable for the timeout is "1s"`:                              {Endpoint: "http://h", Extra: map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "1s"}},
		"otlp.logs: OTEL_RESOURCE_ATTRIBUTES: it must be name=value":                   {Endpoint: "http://h", Extra: map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "s3cret"}},
		"otlp.logs: reading the authorities to trust: open /none: no such file":        {Endpoint: "https://h", Extra: map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": "/none"}},
		"otlp.logs: reading the authorities to trust: open /none: no such file or dir": {Endpoint: "https://h", Protocol: "grpc", Extra: map[string]string{"OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": "/none"}},
	} {
		c, err := otlp.New(signal, cfg)
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// TestVariables takes those of the configuration before those of the environment.
func TestVariables(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "a=1,service.version=2")
	t.Setenv("OTEL_SERVICE_NAME", "environment")
	c, err := otlp.New(signal, otlp.Config{Endpoint: "http://h", Extra: map[string]string{"OTEL_SERVICE_NAME": "mine"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got []string
	for _, p := range c.Resource().Attributes {
		got = append(got, p.Key+"="+p.Value.GetStringValue())
	}
	if text := strings.Join(got, " "); text != "service.name=mine service.version=2 a=1" {
		t.Error(text)
	}
	var cfg otlp.Config
	for in, want := range map[string]time.Duration{"": 10 * time.Second, "250": 250 * time.Millisecond, "2s": 2 * time.Second} {
		if err := cfg.Settings().Load("x", setting.Values{"x.endpoint": "http://h", "x.timeout": in}); err != nil || cfg.Timeout != want {
			t.Errorf("%q: %v, %v", in, cfg.Timeout, err)
		}
	}
}
