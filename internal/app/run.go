package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/engine"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/ruleset"
)

// run is the program while it watches: the engine in the goroutine of drive, and beside it the one that waits for signals and
// changed files. What both touch is atomic.
type run struct {
	*program
	source *opened
	engine *engine.Engine

	mu     sync.RWMutex // held for writing while the router is exchanged, so that no alert goes to one that is closed
	router *route.Router
	latest atomic.Pointer[route.Router] // router, for who must not wait for mu

	recorder *capture.Recorder // nil when nothing is recorded
	logged   func()            // waits until what the engine logged is written
	observer *observer
	observed *config.Config // what the observer goes by: the configuration at the start

	// Of the goroutine that reloads.
	plan  plan
	key   outputKey
	tried *program // what a reload that failed came to; nil after one that worked
}

// drainTime is how long alerts may take to leave at the end; what is left then is counted and said.
const drainTime = 5 * time.Second

// newRun joins the source, the outputs and the rules.
func (p *program) newRun(o *opened, router *route.Router, pl plan) (*run, error) {
	r := &run{program: p, source: o, plan: pl, key: p.outputKey(), observed: p.conf}
	r.router = router
	r.latest.Store(router)
	r.observer = newObserver(r)
	recorder, err := r.newRecorder()
	if err != nil {
		return nil, err
	}
	r.recorder = recorder
	var log func(string)
	log, r.logged = p.log.later()
	c := engine.Config{
		Source: o.joined(), State: o.state, Rules: pl.rules, Report: r.publish, Duration: p.opt.Duration * uint64(time.Second),
		Hostname: p.hostname(), Losses: o.losses, Drops: p.dropPolicy(), Log: log,
		Tick: r.observer.tick,
	}
	if o.losses != nil {
		c.Hold = uint64(p.conf.AlertHold)
	}
	if s, ok := o.source.(*live); ok {
		c.Now = s.Now
	}
	if recorder != nil {
		c.Recorder = recorder
		switch s := o.source.(type) {
		case *live:
			s.fs.recorder = recorder
		case *replay:
			s.recorder = recorder
		}
	}
	r.engine = engine.New(c)
	return r, nil
}

// publish hands an alert to the outputs. Any goroutine may call it.
func (r *run) publish(a *alert.Alert) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	r.router.Publish(a)
}

// exchange puts another router into place and returns the one of before.
func (r *run) exchange(next *route.Router) *route.Router {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.router
	r.router = next
	r.latest.Store(next)
	return old
}

// stopWaiting lets the engine go on that waits for an output with mu held for reading.
func (r *run) stopWaiting() { r.latest.Load().StopWaiting() }

func (r *run) reopen() {
	r.mu.RLock()
	defer r.mu.RUnlock()
	r.router.Reopen()
}

// drive runs the engine to its end, then delivers what is left, and prints what was done.
func (r *run) drive(interrupt context.Context) error {
	changes := &reloads{hup: r.env.Reload, began: r.began}
	r.watchFiles(changes)
	r.log.printf("watching %s: %d rules, %d system calls, %d processes and %d descriptors known; end with Control-C",
		r.source.what, len(r.plan.rules.Rules()), len(r.plan.calls), r.source.state.NumThreads(), r.source.state.NumFDs())
	begin := time.Now()
	serving, stopServing := context.WithCancel(context.Background())
	defer stopServing()
	wait, err := r.observer.serve(serving)
	if err != nil {
		stopServing()
		wait()
		r.logged()
		return errors.Join(err, r.source.close(), r.drain(interrupt))
	}
	defer context.AfterFunc(interrupt, r.stopWaiting)()
	ctx, cancel := context.WithCancel(interrupt)
	ended := make(chan struct{})
	go func() { r.attend(ctx, changes); close(ended) }()
	running, stop := context.WithCancel(context.WithoutCancel(interrupt))
	defer stop()
	defer context.AfterFunc(interrupt, func() { r.finish(stop) })()
	err = r.engine.Run(running)
	if r.recorder != nil {
		late, stop := context.WithTimeout(context.Background(), drainTime)
		err = errors.Join(err, r.recorder.Close(late))
		stop()
	}
	cancel()
	<-ended
	stopServing()
	wait()
	var lost engine.Losses
	if r.source.losses != nil {
		lost = r.source.losses()
	}
	err = errors.Join(err, r.source.close())
	if left := r.drain(interrupt); left != nil && r.replays() {
		err = errors.Join(err, left)
	} else if left != nil {
		// To be stopped while a destination is away is no failure of ours: service managers go by the exit code.
		r.log.printf("Error: %v", left)
	}
	r.logged()
	r.closing(lost, time.Since(begin))
	return err
}

// finish has the engine end when the program is interrupted. What the kernel saw before is judged first, if that takes no longer than
// drainTime; then stop ends the engine.
func (r *run) finish(stop func()) {
	s, ok := r.source.source.(*live)
	if !ok {
		stop()
		return
	}
	if err := s.Driver.Close(); err != nil {
		r.log.printf("Error: %v", err)
	}
	time.AfterFunc(drainTime, stop)
}

// outputStats returns what the outputs did.
func (r *run) outputStats() []route.Stats {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.router.Stats()
}

// drain delivers what is left. A replay waits for the outputs of this machine until it is interrupted.
func (r *run) drain(interrupt context.Context) error {
	if r.replays() {
		return r.router.Close(interrupt)
	}
	ctx, stop := context.WithTimeout(context.Background(), drainTime)
	defer stop()
	return r.router.Close(ctx)
}

// attend waits for signals and changed files until ctx is done.
func (r *run) attend(ctx context.Context, changes *reloads) {
	reopened := make(chan struct{})
	go func() {
		defer close(reopened)
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.env.Reopen:
				r.reopen()
			}
		}
	}()
	defer func() { <-reopened }()
	for changes.next(ctx) {
		err := r.reload(ctx)
		if ctx.Err() != nil {
			break // The end closes what a reload needs: that it fails is no news.
		}
		r.watchFiles(changes)
		r.sayReloaded(err) // whoever answers to that by a change is noticed
	}
	changes.close()
}

// watchFiles watches the files that are in use, those that would be if they existed, and those that a reload failed for.
func (r *run) watchFiles(changes *reloads) {
	var files, dirs []string
	for _, p := range []*program{r.program, r.tried} {
		if p != nil {
			files = slices.Concat(files, p.conf.Files, p.conf.Missing, p.files, p.missing)
			dirs = slices.Concat(dirs, p.conf.Dirs, p.dirs)
		}
	}
	if err := changes.watch(r.conf.WatchFiles, files, dirs); err != nil {
		r.log.printf("Warning: %v; only SIGHUP reloads", err)
	}
}

// reload reads configuration and rules again and puts them into place between two events; the source stays attached and the
// state is kept. When anything is wrong, all stays as it was.
func (r *run) reload(ctx context.Context) error {
	next := &program{
		env: r.env, opt: r.opt, fields: r.fields, log: r.log, plugins: r.plugins, off: r.off, courier: r.courier, needsConfig: r.conf.Loaded,
	}
	err := next.loadConfig(ctx)
	if err == nil && next.otherPlugins(r.conf) {
		r.log.printf("Warning: a change of plugins or load_plugins takes effect when Saker is started anew")
	}
	if err == nil && otherForward(next.conf, r.conf) {
		if _, err = next.forwardOf(); err == nil {
			r.log.printf("Warning: a change of forward takes effect when Saker is started anew")
		}
	}
	var pl plan
	if err == nil {
		r.hosts.mark()
		pl, err = next.plan()
	}
	var router *route.Router
	if err == nil && next.outputKey() != r.key {
		router, err = next.newRouter()
	}
	if err == nil && r.source.syscalls != nil {
		err = r.source.syscalls(pl.calls)
	}
	if err != nil {
		if router != nil {
			err = errors.Join(err, router.Close(ctx))
		}
		r.tried = next
		return errors.Join(err, r.log.configure(r.conf, r.env.Stderr))
	}
	r.log.printf("SIGHUP received, restarting...")
	if fixed := config.Differ(r.conf, next.conf, fixedSections...); len(fixed) > 0 {
		r.log.printf("Warning: a change of %s takes effect when Saker is started anew", strings.Join(fixed, ", "))
	}
	r.engine.Swap(pl.rules)
	r.plan, r.conf, r.files, r.dirs, r.missing, r.tried = pl, next.conf, next.files, next.dirs, next.missing, nil
	r.fields.Forget(r.hosts.sweep())
	r.observer.loaded()
	if router != nil {
		r.key = next.outputKey()
		old := r.exchange(router)
		if ctx.Err() != nil { // what was told to wait no longer was the old one
			router.StopWaiting()
		}
		drain, stop := context.WithTimeout(ctx, drainTime)
		defer stop()
		if err := old.HandOver(drain, router); err != nil {
			r.log.printf("Error: closing the outputs of before: %v", err)
		}
	}
	return nil
}

// sayReloaded says how a reload went: an alert says that it failed.
func (r *run) sayReloaded(err error) {
	if err != nil {
		r.log.printf("Error: reloading: %v", err)
		r.publish(failedReload(err, r.hostname(), time.Now()))
		return
	}
	r.log.printf("reloaded: %d rules, %d system calls", len(r.plan.rules.Rules()), len(r.plan.calls))
}

// fixedSections are those of the configuration that a reload does not change.
var fixedSections = []string{
	"engine", "webserver", "metrics", "capture", "containers", "falco_libs", "syscall_event_drops", "syscall_event_timeouts",
}

// closing prints the statistics that Falco prints at the end, and what was lost or shed, if anything was.
func (r *run) closing(lost engine.Losses, took time.Duration) {
	s, w, source := r.engine.Stats(), r.env.Stderr, r.watchedSource()
	if r.opt.Verbose {
		prefix := ""
		if source == "syscall" {
			fmt.Fprintf(w, "Driver Events:%d\nDriver Drops:%d\n", lost.Events, lost.Lost)
		}
		if source != "" {
			prefix = "(" + source + ") "
		}
		fmt.Fprintf(w, "%sElapsed time: %.3f, Captured Events: %d, %.2f eps\n", prefix, took.Seconds(), s.Events, float64(s.Events)/took.Seconds())
	}
	if source == "" || source == "syscall" {
		fmt.Fprintf(w, "Syscall event drop monitoring:\n   - event drop detected: %d occurrences\n   - num times actions taken: %d\n",
			s.DropsDetected, s.DropActions)
	}
	if lost.Lost > 0 {
		fmt.Fprintf(w, "Lost: %d of %d events (%s)\n", lost.Lost, lost.Events, strings.Join(lost.Parts(), ", "))
	}
	st := r.engine.State().Stats()
	if n := st.DropsFullThreadTable + st.DropsFullFDTable; n > 0 {
		fmt.Fprintf(w, "State tables overflowed: %d threads and %d descriptors were not kept\n", st.DropsFullThreadTable, st.DropsFullFDTable)
	}
	if st.Undecodable > 0 {
		fmt.Fprintf(w, "Incomplete: %d events lacked a parameter that the state needs\n", st.Undecodable)
	}
	if c, ok := r.source.source.(*replay); ok {
		if n := c.Skipped(); n != (capture.Skipped{}) {
			fmt.Fprintf(w, "Skipped: %d events of unknown types, %d old events with a number of parameters that no version had\n", n.Unknown, n.Unconvertible)
		}
	}
	printStats(r.env.Stdout, s, r.plan.rules)
}

// watchedSource returns the event source that is watched, the first of several; "" in a replay, which has events of all.
func (r *run) watchedSource() string {
	if r.replays() {
		return ""
	}
	return r.fields.Sources[slices.IndexFunc(r.fields.Sources, func(s string) bool { return !r.off[s] })]
}

// printStats prints the counts of alerts in Falco's form, which tools parse.
func printStats(w io.Writer, s engine.Stats, set *ruleset.Ruleset) {
	fmt.Fprintf(w, "Events detected: %d\nRule counts by severity:\n", s.Alerts)
	for i, n := range s.ByPriority {
		if n > 0 {
			name := strings.ToUpper(alert.Priority(i).String())
			if alert.Priority(i) == alert.Informational {
				name = "INFO"
			}
			fmt.Fprintf(w, "   %s: %d\n", name, n)
		}
	}
	fmt.Fprint(w, "Triggered rules by rule name:\n")
	for _, r := range set.Rules() {
		if n := s.ByRule[r.Name]; n > 0 {
			fmt.Fprintf(w, "   %s: %d\n", r.Name, n)
		}
	}
}
