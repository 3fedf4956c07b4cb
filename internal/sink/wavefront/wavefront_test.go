package wavefront_test

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/wavefront"
)

func open(v setting.Values) (route.Sink, error) { return setting.Open("wavefront", v, wavefront.New) }

func TestDirect(t *testing.T) {
	sinktest.HTTP{
		Prefix: "wavefront", Secrets: []string{"s3cretT0ken"}, Open: open,
		Settings: func(url string) setting.Values {
			return setting.Values{"wavefront.endpointtype": "direct", "wavefront.endpointhost": url, "wavefront.endpointtoken": "s3cretT0ken"}
		},
		Variants: map[string]setting.Values{"name": {"wavefront.metricname": `my "metric`}},
	}.Run(t)
}

// TestProxy sends lines to a proxy that is not there at first, and that closes the connection after each one.
func TestProxy(t *testing.T) {
	addr := servertest.Free(t)
	host, port, _ := net.SplitHostPort(addr)
	s, err := open(setting.Values{"wavefront.endpointtype": "proxy", "wavefront.endpointhost": host, "wavefront.endpointmetricport": port, "wavefront.batchsize": "2"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	a := sinktest.Samples()[0].Alert(t)
	if err := s.Send(t.Context(), a, nil); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "wavefront: sending to tcp://"+addr) {
		t.Errorf("nobody listens: %v", err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(c).ReadString('\n')
			lines <- line
			c.Close()
		}
	}()
	for range 3 {
		servertest.Await(t, "sending", func() error { return s.Send(t.Context(), a, nil) })
		if got := <-lines; !strings.HasPrefix(got, `"falco.alert" 1 1795459618138453459 source="falco-exporter" "severity"="Warning" `) || !strings.HasSuffix(got, "\n") {
			t.Errorf("%q", got)
		}
	}
	l.Close()
	for range lines {
		continue
	}
	errs := s.(interface {
		SendBatch(ctx context.Context, alerts []*alert.Alert) []error
	}).SendBatch(t.Context(), []*alert.Alert{a, a, a})
	if len(errs) != 3 || errs[0] == nil || errs[2] == nil {
		t.Errorf("the proxy has gone: %v", errs)
	}
}

func TestConfig(t *testing.T) {
	_, err := open(setting.Values{"wavefront.endpointtype": "other", "wavefront.endpointhost": "h"})
	if err == nil || !strings.Contains(err.Error(), "it must be direct or proxy") {
		t.Error(err)
	}
}
