package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/route"
)

// forwardOf reads what the configuration has under forward; nil is that there is nothing.
func (p *program) forwardOf() (*forwardConfig, error) {
	if p.conf.Forward == nil {
		return nil, nil
	}
	conf, warnings, err := loadEngineForward(p.conf.Forward, p.conf.ForwardFile(), p.env.Getenv)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		p.log.printf("Warning: %s", w)
	}
	if len(conf.destinations) == 0 {
		return nil, errors.New("forward: no destination is on: each needs the keys that say where it is, as in forward.webhook.address")
	}
	return conf, nil
}

// startCourier starts what delivers to the destinations under forward, if there are any.
func (p *program) startCourier(ctx context.Context) error {
	conf, err := p.forwardOf()
	if conf == nil || p.opt.DryRun {
		return err
	}
	c := &courier{log: p.log, conf: conf}
	c.inputs = func() map[[2]string]uint64 {
		accepted, refused := c.queue.Accepted()
		return map[[2]string]uint64{{"engine", "accepted"}: accepted, {"engine", "rejected"}: refused}
	}
	p.courier = c
	if err := p.courier.start(ctx); err != nil {
		return errors.Join(err, p.closeCourier())
	}
	return nil
}

// closeCourier ends the delivery. What a replay has found is delivered first, for it may be the last start; what is left then, and what
// a running machine has found, waits on disk.
func (p *program) closeCourier() error {
	c := p.courier
	if c == nil {
		return nil
	}
	var left error
	if c.keeper != nil {
		left = c.keeper.Close()
	}
	if left != nil && !p.replays() { // as of other outputs, no failure of ours
		p.log.printf("Error: %v", left)
		left = nil
	}
	if c.delivery != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		if p.replays() {
			c.delivery.Drain(ctx)
		}
		for _, d := range c.healthWithin(forwardDrain) {
			if d.Queued > 0 {
				p.log.printf("Notice: %d alerts for %s are in the queue; they are delivered at the next start", d.Queued, d.Name)
			}
		}
	}
	return errors.Join(left, c.close())
}

// output returns the output that hands alerts over to the queue.
func (f *courier) output(style alert.Style, replay bool) route.Output {
	return route.Output{Name: "forward", Wait: replay, Sink: f.keeper.Sink(func(a *alert.Alert) *alert.Alert {
		own := *a // other outputs have the same one
		own.Output = a.OutputTextIn(style)
		own.Fields, own.Tags = slices.Clone(a.Fields), slices.Clone(a.Tags)
		f.transform.Complete(&own)
		return &own
	})}
}

// destinations returns what the health of the engine says about the destinations.
func (f *courier) destinations() []byte {
	text, err := json.Marshal(f.health())
	if err != nil {
		return []byte("[]") // strings and numbers can always be marshalled
	}
	return text
}

// appendMetrics appends what the metrics of the engine have about the destinations.
func (f *courier) appendMetrics(text []byte) []byte {
	ctx, cancel := context.WithTimeout(context.Background(), forwardDrain)
	defer cancel()
	b := bytes.NewBuffer(text)
	f.metrics(ctx, b)
	return b.Bytes()
}

// otherForward says whether two configurations differ in what is under forward.
func otherForward(a, b *config.Config) bool {
	one, erra := yaml.Marshal(a.Forward)
	two, errb := yaml.Marshal(b.Forward)
	return erra != nil || errb != nil || !bytes.Equal(one, two)
}
