package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/engine"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/format"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

// opened is an open source of events with all that depends on its kind.
type opened struct {
	source   engine.Source
	state    *state.State
	losses   func() engine.Losses
	syscalls func([]event.SC) error // changes what a live source watches
	what     string                 // what is watched, for the operator
	close    func() error
	cluster  *cluster // what Kubernetes tells beside it; nil for nothing
}

// plan is what configuration and rules come to: what a reload replaces as a whole.
type plan struct {
	rules *ruleset.Ruleset
	calls []event.SC
}

// watch loads the rules, opens the source and runs the engine until the end.
func (p *program) watch(ctx context.Context) (err error) {
	pl, err := p.plan()
	if err != nil {
		return err
	}
	if err := p.checkOutputs(); err != nil {
		return err
	}
	if err := p.startCourier(ctx); err != nil {
		return err
	}
	p.watching = true
	if p.opt.DryRun {
		return errDone
	}
	defer func() { err = errors.Join(err, p.closeCourier()) }()
	router, err := p.newRouter()
	if err != nil {
		return err
	}
	o, err := p.begin(ctx, pl.calls)
	if err != nil {
		return errors.Join(err, router.Close(ctx))
	}
	r, err := p.newRun(o, router, pl)
	if err != nil {
		return errors.Join(err, o.close(), router.Close(ctx))
	}
	return r.drive(ctx)
}

// begin writes the pid file and opens the source.
func (p *program) begin(ctx context.Context, calls []event.SC) (*opened, error) {
	if err := p.writePidFile(); err != nil {
		return nil, err
	}
	return p.open(ctx, calls)
}

// plan loads and compiles the rules. For -L and -l it prints them instead and returns errDone.
func (p *program) plan() (plan, error) {
	loader, err := p.loadRules()
	if err != nil {
		return plan{}, err
	}
	if p.opt.DescribeAll || p.opt.DescribeRule != "" {
		return plan{}, p.describe(loader)
	}
	set, err := ruleset.New(loader.Rules(), p.rulesetOptions())
	if err != nil {
		return plan{}, err
	}
	return plan{set, p.syscalls(set)}, nil
}

// syscalls returns what the driver has to watch, and warns of rules that need more than the configuration allows.
func (p *program) syscalls(set *ruleset.Ruleset) []event.SC {
	base := p.conf.BaseSyscalls
	calls, inactive, invalid := set.Syscalls(ruleset.BaseSyscalls{CustomSet: base.Custom, Repair: base.Repair, All: base.All}, nil)
	if len(invalid) > 0 {
		p.log.printf("Warning: base_syscalls.custom_set names unknown system calls: %s", strings.Join(invalid, ", "))
	}
	if len(inactive) > 0 {
		var names []string
		for _, sc := range inactive {
			names = append(names, event.Syscalls()[sc].Name)
		}
		slices.Sort(names)
		fmt.Fprintf(p.env.Stderr, "Loaded rules match syscalls that are not activated (e.g. were removed via configuration settings such as base_syscalls.repair or via "+
			"the ignored set, see -i); these rules may not be triggered: %s\n", strings.Join(names, ", "))
	}
	return calls
}

// open opens the source that engine.kind names, and what is beside it.
func (p *program) open(ctx context.Context, calls []event.SC) (*opened, error) {
	if p.conf.Engine.Kind == "replay" {
		return openReplay(p.conf.Engine.ReplayFile)
	}
	k, err := p.openCluster()
	if err != nil {
		return nil, err
	}
	o, err := p.openMachine(ctx, calls)
	if err != nil {
		return nil, err
	}
	if k != nil {
		o.join(k)
	}
	return o, nil
}

// openMachine opens the driver, unless none is wanted.
func (p *program) openMachine(ctx context.Context, calls []event.SC) (*opened, error) {
	if p.conf.Engine.Kind == "nodriver" || p.off[ruleset.SyscallSource] {
		return &opened{source: newHeartbeat(ctx), state: state.New(state.Config{}), what: "no driver", close: func() error { return nil }}, nil
	}
	containers, err := p.containerConfig()
	if err != nil {
		return nil, err
	}
	l, err := openLive(p.conf, containers, calls)
	if err != nil {
		return nil, err
	}
	for _, problem := range l.Problems() {
		p.log.printf("Warning: %v", problem)
	}
	return &opened{source: l, state: l.state, losses: l.losses, syscalls: l.SetSyscalls, what: "this machine", close: l.Close}, nil
}

// replay reads a capture file.
type replay struct {
	*capture.Reader
	recorder *capture.Recorder // nil when nothing is recorded
}

// openReplay opens a capture file.
func openReplay(path string) (*opened, error) {
	r, err := capture.Open(path)
	if err != nil {
		return nil, err
	}
	return &opened{source: &replay{Reader: r}, state: stateOf(r), what: path, close: r.Close}, nil
}

// stateOf returns the state that a section of a capture begins with.
func stateOf(r *capture.Reader) *state.State {
	s := state.New(state.Config{})
	s.Load(r.Snapshot())
	return s
}

// Restart implements engine.Restarter: files of several captures begin anew with each.
func (r *replay) Restart(err error) (*state.State, bool) {
	if !errors.Is(err, capture.ErrSection) {
		return nil, false
	}
	if r.recorder != nil {
		r.recorder.Reset()
	}
	return stateOf(r.Reader), true
}

func (p *program) style() alert.Style {
	c := p.conf
	return alert.Style{
		ISO8601: c.TimeISO8601, Output: c.JSONOutputText, Tags: c.JSONTags, Message: c.JSONMessage, OutputFields: c.JSONOutputFields,
	}
}

func (p *program) dropPolicy() engine.DropPolicy {
	d := p.conf.Drops
	policy := engine.DropPolicy{Threshold: d.Threshold, Rate: d.Rate, Burst: d.MaxBurst, Simulate: d.Simulate}
	for _, a := range d.Actions {
		switch a {
		case "log":
			policy.Actions |= engine.DropLog
		case "alert":
			policy.Actions |= engine.DropAlert
		case "exit":
			policy.Actions |= engine.DropExit
		}
	}
	return policy
}

// hostname is the name in alerts: FALCO_HOSTNAME, or the machine's.
func (p *program) hostname() string {
	if h := p.env.Getenv("FALCO_HOSTNAME"); h != "" {
		return h
	}
	h, err := os.Hostname()
	if err != nil {
		return ""
	}
	return h
}

func (p *program) rulesetOptions() ruleset.Options {
	o := p.checkOptions()
	o.First = p.conf.RuleMatching == "first"
	o.Output = ruleset.Output{Hostname: p.hostname(), ISO8601: p.conf.TimeISO8601}
	if p.conf.BufferBase64 {
		o.Output.Buffers = format.Base64
	}
	return o
}
