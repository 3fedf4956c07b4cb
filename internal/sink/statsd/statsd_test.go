package statsd_test

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/statsd"
)

// server receives datagrams and counts as StatsD does.
type server struct {
	conn  *net.UDPConn
	count map[string]int
}

func serve(t *testing.T) *server {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &server{c, map[string]int{}}
}

// take reads one datagram.
func (s *server) take(t *testing.T) []string {
	t.Helper()
	b := make([]byte, 1<<16)
	s.conn.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := s.conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if n > 1432 {
		t.Errorf("a datagram of %d bytes", n)
	}
	var lines []string
	for line := range strings.SplitSeq(string(b[:n]), "\n") {
		m := regexp.MustCompile(`^([^:|]+):(\d+)\|c(\|#[^|]+)?$`).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%q is no counter", line)
		}
		var value int
		fmt.Sscan(m[2], &value)
		s.count[m[1]+m[3]] += value
		lines = append(lines, line)
	}
	return lines
}

func open(name string, v setting.Values) (*statsd.Sink, error) {
	if name == "dogstatsd" {
		return setting.Open(name, v, statsd.NewDog)
	}
	return setting.Open(name, v, statsd.New)
}

// TestCounters counts alerts in the form of each kind of server.
func TestCounters(t *testing.T) {
	for _, c := range []struct {
		name   string
		values setting.Values
		want   string
	}{
		{"statsd", setting.Values{"statsd.tags": "a:b"}, "falcosidekick.falco.accepted.Warning:1|c"},
		{"statsd", setting.Values{"statsd.namespace": "x|y\n."}, "x_y_.falco.accepted.Warning:1|c"},
		{"dogstatsd", setting.Values{}, "falcosidekick.falco.accepted:1|c|#priority:Warning"},
		{"dogstatsd", setting.Values{"dogstatsd.tags": "cluster:one, e|vil", "dogstatsd.namespace": "n."}, "n.falco.accepted:1|c|#cluster:one,e_vil,priority:Warning"},
	} {
		srv := serve(t)
		c.values[c.name+".forwarder"] = srv.conn.LocalAddr().String()
		s, err := open(c.name, c.values)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil); err != nil {
			t.Fatal(err)
		}
		if got := srv.take(t); len(got) != 1 || got[0] != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		for _, sample := range sinktest.Samples() {
			if err := s.Send(t.Context(), sample.Alert(t), nil); err != nil {
				t.Error(err)
			}
			srv.take(t)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestWatch sends differences, keeps those that could not be sent, and sends the rest at the end.
func TestWatch(t *testing.T) {
	srv := serve(t)
	s, err := open("statsd", setting.Values{"statsd.forwarder": srv.conn.LocalAddr().String(), "statsd.interval": "5ms"})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	inputs := map[[2]string]uint64{{"requests", "accepted"}: 7, {"requests", "rejected"}: 2}
	outputs := map[[2]string]uint64{{"web hook|x", "ok"}: 5}
	s.Watch(func() (map[[2]string]uint64, map[[2]string]uint64) {
		mu.Lock()
		defer mu.Unlock()
		in, out := map[[2]string]uint64{}, map[[2]string]uint64{}
		for k, v := range inputs {
			in[k] = v
		}
		for k, v := range outputs {
			out[k] = v
		}
		return in, out
	})
	if err := s.Send(t.Context(), sinktest.Samples()[0].Alert(t), nil); err != nil {
		t.Fatal(err)
	}
	first := srv.take(t)
	first = append(first, srv.take(t)...)
	slices.Sort(first)
	want := []string{
		"falcosidekick.falco.accepted.Warning:1|c", "falcosidekick.inputs.requests.accepted:7|c", "falcosidekick.inputs.requests.rejected:2|c",
		"falcosidekick.outputs.webhook_x.ok:5|c", "falcosidekick.total:9|c",
	}
	if !slices.Equal(first, want) {
		t.Errorf("got %q, want %q", first, want)
	}
	mu.Lock()
	inputs[[2]string{"requests", "accepted"}] += 3
	for i := range 100 {
		outputs[[2]string{fmt.Sprint("destination ", i), "error"}] = 1
	}
	mu.Unlock()
	for srv.count["falcosidekick.total"] < 12 || srv.count["falcosidekick.outputs.destination99.error"] < 1 {
		srv.take(t)
	}
	mu.Lock()
	inputs[[2]string{"requests", "accepted"}]++
	mu.Unlock()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for srv.count["falcosidekick.total"] < 13 {
		srv.take(t)
	}
	if n := srv.count["falcosidekick.inputs.requests.accepted"]; n != 11 || srv.count["falcosidekick.outputs.webhook_x.ok"] != 5 {
		t.Errorf("%v", srv.count)
	}
}

// TestNobody is told sometimes that nobody listens; that is an error that is tried again.
func TestNobody(t *testing.T) {
	srv := serve(t)
	addr := srv.conn.LocalAddr().String()
	srv.conn.Close()
	s, err := open("dogstatsd", setting.Values{"dogstatsd.forwarder": addr})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	servertest.Await(t, "an error", func() error {
		err := s.Send(t.Context(), &alert.Alert{}, nil)
		if err == nil {
			return fmt.Errorf("none")
		}
		if route.Permanent(err) || !strings.Contains(err.Error(), "dogstatsd: sending to udp://"+addr) {
			t.Error(err)
		}
		return nil
	})
	for _, bad := range []string{"host", ":8125", "host:"} {
		if _, err := open("statsd", setting.Values{"statsd.forwarder": bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
