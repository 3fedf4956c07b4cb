package all_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/all"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// TestDestinations makes every destination from nothing but the keys it needs.
func TestDestinations(t *testing.T) {
	list := all.Destinations()
	if !slices.IsSortedFunc(list, func(a, b all.Destination) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the list is not sorted")
	}
	accounts := setting.Values{"yandex.accesskeyid": "id", "yandex.secretaccesskey": "s3cret"} // they turn nothing on
	for _, d := range list {
		values, seen := maps.Clone(accounts), map[string]bool{}
		if d.On("my", values) {
			t.Errorf("%s is on without settings", d.Name)
		}
		for _, k := range d.Keys("my") {
			if seen[k.Name] || k.Name != strings.ToLower(k.Name) || k.Doc == "" {
				t.Errorf("%s: key %+v", d.Name, k)
			}
			seen[k.Name] = true
			if k.Required {
				values[k.Name] = example(d.Name, k.Name)
			}
		}
		udp := d.Name == "statsd" || d.Name == "dogstatsd" // there is nothing to wait for and to encrypt
		if !udp && (!seen["my.timeout"] || !seen["my.checkcert"] || !seen["tlsclient.cacertfile"]) || !seen["my.minimumpriority"] {
			t.Errorf("%s lacks a key that all have", d.Name)
		}
		if !d.On("my", values) {
			t.Errorf("%s is off with %v", d.Name, values)
		}
		switch d.Name { // what is not required by itself
		case "azure.eventhub":
			values["my.namespace"] = "ns"
		case "kubernetesevents", "openreports", "policyreport":
			values["my.kubeconfig"] = sinktest.Kubeconfig(t, "http://127.0.0.1:1")
		}
		s, err := d.Open("my", values)
		if err != nil || s == nil {
			t.Errorf("%s: %v", d.Name, err)
			continue
		}
		if _, ok := s.(route.Flusher); ok {
			t.Errorf("%s keeps alerts back; from the durable queue it has to be a route.Batcher for that", d.Name)
		}
		if _, err := d.Open("my", setting.Values{"my.timeout": "x", "my.interval": "x"}); err == nil {
			t.Errorf("%s takes a wrong value", d.Name)
		}
		if f, ok := all.Find(d.Name); !ok || f.Name != d.Name {
			t.Errorf("%s is not found", d.Name)
		}
	}
	if _, ok := all.Find("carrier pigeon"); ok {
		t.Error("there is no such destination")
	}
}

// example returns a value that a key can have. What is not HTTP has addresses of its own kind.
func example(destination, key string) string {
	switch destination {
	case "redis", "stan", "mysql", "timescaledb", "kafka", "rabbitmq", "mqtt", "nats", "jetstream", "statsd", "dogstatsd":
		return "127.0.0.1:1"
	case "gcp.cloudfunctions":
		return "projects/p/locations/l/functions/f"
	case "gcp.chronicle":
		return "eu"
	case "kubernetesevents", "openreports", "policyreport":
		return "true"
	case "logstash", "syslog":
		return "127.0.0.1"
	case "smtp":
		if strings.HasSuffix(key, ".hostport") {
			return "127.0.0.1:1"
		}
		return "a@example.org"
	case "wavefront":
		if strings.HasSuffix(key, ".endpointtype") {
			return "proxy"
		}
		return "127.0.0.1"
	}
	return "http://s3cret@127.0.0.1:1"
}

// ours are the destinations that Falcosidekick does not have.
var ours = []string{"clickhouse", "jetstream", "kubernetesevents", "mysql", "openreports", "opensearch", "victorialogs"}

// TestKeys holds that Falcosidekick's keys are there, for each destination that there is.
func TestKeys(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "reference", "sidekick-outputs.tsv"))
	if err != nil {
		t.Skip("the reference is not beside the project: ", err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		column := strings.Split(line, "\t")
		fields := strings.Fields(column[5])
		prefix, _, _ := strings.Cut(fields[0], ".")
		d, ok := all.Find(prefix)
		if parts := strings.Split(fields[0], "."); !ok && len(parts) > 2 {
			prefix = parts[0] + "." + parts[1]
			d, ok = all.Find(prefix)
		}
		if !ok {
			continue
		}
		n++
		var keys []string
		for _, k := range d.Keys(prefix) {
			keys = append(keys, k.Name)
		}
		for _, f := range fields {
			name, _, _ := strings.Cut(f, "=")
			if strings.HasPrefix(name, prefix+".") && !slices.Contains(keys, name) {
				t.Errorf("%s lacks the key %s", prefix, name)
			}
		}
	}
	if n+len(ours) != len(all.Destinations()) {
		t.Errorf("%d destinations are in the reference and %d are ours, there are %d", n, len(ours), len(all.Destinations()))
	}
}

func TestLeast(t *testing.T) {
	for value, want := range map[string]alert.Priority{"": alert.Debug, "Warning": alert.Warning, "info": alert.Informational} {
		if p, err := all.Least("x", setting.Values{"x.minimumpriority": value}); p != want || err != nil {
			t.Errorf("%q: %v, %v", value, p, err)
		}
	}
	if _, err := all.Least("x", setting.Values{"x.minimumpriority": "loud"}); err == nil || err.Error() != `x.minimumpriority is "loud", it must be a priority or empty` {
		t.Error(err)
	}
}

// TestSend posts through one that was made by name.
func TestSend(t *testing.T) {
	url := sinktest.Serve(t, nil)
	d, _ := all.Find("webhook")
	s, err := d.Open("second", setting.Values{"second.address": url})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), sinktest.Alert("m"), nil); err != nil {
		t.Error(err)
	}
}
