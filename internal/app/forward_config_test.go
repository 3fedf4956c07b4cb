package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
)

// TestMapsOfBoth has a map in the file and in the environment: the latter goes before the former, name by name.
func TestMapsOfBoth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("customfields: {Cluster: one, zone: a}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]string{
		"":                                    "map[Cluster:one zone:a]",
		"CUSTOMFIELDS=cluster:two, team:x:y":  "map[cluster:two team:x:y zone:a]",
		"CUSTOMFIELDS=zone:b,Cluster:%REGION": "map[Cluster:eu zone:b]",
		"CUSTOMFIELDS=zone:%NOWHERE":          "map[Cluster:one] customfields: zone is left out, for the environment has no NOWHERE",
	} {
		conf, warnings, err := loadForward(path, environment(env, "REGION=eu"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(fmt.Sprint(conf.transform.CustomFields, " ", strings.Join(warnings, "\n"))); got != want {
			t.Errorf("%s: %s, want %s", env, got, want)
		}
	}
}

// TestMerges has maps that take over from others, as several destinations of one kind do.
func TestMerges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(`
webhook: &common
  address: http://one
  customheaders: &headers {X-Team: a, X-Zone: z}
  maxconcurrentrequests: 2
slack: &slack {<<: *slack, webhookurl: http://slack}
customtags: [&tag one, *tag]
destinations:
  - {<<: *common, name: two, type: webhook, address: http://two, customheaders: {<<: *headers, X-Team: b}}
  - {<<: [{timeout: 3s}, {timeout: 4s, address: http://three}], name: three, type: webhook}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	conf, warnings, err := loadForward(path, environment())
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	for key, want := range map[string]string{
		"two.address": "http://two", "two.customheaders.X-Team": "b", "two.customheaders.X-Zone": "z", "two.maxconcurrentrequests": "2",
		"three.timeout": "3s", "three.address": "http://three", "slack.webhookurl": "http://slack", "customtags": "one,one",
	} {
		if got := conf.values[key]; got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

// TestLargeBatch takes a batch as large as it is asked for, larger than the default.
func TestLargeBatch(t *testing.T) {
	conf, _, err := loadForward("", environment("AWS_SECURITYLAKE_BUCKET=b", "AWS_SECURITYLAKE_REGION=r", "AWS_SECURITYLAKE_PREFIX=p", "AWS_SECURITYLAKE_ACCOUNTID=a", "AWS_SECURITYLAKE_BATCHSIZE=5000"))
	if err != nil || len(conf.destinations) != 1 {
		t.Fatal(conf, err)
	}
	d := conf.destinations[0]
	s, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	bytes, _, _ := s.(route.Measurer).Batch()
	if d.BatchSize != 5000 || d.ahead != 10000 || bytes < 5000*1000 {
		t.Errorf("a batch has %d alerts and %d bytes, %d are held", d.BatchSize, bytes, d.ahead)
	}
}

// TestForwardTells says that there is no destination, and what is wrong with connections.
func TestForwardTells(t *testing.T) {
	certs, port := servertest.NewCertificates(t), servertest.Number(t, servertest.Free(t))
	ctx, cancel := context.WithCancel(t.Context())
	var log lines
	done := make(chan int)
	go func() {
		done <- Run(ctx, Env{Args: []string{"forward"}, Stdout: io.Discard, Stderr: &log, Getenv: environment(
			"LISTENADDRESS=127.0.0.1", "LISTENPORT="+strconv.Itoa(port), "QUEUE_DIR="+filepath.Join(t.TempDir(), "queue"),
			"TLSSERVER_DEPLOY=true", "TLSSERVER_CERTFILE="+certs.ServerCert, "TLSSERVER_KEYFILE="+certs.ServerKey,
		)})
	}()
	eventually(t, "starting", func() bool { return strings.Contains(log.text(), "Warning: no destination is on") })
	if answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/ping", port)); err == nil {
		answer.Body.Close()
	}
	eventually(t, "telling", func() bool {
		return strings.Contains(log.text(), "Warning: taking alerts: http: TLS handshake error from 127.0.0.1:")
	})
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("it ends with %d", code)
	}
}
