package app

import (
	"errors"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/all"
	"github.com/saker-sec/saker/internal/sink/file"
	"github.com/saker-sec/saker/internal/sink/http"
	programsink "github.com/saker-sec/saker/internal/sink/program"
	"github.com/saker-sec/saker/internal/sink/syslog"
)

// outputKey is what the outputs depend on: where it is the same, a reload keeps the router.
type outputKey struct {
	outputs  config.Outputs
	stdout   bool
	json     bool
	buffered bool
	style    alert.Style
}

func (p *program) outputKey() outputKey {
	return outputKey{p.conf.Outputs, p.conf.StdoutEnabled, p.conf.JSONOutput, p.conf.BufferedOutputs, p.style()}
}

// newRouter starts the outputs that are enabled. One that cannot be set up is complained about, and the others go on; none
// at all is an error.
func (p *program) newRouter() (*route.Router, error) {
	o := p.conf.Outputs
	c := all.Config{
		JSON: p.conf.JSONOutput, Style: p.style(), Capacity: o.QueueCapacity, Buffered: p.conf.BufferedOutputs,
		Terminal: p.env.Terminal, Replay: p.replays(), Stdout: p.env.Stdout, Stderr: p.env.Stderr,
		StdoutOutput: p.conf.StdoutEnabled, Echo: o.HTTP.Echo,
	}
	if o.File.Enabled {
		c.File = &file.Config{Filename: o.File.Filename, KeepAlive: o.File.KeepAlive}
	}
	if o.Program.Enabled {
		c.Program = &programsink.Config{Program: o.Program.Program, KeepAlive: o.Program.KeepAlive}
	}
	if o.Syslog {
		c.Syslog = &syslog.Config{}
	}
	if h := o.HTTP; h.Enabled {
		c.HTTP = &http.Config{
			URL: h.URL, UserAgent: h.UserAgent, Insecure: h.Insecure, CACert: h.CACert, CABundle: h.CABundle, CAPath: h.CAPath,
			MTLS: h.MTLS, ClientCert: h.ClientCert, ClientKey: h.ClientKey, Compress: h.Compress, KeepAlive: h.KeepAlive,
			MaxTimeouts: h.MaxConsecutiveTimeouts,
		}
	}
	if err := p.checkOutputs(); err != nil {
		return nil, err
	}
	outputs, err := all.Open(c)
	if err != nil {
		p.log.printf("Error: Failed to init output: %v", err)
	}
	if p.courier != nil {
		outputs = append(outputs, p.courier.output(p.style(), p.replays()))
	}
	return route.New(route.Config{
		Outputs: outputs, Timeout: o.Timeout, Drain: drainTime,
		Log: func(pr alert.Priority, line string) { p.log.printf("%s: %s", pr, line) },
	}), nil
}

// checkOutputs refuses a configuration that enables no output.
func (p *program) checkOutputs() error {
	o := p.conf.Outputs
	if p.conf.StdoutEnabled || o.Syslog || o.File.Enabled || o.Program.Enabled || o.HTTP.Enabled || p.conf.Forward != nil {
		return nil
	}
	return errors.New("no output is enabled: set stdout_output.enabled, or enable another output or a destination under forward in the configuration")
}

// replays reports whether the source is a file, which can wait for slow outputs.
func (p *program) replays() bool { return p.conf.Engine.Kind == "replay" }
