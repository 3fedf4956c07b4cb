// Package all is the list of sinks: it makes the outputs that a configuration asks for.
package all

import (
	"errors"
	"io"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/file"
	"github.com/saker-sec/saker/internal/sink/http"
	"github.com/saker-sec/saker/internal/sink/program"
	"github.com/saker-sec/saker/internal/sink/stdout"
	"github.com/saker-sec/saker/internal/sink/syslog"
)

// Config says which of Falco's outputs there are; a nil one is disabled (reference: falco-core.md §2.4). What several of them
// have in common is set here once: Open fills it into theirs.
type Config struct {
	JSON     bool // json_output
	Style    alert.Style
	Capacity int  // outputs_queue.capacity; 0 is a bound of ours
	Buffered bool // buffered_outputs
	Terminal bool // Stdout is a terminal: text is coloured
	Replay   bool // the source can wait: what is written on this machine is waited for
	// Stdout takes what the stdout output writes; it and Stderr take what the program prints, and Stdout the answers that the
	// http output echoes. They must be safe for concurrent use, as an *os.File is; a program gets an *os.File as it is, without a
	// goroutine that copies.
	Stdout, Stderr io.Writer

	StdoutOutput bool
	File         *file.Config
	Syslog       *syslog.Config
	Program      *program.Config
	HTTP         *http.Config
	Echo         bool // http_output.echo
}

// syslogCapacity bounds what waits for the log daemon. In a container there is often none, and nothing ever takes it.
const syslogCapacity = 4096

// Open makes the sinks. The outputs that it returns beside an error are those that could be made; the error names the others.
func Open(cfg Config) ([]route.Output, error) {
	var outputs []route.Output
	var errs []error
	add := func(name string, wait bool, s route.Sink, err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		outputs = append(outputs, route.Output{
			Name: name, Sink: s, JSON: cfg.JSON, Style: cfg.Style, Capacity: cfg.Capacity, Wait: wait && cfg.Replay,
		})
	}
	if c := cfg.File; c != nil {
		s, err := file.New(*c)
		add("file", true, s, err)
	}
	if c := cfg.Program; c != nil {
		own := *c
		own.Stdout, own.Stderr = cfg.Stdout, cfg.Stderr
		s, err := program.New(own)
		add("program", true, s, err)
	}
	if cfg.StdoutOutput {
		s, err := stdout.New(stdout.Config{Writer: cfg.Stdout, Colour: cfg.Terminal && !cfg.JSON, Buffered: cfg.Buffered})
		add("stdout", true, s, err)
	}
	if c := cfg.Syslog; c != nil {
		s, err := syslog.New(*c)
		add("syslog", false, s, err)
		if err == nil && cfg.Capacity == 0 {
			outputs[len(outputs)-1].Capacity = syslogCapacity
		}
	}
	if c := cfg.HTTP; c != nil {
		own := *c
		own.JSON = cfg.JSON
		if cfg.Echo {
			own.Echo = cfg.Stdout
		}
		s, err := http.New(own)
		add("http", false, s, err)
	}
	return outputs, errors.Join(errs...)
}
