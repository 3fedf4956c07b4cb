package logstash_test

import (
	"bufio"
	"net"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/logstash"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) { return setting.Open("logstash", v, logstash.New) }

func settings(addr string, tls bool) setting.Values {
	host, port, _ := net.SplitHostPort(addr)
	v := setting.Values{"logstash.address": host, "logstash.port": port}
	if tls {
		v["logstash.tls"] = "true"
	}
	return v
}

func Test(t *testing.T) {
	sinktest.Wire{
		Prefix: "logstash", Large: true, Open: open, Settings: settings,
		Record:   func(r *bufio.Reader) (string, error) { return r.ReadString('\n') },
		Variants: map[string]setting.Values{"tags": {"logstash.tags": "one, two"}},
	}.Run(t)
}

// TestFiles takes certificates from the destination's own keys.
func TestFiles(t *testing.T) {
	cert := servertest.NewCertificates(t)
	v := settings("127.0.0.1:1", false)
	v["logstash.mutualtls"], v["logstash.certfile"], v["logstash.keyfile"], v["logstash.cacertfile"] = "true", cert.ClientCert, cert.ClientKey, cert.CA
	if _, err := open(v); err != nil {
		t.Error(err)
	}
	v["logstash.keyfile"] = "/none"
	if _, err := open(v); err == nil {
		t.Error("a key that is not there is taken")
	}
}
