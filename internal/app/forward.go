package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/ingest"
)

const forwardUsage = `Forward alerts to destinations, in place of Falcosidekick; none is lost.
Usage:
  saker forward [-c <path>]
  -c, --config-file <path>   Falcosidekick's configuration; its environment variables go before it.
  -v, --version              Print the version and exit.
  -h, --help                 Print this help and exit.
`

// forwarder is one run of saker forward.
type forwarder struct {
	*courier
	server *ingest.Server
}

// forward is the command: it takes alerts as Falcosidekick does and delivers them from the durable queue, until ctx is done.
func (p *program) forward(ctx context.Context, args []string) (err error) {
	path, rest, err := forwardArgs(args, p.env.Stdout)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("saker forward takes no argument %q; see saker forward --help", rest[0])
	}
	conf, warnings, err := loadForward(path, p.env.Getenv)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		p.log.printf("Warning: %s", w)
	}
	f := &forwarder{courier: &courier{log: p.log, conf: conf}}
	defer func() {
		if closing := f.close(); err == nil {
			err = closing
		}
	}()
	if err = f.start(ctx, p.env.Stdout); err != nil {
		return err
	}
	p.log.printf("Notice: listening on %s, %d destinations", f.server.Addrs()[0], len(conf.destinations))
	if len(conf.destinations) == 0 {
		p.log.printf("Warning: no destination is on, so alerts go nowhere: each needs the keys that say where it is, as webhook.address")
	}
	select {
	case <-ctx.Done():
	case err = <-f.server.Failed():
	}
	return err
}

// forwardArgs reads the options of forward, dead-letters and test-alert; it returns the file's path and what is no option.
func forwardArgs(args []string, stdout io.Writer) (path string, rest []string, err error) {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-h" || a == "--help":
			fmt.Fprint(stdout, forwardUsage, deadUsage, testAlertUsage)
			return "", nil, errDone
		case a == "-v" || a == "--version":
			return "", nil, errors.Join(printVersion(stdout, false, nil), errDone)
		case a == "-c" || a == "--config-file":
			if i++; i == len(args) {
				return "", nil, fmt.Errorf("option %s needs the path of a file", a)
			}
			path = args[i]
		case len(a) > 14 && a[:14] == "--config-file=":
			path = a[14:]
		default:
			rest = append(rest, a)
		}
	}
	return path, rest, nil
}

// start starts all parts, the one that takes alerts last.
func (f *forwarder) start(ctx context.Context, stdout io.Writer) (err error) {
	c := f.conf
	labels := c.labels
	for name := range c.transform.CustomFields {
		labels = append(labels, name)
	}
	for name := range c.transform.TemplatedFields {
		labels = append(labels, name)
	}
	metrics := ingest.NewMetrics(labels, f.metrics)
	f.inputs = func() map[[2]string]uint64 {
		accepted, rejected := metrics.Totals()
		return map[[2]string]uint64{{"requests", "accepted"}: accepted, {"requests", "rejected"}: rejected}
	}
	if err := f.courier.start(ctx); err != nil {
		return err
	}
	cfg := ingest.Config{
		Publish: f.queue.Publish, PublishTest: f.queue.PublishAll, Transform: f.transform, Metrics: metrics,
		Limit: int64(c.limit), Health: f.health,
	}
	if c.debug {
		cfg.Debug = func(a *alert.Alert) { fmt.Fprintf(stdout, "%s\n", a.AppendSidekick(nil)) }
	}
	f.server, err = ingest.Start(c.listen, ingest.New(cfg), log.New(connections{f.log}, "", 0))
	return err
}

// connections passes on what goes wrong with single connections, as a certificate that is not taken, a line at a time.
type connections struct{ log *logger }

// Write logs a line.
func (c connections) Write(p []byte) (int, error) {
	c.log.printf("Warning: taking alerts: %s", bytes.TrimSpace(p))
	return len(p), nil
}

// close ends the parts in the order that loses nothing: first what takes alerts, last what keeps them.
func (f *forwarder) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), forwardDrain)
	defer cancel()
	var err error
	if f.server != nil {
		err = f.server.Close(ctx)
	}
	return errors.Join(err, f.courier.close())
}
