package otlplogs_test

import (
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/otlplogs"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) { return setting.Open("otlp.logs", v, otlplogs.New) }

func Test(t *testing.T) {
	sinktest.OTLP{
		Prefix: "otlp.logs", Open: open, Method: collector.LogsService_Export_FullMethodName,
		Request: func() proto.Message { return &collector.ExportLogsServiceRequest{} },
		Variants: map[string]setting.Values{
			"variables": {"otlp.logs.extraenvvars": "OTEL_EXPORTER_OTLP_COMPRESSION:gzip,OTEL_RESOURCE_ATTRIBUTES:cluster=one%2Cpart=a,OTEL_SERVICE_NAME:saker,OTEL_EXPORTER_OTLP_HEADERS:x-two=2"},
		},
	}.Run(t)
}
