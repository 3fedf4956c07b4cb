package otlpmetrics_test

import (
	"regexp"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/otlpmetrics"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) {
	return setting.Open("otlp.metrics", v, otlpmetrics.New)
}

// blur replaces times and the name of the sink.
func blur(text string) string {
	text = regexp.MustCompile(`"(startTimeUnixNano|timeUnixNano)": "\d+"`).ReplaceAllString(text, `"$1": "TIME"`)
	return regexp.MustCompile(`"stringValue": "[A-Z2-7]{26}"`).ReplaceAllString(text, `"stringValue": "INSTANCE"`)
}

func Test(t *testing.T) {
	sinktest.OTLP{
		Prefix: "otlp.metrics", Open: open, Method: collector.MetricsService_Export_FullMethodName,
		Request: func() proto.Message { return &collector.ExportMetricsServiceRequest{} },
		Blur:    blur,
		Variants: map[string]setting.Values{
			"variables":  {"otlp.metrics.extraenvvars": "OTEL_EXPORTER_OTLP_COMPRESSION:gzip,OTEL_RESOURCE_ATTRIBUTES:cluster=one%2Cpart=a,OTEL_SERVICE_NAME:saker,OTEL_EXPORTER_OTLP_HEADERS:x-two=2"},
			"attributes": {"otlp.metrics.extraattributes": "proc.cmdline, proc.pid, none", "customfields": "fd.name:x"},
		},
	}.Run(t)
}
