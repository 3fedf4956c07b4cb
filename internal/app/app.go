// Package app is the program as a function of its inputs: Run reads the command line and the configuration, loads the rules,
// opens the source of events, and runs the engine until the end. It is the only package that knows all others; reading Run
// from top to bottom is reading the program.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/plugin"
	"github.com/saker-sec/saker/internal/rule"
)

// Env is what the program is given by the system.
type Env struct {
	Args           []string // without the program's name
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Terminal       bool // stdout is a terminal
	// Reload and Reopen carry SIGHUP and SIGUSR1; nil for none.
	Reload, Reopen <-chan struct{}
}

// The exit codes (falco-core.md §1).
const (
	exitOK      = 0
	exitError   = 1
	exitPipe    = 141 // 128 + SIGPIPE: what shells say of Falco then
	exitPidFile = 255
)

// program is one run: what the steps of Run share.
type program struct {
	env    Env
	opt    *Options
	conf   *config.Config
	fields *field.Catalogue
	hosts  *hosts
	log    *logger

	plugins []plugin.Loaded
	off     map[string]bool // event sources that are not watched
	courier *courier        // of the destinations under forward; nil when there are none

	// Of rules, what is watched for changes: files and directories that were read, and those that do not exist.
	files, dirs, missing []string

	watching    bool      // the command line asked for no answer, but for watching
	needsConfig bool      // a configuration file was there before: it has to be there again
	began       time.Time // when it began to read configuration and rules
}

// done is returned by a step that has answered the command line; nothing follows.
var errDone = errors.New("done")

// exitCode is an error with an exit code of its own.
type exitCode struct {
	error
	code int
}

// Run does what the command line asks for and returns the exit code. Errors are printed to stderr. It ends when ctx is
// done.
func Run(ctx context.Context, env Env) int {
	p := &program{env: env, log: newLogger(env.Stderr)}
	err := p.run(ctx)
	var code exitCode
	switch {
	case err == nil || errors.Is(err, errDone):
		return exitOK
	case errors.Is(err, unix.EPIPE) && !p.watching:
		return exitPipe // whoever read the answer has seen enough
	case errors.As(err, &code):
		fmt.Fprintf(env.Stderr, "Error: %v\n", err)
		return code.code
	}
	fmt.Fprintf(env.Stderr, "Error: %v\n", err)
	return exitError
}

// run takes the steps in Falco's order.
func (p *program) run(ctx context.Context) (err error) {
	if len(p.env.Args) > 0 {
		switch p.env.Args[0] {
		case "forward":
			return p.forward(ctx, p.env.Args[1:])
		case "dead-letters":
			return p.deadLetters(ctx, p.env.Args[1:])
		case "test-alert":
			return p.testAlert(ctx, p.env.Args[1:])
		}
	}
	if p.opt, err = ParseOptions(p.env.Args); err != nil {
		return err
	}
	switch c := p.opt.Command; c {
	case "forward", "dead-letters", "test-alert":
		return fmt.Errorf("saker %s has options of its own, which stand behind it: saker %s [-c <path>]", c, c)
	}
	if len(p.opt.Words) > 0 {
		p.log.printf("Warning: nothing is done with %q", p.opt.Words)
	}
	p.fields = field.NewCatalogue()
	p.hosts = newHosts(ctx, p.fields.Resolve)
	p.fields.LookupHosts = p.hosts.lookup
	for _, step := range []func(context.Context) error{
		p.findConfig, p.answerWithoutConfig, p.loadConfig, p.answerWithoutPlugins, p.loadPlugins, p.answerWithoutRules, p.selectSources, p.validate, p.watch,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// findConfig refuses a configuration file that is not there, whatever is asked for.
func (p *program) findConfig(context.Context) error {
	if p.opt.ConfigFile == "" {
		return nil
	}
	f, err := os.Open(p.opt.ConfigFile)
	if err != nil {
		return fmt.Errorf("Could not find configuration file at %s", p.opt.ConfigFile)
	}
	return f.Close()
}

// answerWithoutConfig prints what does not depend on the configuration.
func (p *program) answerWithoutConfig(context.Context) error {
	if p.opt.Markdown {
		p.log.printf("Warning: --markdown is deprecated, use --format markdown")
	}
	switch o := p.opt; {
	case o.Help:
		usage(p.env.Stdout)
	case o.Command == "completion":
		if err := completion(p.env.Stdout, o.CommandArgs); err != nil {
			return err
		}
	case o.Command == "man":
		manual(p.env.Stdout)
	case o.ConfigSchema:
		fmt.Fprintf(p.env.Stdout, "%s\n", config.SchemaJSON())
	case o.RuleSchema:
		fmt.Fprintf(p.env.Stdout, "%s\n", rule.SchemaJSON())
	case o.IgnoredEvents:
		p.listIgnored()
	case o.ListEvents:
		if err := p.listEvents(); err != nil {
			return err
		}
	default:
		return nil
	}
	return errDone
}

// loadConfig reads the configuration and says what is odd about it.
func (p *program) loadConfig(context.Context) (err error) {
	p.began = time.Now()
	path := p.opt.ConfigFile
	if path == "" {
		path = config.DefaultPath
	}
	explicit := p.opt.ConfigFile != "" || p.needsConfig
	p.conf, err = config.Load(config.Sources{Path: path, Explicit: explicit, Options: p.opt.Overrides, Env: p.env.Getenv})
	if err != nil {
		return err
	}
	if len(p.opt.RulesFiles) > 0 {
		p.conf.UseRulesFiles(p.opt.RulesFiles)
	}
	if p.opt.Unbuffered {
		p.conf.BufferedOutputs = false
	}
	if err := p.log.configure(p.conf, p.env.Stderr); err != nil {
		return err
	}
	for _, w := range p.conf.Warnings {
		p.log.printf("Warning: %s", w)
	}
	return nil
}

// answerWithoutPlugins prints what depends on the configuration alone.
func (p *program) answerWithoutPlugins(context.Context) error {
	switch o := p.opt; {
	case o.Command == "config":
		if err := p.conf.Print(p.env.Stdout); err != nil {
			return err
		}
	case o.Version:
		if err := printVersion(p.env.Stdout, p.conf.JSONOutput, nil); err != nil {
			return err
		}
	case o.PageSize:
		p.log.printf("Your system page size is: %s bytes", strconv.Itoa(os.Getpagesize()))
	default:
		return nil
	}
	return errDone
}

// answerWithoutRules prints what depends on the configuration and the plugins.
func (p *program) answerWithoutRules(context.Context) error {
	switch o := p.opt; {
	case o.PluginInfo != "":
		if err := p.pluginInfo(); err != nil {
			return err
		}
	case o.ListPlugins:
		p.listPlugins()
	case o.List:
		if err := p.list(); err != nil {
			return err
		}
	default:
		return nil
	}
	return errDone
}

// writePidFile writes the process id to the file of -P.
func (p *program) writePidFile() error {
	if p.opt.PidFile == "" {
		return nil
	}
	if err := os.WriteFile(p.opt.PidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return exitCode{fmt.Errorf("writing the process id: %w", err), exitPidFile}
	}
	return nil
}
