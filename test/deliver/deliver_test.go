// Package deliver measures saker forward: how many alerts it takes a second, each on disk before the answer; how many it delivers to a
// webhook that answers at once or after 50 ms; what it takes in memory while 100 000 wait; and how soon it answers after its start.
//
//	go test -run '^$' -bench . -benchtime 1x -timeout 30m ./test/deliver
//	go test ./test/deliver     # the start alone
//
// With SAKER_SIDEKICK=path of a Falcosidekick, that one stands beside it in the same run. It answers when it has read an alert, Saker when
// the alert is on disk.
package deliver

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/saker-sec/saker/internal/app" // the program that is built: what changes in it is to be tested again
	"github.com/saker-sec/saker/internal/sink/servertest"
)

// example is an alert of ordinary size.
const example = `{"uuid":"","output":"18:46:58.138453459: Warning Sensitive file opened for reading by non-trusted program (file=/etc/shadow gparent=sudo ` +
	`ggparent=bash evt_type=openat user=root user_uid=0 user_loginuid=1000 process=cat proc_exepath=/usr/bin/cat parent=sudo command=cat /etc/shadow terminal=34816 ` +
	`container_id=host)","priority":"Warning","rule":"Read sensitive file untrusted","time":"2026-11-23T18:46:58.138453459Z","output_fields":{"container.id":"host",` +
	`"evt.time.iso8601":1795459618138453459,"evt.type":"openat","fd.name":"/etc/shadow","proc.cmdline":"cat /etc/shadow","proc.exepath":"/usr/bin/cat","proc.name":"cat",` +
	`"proc.pname":"sudo","proc.tty":34816,"user.loginuid":1000,"user.name":"root","user.uid":0},"source":"syscall","tags":["T1555","filesystem","host","mitre_credential_access"],` +
	`"hostname":"node-1"}`

// build compiles the binary.
func build(t testing.TB) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "saker")
	if out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", bin, "github.com/saker-sec/saker/cmd/saker").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// program is what is measured.
type program struct {
	name string
	args []string // before the name of the configuration
}

// programs returns saker forward, and Falcosidekick where there is one.
func programs(t testing.TB) []program {
	all := []program{{"saker", []string{build(t), "forward", "-c"}}}
	if path := os.Getenv("SAKER_SIDEKICK"); path != "" {
		all = append(all, program{"falcosidekick", []string{path, "-c"}})
	}
	return all
}

// process is a running program.
type process struct {
	t       testing.TB
	cmd     *exec.Cmd
	url     string
	started time.Duration // until it answers
}

// start starts it with one webhook.
func start(t testing.TB, what program, webhook string, concurrency int) *process {
	t.Helper()
	port := servertest.Number(t, servertest.Free(t))
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf("listenaddress: 127.0.0.1\nlistenport: %d\nqueue: {dir: %s}\nwebhook: {address: %q, maxconcurrentrequests: %d}\n",
		port, filepath.Join(dir, "queue"), webhook, concurrency)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(what.args[0], append(what.args[1:len(what.args):len(what.args)], config)...), url: fmt.Sprintf("http://127.0.0.1:%d/", port)}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		_ = p.cmd.Wait()
	})
	for {
		answer, err := http.Get(p.url + "ping")
		if err == nil {
			answer.Body.Close()
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("it does not start")
		}
		<-time.After(time.Millisecond)
	}
	p.started = time.Since(begin)
	return p
}

// post sends alerts over many connections and returns how long it took.
func post(t testing.TB, url string, n, connections int) time.Duration {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var group sync.WaitGroup
	begin := time.Now()
	for range connections {
		group.Go(func() {
			for next.Add(1) <= int64(n) {
				answer, err := client.Post(url, "application/json", strings.NewReader(example))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body) // so that the connection can be used again
				answer.Body.Close()
				if answer.StatusCode != http.StatusOK {
					t.Errorf("an alert is answered with %s", answer.Status)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(begin)
}

// cpu returns the time that the process has taken of all cores (man 5 proc, stat: utime and stime in ticks of 10 ms).
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(string(f))
		if err != nil {
			p.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// status returns a number of kilobytes from /proc/[pid]/status.
func (p *process) status(name string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				p.t.Fatal(err)
			}
			return n
		}
	}
	p.t.Fatalf("/proc has no %s", name)
	return 0
}

// webhook is a destination that takes its time.
type webhook struct {
	latency     time.Duration
	got         atomic.Int64
	first, last atomic.Int64 // when, in nanoseconds
}

func (h *webhook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	h.first.CompareAndSwap(0, time.Now().UnixNano())
	_, _ = io.Copy(io.Discard, r.Body) // the content does not matter here
	if h.latency > 0 {
		<-time.After(h.latency)
	}
	h.got.Add(1)
	h.last.Store(time.Now().UnixNano())
}

func (h *webhook) wait(t testing.TB, n int) time.Duration {
	t.Helper()
	for last, since := int64(0), time.Now(); h.got.Load() < int64(n); <-time.After(time.Millisecond) {
		if got := h.got.Load(); got > last {
			last, since = got, time.Now()
		} else if time.Since(since) > time.Minute {
			t.Fatalf("%d of %d alerts arrive", got, n)
		}
	}
	return time.Duration(h.last.Load() - h.first.Load())
}

// senders is how many connections bring alerts in.
const senders = 128

// BenchmarkDeliver posts alerts and waits until the webhook has them. Beside it stands what a client without any queue delivers to the same
// webhook over as many connections (direct), on the same machine under the same load.
func BenchmarkDeliver(b *testing.B) {
	all := programs(b)
	for _, c := range []struct {
		latency     time.Duration
		concurrency int
		alerts      int
	}{
		{0, 1, 20000}, {0, 16, 20000}, {50 * time.Millisecond, 1, 200}, {50 * time.Millisecond, 16, 3200},
	} {
		for _, what := range all {
			b.Run(fmt.Sprintf("latency=%v/concurrency=%d/%s", c.latency, c.concurrency, what.name), func(b *testing.B) {
				for b.Loop() {
					deliver(b, what, c.latency, c.concurrency, c.alerts)
				}
			})
		}
	}
}

// deliver is one run of BenchmarkDeliver.
func deliver(b *testing.B, what program, latency time.Duration, concurrency, alerts int) {
	h := &webhook{latency: latency}
	server := httptest.NewServer(h)
	defer server.Close()
	p := start(b, what, server.URL, concurrency)
	before := p.cpu()
	took := post(b, p.url, alerts, senders)
	delivered := h.wait(b, alerts)
	used := p.cpu() - before
	b.ReportMetric(float64(alerts)/took.Seconds(), "accepted/s")
	rate := float64(alerts) / delivered.Seconds()
	b.ReportMetric(rate, "delivered/s")
	b.ReportMetric(float64(used.Microseconds())/float64(alerts), "cpu-µs/alert")
	b.ReportMetric(float64(p.status("VmHWM"))/1024, "peak-MiB")
	direct := float64(alerts) / post(b, server.URL, alerts, concurrency).Seconds()
	b.ReportMetric(direct, "direct/s")
	if latency > 0 {
		b.ReportMetric(100*rate/(float64(concurrency)/latency.Seconds()), "%ideal")
	}
}

// BenchmarkAccept posts alerts for a destination that is away, until 100 000 wait.
func BenchmarkAccept(b *testing.B) {
	saker := programs(b)[0]
	const alerts = 100_000
	for b.Loop() {
		p := start(b, saker, "http://127.0.0.1:1", 1)
		before := p.cpu()
		took := post(b, p.url, alerts, senders)
		used := p.cpu() - before
		b.ReportMetric(alerts/took.Seconds(), "accepted/s")
		b.ReportMetric(alerts/used.Seconds(), "accepted/s/core")
		b.ReportMetric(float64(p.status("VmRSS"))/1024, "RSS-MiB")
		b.ReportMetric(float64(p.status("VmHWM"))/1024, "peak-MiB")
	}
}

// TestStart holds that it answers within 300 ms of its start, with one destination.
func TestStart(t *testing.T) {
	saker := programs(t)[0]
	var times []time.Duration
	for range 7 {
		p := start(t, saker, "http://127.0.0.1:1", 1)
		times = append(times, p.started)
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // the next one is not to be slowed by it
		_ = p.cmd.Wait()
	}
	slices.Sort(times)
	t.Logf("it answers after %v", times)
	if times[0] > 300*time.Millisecond {
		t.Errorf("it answers after %v at best, want 300ms", times[0])
	}
}
