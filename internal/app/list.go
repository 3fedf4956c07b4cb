package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
)

// layout is the layout that --format and --markdown ask for.
func (p *program) layout() field.Layout {
	switch p.opt.Format {
	case "markdown":
		return field.LayoutMarkdown
	case "json":
		return field.LayoutJSON
	}
	return field.LayoutText
}

// list answers --list.
func (p *program) list() error {
	if s := p.opt.ListSource; s != "" && !slices.Contains(p.fields.Sources, s) {
		return fmt.Errorf("Value for --list must be a valid source type")
	}
	return p.catalogue().List(p.env.Stdout, field.ListOptions{
		Source: p.opt.ListSource, NamesOnly: p.opt.NamesOnly, Verbose: p.opt.Verbose, Layout: p.layout(),
	})
}

// listEvents answers --list-events.
func (p *program) listEvents() error { return field.ListEvents(p.env.Stdout, p.layout()) }

// listIgnored answers -i. It names events: calls that share one, as pread and pread64 do, are one line.
func (p *program) listIgnored() {
	fmt.Fprintln(p.env.Stdout, "Ignored syscall(s):")
	seen := map[string]bool{}
	for _, s := range event.Syscalls() {
		if name := event.Types()[s.Event].Name; s.Ignored && !seen[name] {
			seen[name] = true
			fmt.Fprintf(p.env.Stdout, "- %s\n", name)
		}
	}
	fmt.Fprintln(p.env.Stdout)
}

// selectSources decides which event sources are watched: all of them, unless --enable-source or --disable-source says other.
func (p *program) selectSources(context.Context) error {
	on, off := p.opt.EnableSources, p.opt.DisableSources
	if p.conf.Engine.Kind == "replay" {
		return nil
	}
	if len(on) > 0 && len(off) > 0 {
		return errors.New("You can not mix --enable-source and --disable-source")
	}
	for _, s := range on {
		if !slices.Contains(p.fields.Sources, s) {
			return fmt.Errorf("Attempted enabling an unknown event source: %s", s)
		}
	}
	for _, s := range off {
		if !slices.Contains(p.fields.Sources, s) {
			return fmt.Errorf("Attempted disabling an unknown event source: %s", s)
		}
	}
	p.off = map[string]bool{}
	for _, s := range p.fields.Sources {
		p.off[s] = slices.Contains(off, s) || len(on) > 0 && !slices.Contains(on, s)
	}
	for _, s := range p.fields.Sources {
		if !p.off[s] {
			return nil
		}
	}
	return errors.New("Must enable at least one event source")
}

// support answers --support: what a report of a problem should have with it.
func (p *program) support(files []rulesFile) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("Could not get system info: %w", err)
	}
	var conf, version bytes.Buffer
	if err := p.conf.Print(&conf); err != nil {
		return err
	}
	document, err := p.conf.Document()
	if err != nil {
		return err
	}
	if err := printVersion(&version, true, p.plugins); err != nil {
		return err
	}
	type variant struct {
		Content string `json:"content"`
	}
	type file struct {
		Name     string    `json:"name"`
		Variants []variant `json:"variants"`
	}
	loaded := []file{}
	for _, f := range files {
		loaded = append(loaded, file{f.name, []variant{{string(f.text)}}})
	}
	cmdline := strings.Join(append([]string{"saker"}, p.env.Args...), " ")
	for _, o := range p.opt.Overrides {
		cmdline = strings.Replace(cmdline, o, config.HideOption(o), 1)
	}
	text, err := json.Marshal(map[string]any{
		"version": falcoVersion, "engine_info": json.RawMessage(version.Bytes()), "cmdline": cmdline,
		"config": document, "saker_config": conf.String(), "rules_files": loaded,
		"system_info": map[string]string{
			"sysname": unix.ByteSliceToString(u.Sysname[:]), "nodename": unix.ByteSliceToString(u.Nodename[:]),
			"release": unix.ByteSliceToString(u.Release[:]), "version": unix.ByteSliceToString(u.Version[:]), "machine": unix.ByteSliceToString(u.Machine[:]),
		},
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.env.Stdout, "%s\n", text)
	return err
}

// description is what -L and -l print.
func (p *program) description(l *rule.Loader) (*rule.Description, error) {
	return l.Describe(ruleset.NewChecker(p.checkOptions()), p.opt.DescribeRule)
}
