package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/engine"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/metric"
	"github.com/saker-sec/saker/internal/web"
)

// observer shows what the run does: the health, versions and metrics that the web server answers, and the snapshots of the
// metrics. The engine's numbers come from its own goroutine through latest; everything else is read when it is asked for.
type observer struct {
	run    *run
	latest metric.Latest
	agent  metric.Agent
	host   metric.Host
	files  atomic.Pointer[fileHashes]
}

// fileHashes are the files that are in use.
type fileHashes struct {
	rules, configs []metric.FileHash
	loaded         time.Time
}

// newCanary returns a canary that changes to path, and the path: the directory where it is already, written in one of 2^64
// ways, so that no other process can pass for us and nothing depends on the number that the kernel has for this one, which
// in a pid namespace of our own we do not know.
func newCanary() (c *metric.Canary, path string) {
	var seed [8]byte
	rand.Read(seed[:]) // It never fails (crypto/rand).
	text := []byte{'.'}
	for _, b := range seed {
		for bit := range 8 {
			text = append(text, "//."[b>>bit&1:]...)
		}
	}
	path = string(text)
	return metric.NewCanary(metric.CanaryConfig{Emit: func() error { return unix.Chdir(path) }}), path
}

// isCanary reports whether an event is the canary that changes to path.
func isCanary(e *event.Event, path string) bool {
	if e.Code != event.SyscallChdirX {
		return false
	}
	text, _ := e.Text(1)
	return text == path
}

// newObserver reads what does not change while the program runs.
func newObserver(r *run) *observer {
	o := &observer{run: r, agent: metric.Agent{Version: Version, FalcoVersion: falcoVersion, Start: time.Now()}}
	p := o.proc()
	if started, err := p.Started(); err == nil {
		o.agent.Start = started
	}
	host, err := p.Host(r.hostname(), runtime.NumCPU())
	if err != nil {
		r.log.printf("Warning: metrics: %v", err)
	}
	o.host = host
	o.loaded()
	return o
}

func (o *observer) proc() metric.Proc {
	env := o.run.env
	return metric.Proc{HostRoot: env.Getenv("HOST_ROOT"), CgroupMemory: env.Getenv("FALCO_CGROUP_MEM_PATH")}
}

// loaded takes note of the files that are in use since now. The goroutine that reloads calls it.
func (o *observer) loaded() {
	h := &fileHashes{loaded: time.Now()}
	var rerr, cerr error
	h.rules, rerr = metric.HashFiles(o.run.files)
	h.configs, cerr = metric.HashFiles(o.run.conf.Files)
	for _, err := range []error{rerr, cerr} {
		if err != nil {
			o.run.log.printf("Warning: metrics: %v", err)
		}
	}
	o.files.Store(h)
}

// tick writes down the engine's numbers; the engine calls it.
func (o *observer) tick(e *engine.Engine) {
	s := e.Stats()
	l := &metric.Loop{
		Time: time.Now(), Events: s.Events, Alerts: s.ByPriority, State: metric.State(e.State().Stats()),
		DropsDetected: s.DropsDetected, DropActions: s.DropActions,
		Held: s.Held, HeldShed: s.HeldShed, HeldUnmet: s.HeldUnmet,
	}
	for _, r := range e.Rules().Rules() {
		l.Rules = append(l.Rules, metric.Rule{Name: r.Name, Source: r.Source, Priority: r.Priority, Tags: r.Tags, Matches: s.ByRule[r.Name]})
	}
	o.latest.Publish(l)
	if l, ok := o.run.source.source.(*live); ok && l.silent > o.run.observed.MaxTimeouts {
		o.run.publish(silence(o.run.observed.MaxTimeouts, l.last, o.run.hostname(), time.Now()))
		l.silent = 0
	}
}

// silence is the alert that the driver gave no event for long, not even those that we make ourselves (syscall_event_timeouts,
// falco-core.md §8.3). last is the time of the last event, 0 for none.
func silence(timeouts int, last uint64, hostname string, now time.Time) *alert.Alert {
	const rule = "Falco internal: timeouts notification"
	since := "none"
	if last > 0 {
		since = time.Unix(0, int64(last)).Format("15:04:05.000000000")
	}
	return &alert.Alert{
		Time: now, Rule: rule, Priority: alert.Debug, Source: "internal", Internal: true, Hostname: hostname,
		Message: fmt.Sprintf("%s. %d consecutive timeouts without event.", rule, timeouts),
		Fields:  []alert.Field{{Key: "last_event_time", Value: alert.Value{Kind: alert.Text, Text: since}}},
	}
}

// collect assembles all numbers. Any goroutine may call it.
func (o *observer) collect() *metric.Snapshot {
	files := o.files.Load()
	s := &metric.Snapshot{
		Time: time.Now(), Agent: o.agent, Host: o.host, Rules: files.rules, Configs: files.configs, Loop: o.latest.Load(),
	}
	s.Agent.Reload = files.loaded
	source := metric.Source{Name: "syscall", Events: s.Loop.Events}
	if !o.run.replays() {
		source.Engine = "nodriver"
	}
	if l, ok := o.run.source.source.(*live); ok {
		source.Engine, source.Kernel = "modern_bpf", l.kernel()
		ok, _ := l.canary.Healthy(s.Time)
		s.Health = &metric.Health{OK: ok, Lag: l.canary.Lag()}
		s.Containers, source.Plugins = containerMetrics(l.runtimes)
	}
	if k := o.run.source.cluster; k != nil {
		s.Cluster = k.metrics()
	}
	s.Sources = []metric.Source{source}
	for _, out := range o.run.outputStats() {
		s.Outputs = append(s.Outputs, metric.Output(out))
	}
	if r, err := o.proc().Resources(); err == nil {
		s.Resources = &r
	}
	if i, err := metric.Interfaces(); err == nil {
		s.Interfaces = i
	}
	if o.options().Memory {
		m := metric.ReadMemory()
		s.Memory = &m
	}
	return s
}

func (o *observer) options() metric.Options {
	m := o.run.observed.Metrics
	return metric.Options{
		Rules: m.Rules, Resources: m.Resources, State: m.State, Kernel: m.Kernel, KernelPerCPU: m.KernelPerCPU, LibBPF: m.LibBPF,
		Plugins: m.Plugins, Memory: m.Jemalloc, ConvertToMB: m.ConvertToMB, IncludeEmpty: m.IncludeEmpty,
	}
}

// healthy reports whether events flow.
func (o *observer) healthy() (bool, string) {
	if l, ok := o.run.source.source.(*live); ok {
		return l.canary.Healthy(time.Now())
	}
	return o.latest.Healthy(time.Now(), 10*time.Second)
}

// serve starts what shows the run, until ctx is done. The function it returns waits for the end.
func (o *observer) serve(ctx context.Context) (wait func(), err error) {
	r, conf := o.run, o.run.observed
	var running []func()
	begin := func(f func()) {
		done := make(chan struct{})
		go func() { f(); close(done) }()
		running = append(running, func() { <-done })
	}
	wait = func() {
		for _, w := range running {
			w()
		}
	}
	if l, ok := r.source.source.(*live); ok {
		begin(func() { l.canary.Run(ctx) })
	}
	if conf.Metrics.Enabled {
		reporter := &metric.Reporter{
			Interval: conf.Metrics.Interval, Collect: o.collect, Options: o.options(),
			Log: func(err error) { r.log.printf("Error: metrics: %v", err) },
		}
		if conf.Metrics.OutputRule {
			reporter.Publish = r.publish
		}
		if conf.Metrics.OutputFile != "" {
			if reporter.File, err = metric.OpenFile(conf.Metrics.OutputFile); err != nil {
				return wait, fmt.Errorf("metrics.output_file: %w", err)
			}
		}
		begin(func() { reporter.Run(ctx) })
	}
	if !conf.Webserver.Enabled || r.replays() {
		return wait, nil
	}
	server, err := o.listen()
	if err != nil {
		return wait, err
	}
	begin(func() {
		if err := server.Serve(); err != nil {
			r.log.printf("Error: web server: %v", err)
		}
	})
	begin(func() {
		<-ctx.Done()
		late, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		if err := server.Close(late); err != nil {
			r.log.printf("Error: closing the web server: %v", err)
		}
	})
	r.log.printf("Starting health webserver, listening on %s", server.Address())
	return wait, nil
}

// listen opens the web server's port.
func (o *observer) listen() (*web.Server, error) {
	w := o.run.observed.Webserver
	var versions bytes.Buffer
	if err := printVersion(&versions, true, o.run.plugins); err != nil {
		return nil, err
	}
	c := web.Config{
		Address: w.ListenAddress, Port: w.ListenPort, HealthPath: w.HealthzPath, Health: o.healthy, Versions: versions.Bytes(),
		Log: func(line string) { o.run.log.printf("web server: %s", line) },
	}
	if w.SSL {
		c.Certificate = w.SSLCertificate
	}
	if w.Prometheus && o.run.observed.Metrics.Enabled {
		c.MetricsType = metric.ContentType
		c.Metrics = func() []byte { return metric.AppendPrometheus(nil, o.collect(), o.options()) }
		if f := o.run.courier; f != nil {
			c.Metrics = func() []byte { return f.appendMetrics(metric.AppendPrometheus(nil, o.collect(), o.options())) }
		}
	}
	if f := o.run.courier; f != nil {
		c.Destinations = f.destinations
	}
	return web.Listen(c)
}
