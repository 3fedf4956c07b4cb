package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/ingest"
	"github.com/saker-sec/saker/internal/route"
)

const testAlertUsage = `
Send a test alert straight to each destination and print what it answers.
Usage:
  saker test-alert [-c <path>] [--to <destination>]
`

// testAlert is the command. It goes past the queue and past filters: what it tests is whether the destinations take alerts.
func (p *program) testAlert(ctx context.Context, args []string) error {
	path, rest, err := forwardArgs(args, p.env.Stdout)
	if err != nil {
		return err
	}
	to := ""
	for i := 0; i < len(rest); i++ {
		switch a := rest[i]; {
		case a == "--to" && i+1 < len(rest):
			i++
			to = strings.ToLower(rest[i])
		case strings.HasPrefix(a, "--to="):
			to = strings.ToLower(a[len("--to="):])
		default:
			return fmt.Errorf("saker test-alert: argument %q is wrong; see saker test-alert --help", a)
		}
	}
	conf, warnings, err := p.anyForward(path)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		p.log.printf("Warning: %s", w)
	}
	transform, err := ingest.NewTransform(conf.transform)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	var names []string
	sent, failed := 0, 0
	for _, d := range conf.destinations {
		names = append(names, d.Name)
		if to != "" && d.Name != to {
			continue
		}
		sent++
		start := time.Now()
		if err := d.test(ctx, transform); err != nil {
			failed++
			fmt.Fprintf(p.env.Stdout, "%s: failed after %v: %v\n", d.Name, time.Since(start).Round(time.Millisecond), err)
			continue
		}
		fmt.Fprintf(p.env.Stdout, "%s: ok in %v\n", d.Name, time.Since(start).Round(time.Millisecond))
	}
	switch {
	case len(names) == 0:
		return errors.New("no destination is configured")
	case sent == 0:
		return fmt.Errorf("there is no destination %q; there are %s", to, strings.Join(names, ", "))
	case failed > 0:
		return fmt.Errorf("%d of %d destinations failed", failed, sent)
	}
	return nil
}

// test sends a test alert with one attempt.
func (d forwardDestination) test(ctx context.Context, transform *ingest.Transform) error {
	s, err := d.Open()
	if err != nil {
		return err
	}
	if c, ok := s.(route.Closer); ok {
		defer closeNow(c)
	}
	a := ingest.TestAlert(time.Now())
	transform.Complete(a)
	timeout := d.Timeout
	if timeout <= 0 {
		timeout = route.DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = s.Send(ctx, a, a.AppendJSON(nil, d.Style))
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no success within %v: %w", timeout, err)
	}
	return err
}

// anyForward reads Falcosidekick's configuration, or what a falco.yaml has under forward. Without a path it is that of the falco.yaml which the
// engine reads, if it has any, or else the environment alone.
func (p *program) anyForward(path string) (*forwardConfig, []string, error) {
	ours := path
	if ours == "" {
		ours = config.DefaultPath
	}
	root, err := readYAML(ours)
	if err != nil && (path != "" || !errors.Is(err, os.ErrNotExist)) {
		return nil, nil, err
	}
	if !isEngines(root) {
		return loadForward(path, p.env.Getenv)
	}
	conf, err := config.Load(config.Sources{Path: ours, Explicit: true, Env: p.env.Getenv})
	switch {
	case err != nil:
		return nil, nil, err
	case conf.Forward != nil:
		return loadEngineForward(conf.Forward, conf.ForwardFile(), p.env.Getenv)
	case path != "":
		return nil, nil, fmt.Errorf("%s is a configuration of the engine and has no destinations under forward", path)
	}
	return loadForward("", p.env.Getenv)
}

// isEngines says whether a configuration is a falco.yaml: whether it has one of the keys that those have and Falcosidekick's has not.
func isEngines(root *yaml.Node) bool {
	if root == nil {
		return false
	}
	for i := 0; i < len(root.Content); i += 2 {
		if slices.Contains([]string{"forward", "config_files", "rules_files", "engine", "stdout_output"}, root.Content[i].Value) {
			return true
		}
	}
	return false
}
