package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/match"
	"github.com/saker-sec/saker/internal/plugin"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/rules"
)

// catalogue returns the fields that there are: those of Saker and its plugins, and those that the configuration makes.
func (p *program) catalogue() *field.Catalogue {
	if len(p.conf.StaticFields) == 0 {
		return p.fields
	}
	var static []field.StaticField
	for _, f := range p.conf.StaticFields {
		static = append(static, field.StaticField(f))
	}
	return p.fields.With(field.Static(static))
}

// checkOptions says what conditions and outputs may refer to.
func (p *program) checkOptions() ruleset.Options {
	return ruleset.Options{
		Sources:  p.fields.Sources,
		Fields:   p.catalogue().Of,
		Services: p.services(), AsyncNames: p.asyncNames(),
	}
}

// services returns the names of ports in /etc/services; none where that cannot be read.
func (p *program) services() func(string) (uint16, bool) {
	f, err := os.Open(p.env.Getenv("HOST_ROOT") + "/etc/services")
	if err != nil {
		return nil
	}
	defer f.Close()
	names, err := match.ReadServices(f)
	if err != nil {
		p.log.printf("Warning: reading /etc/services: %v", err)
		return nil
	}
	return names
}

// loader returns a loader set up by the configuration.
func (p *program) loader() (*rule.Loader, error) {
	priority, err := alert.ParsePriority(p.conf.Priority)
	if err != nil {
		return nil, fmt.Errorf("priority: %w", err)
	}
	c := rule.Config{Checker: ruleset.NewChecker(p.checkOptions()), MinPriority: priority}
	for _, s := range p.conf.Rules {
		c.Selection = append(c.Selection, rule.Selection{Enable: s.Enable, Rule: s.Rule, Tag: s.Tag})
	}
	for _, a := range p.conf.AppendOutput {
		x := rule.Append{Source: a.Source, Rule: a.Rule, Tags: a.Tags, Format: a.Extra}
		for _, f := range a.Fields {
			if f.Format == "" {
				x.Fields = append(x.Fields, rule.ExtraField{Key: f.Key, Format: "%" + f.Key, Raw: true})
			} else {
				x.Fields = append(x.Fields, rule.ExtraField{Key: f.Key, Format: f.Format})
			}
		}
		c.Append = append(c.Append, x)
		if a.Suggested && len(p.conf.RulesFiles) > 0 { // our own rules name what they want
			c.Append = append(c.Append, p.suggested(a)...)
		}
	}
	if p.opt.Print != "" {
		p.log.printf("Warning: -p is deprecated, use append_output in the configuration")
		if !slices.Contains([]string{"c", "container", "k", "kubernetes"}, p.opt.Print) { // those name what is suggested anyway
			c.Append = append(c.Append, rule.Append{Format: p.opt.Print})
		}
	}
	return rule.NewLoader(c), nil
}

// suggested is what append_output's suggested_output adds, for each event source that is meant: the fields that are marked so, each
// as name=value.
func (p *program) suggested(a config.AppendOutput) []rule.Append {
	sources := p.fields.Sources
	if a.Source != "" {
		sources = []string{a.Source}
	}
	var out []rule.Append
	fields := p.catalogue()
	for _, source := range sources {
		var parts []string
		for _, class := range fields.Of(source).Classes() {
			for _, f := range class.Fields {
				if f.Flags&field.Suggested != 0 {
					parts = append(parts, strings.ReplaceAll(f.Name, ".", "_")+"=%"+f.Name)
				}
			}
		}
		out = append(out, rule.Append{Source: source, Rule: a.Rule, Tags: a.Tags, Format: strings.Join(parts, " ")})
	}
	return out
}

// rulesFile is a rules file that was read.
type rulesFile struct {
	name string
	text []byte
}

// readRules reads the files and directories of rules that are configured, or our own rules when none are.
func (p *program) readRules() ([]rulesFile, error) {
	if len(p.conf.RulesFiles) == 0 {
		if p.conf.Loaded {
			return nil, errors.New("You must specify at least one rules file/directory via -r or a rules_files entry in falco.yaml (Saker loads rules of its own only without a configuration file)")
		}
		name, text := rules.Default()
		files := []rulesFile{{name, text}}
		if p.loadedPlugin(plugin.K8sChange) != nil {
			name, text := rules.K8sChange()
			files = append(files, rulesFile{name, text})
		}
		return files, nil
	}
	var files []rulesFile
	for _, path := range p.conf.RulesFiles {
		names, err := rulesIn(path)
		if errors.Is(err, os.ErrNotExist) {
			p.missing = append(p.missing, path)
			if len(p.opt.RulesFiles) == 0 {
				p.log.printf("Warning: rules file %s does not exist", path)
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("reading rules: %w", err)
		}
		p.watched(path, names)
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("reading rules: %w", err)
			}
			files = append(files, rulesFile{name, text})
		}
	}
	if len(p.missing) == len(p.conf.RulesFiles) {
		return nil, errors.New("You must specify at least one rules file/directory via -r or a rules_files entry in falco.yaml: of those that are specified none exists")
	}
	return files, nil
}

// watched remembers what a change of means reloading.
func (p *program) watched(path string, files []string) {
	p.files = append(p.files, files...)
	if len(files) != 1 || files[0] != path {
		p.dirs = append(p.dirs, path)
	}
}

// rulesIn returns path, or the .yaml and .yml files in the directory path, by name.
func rulesIn(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		if ext := filepath.Ext(name); ext != ".yaml" && ext != ".yml" {
			continue
		}
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	return names, nil
}

// loadRules loads all rules files. The first one with an error ends it; warnings go to the log.
func (p *program) loadRules() (*rule.Loader, error) {
	files, err := p.readRules()
	if err != nil {
		return nil, err
	}
	if p.opt.Support {
		if err := p.support(files); err != nil {
			return nil, err
		}
		return nil, errDone
	}
	l, err := p.loader()
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		res := l.Load(f.name, f.text)
		if !res.Successful() {
			if err := l.CheckPlugins(p.provided()); err != nil {
				return nil, err
			}
			return nil, errors.New(res.Verbose())
		}
		if len(res.Warnings) > 0 {
			p.log.warn(res.Verbose())
		}
	}
	if err := l.CheckPlugins(p.provided()); err != nil {
		return nil, err
	}
	return l, nil
}

// validate answers -V: it loads the named files into one set and prints the verdict on each.
func (p *program) validate(context.Context) error {
	if len(p.opt.ValidateFiles) == 0 {
		return nil
	}
	l, err := p.loader()
	if err != nil {
		return err
	}
	var results []*rule.Result
	good := true
	for _, name := range p.opt.ValidateFiles {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("reading rules: %w", err)
		}
		res := l.Load(name, text)
		if err := l.CheckPlugins(p.provided()); err != nil {
			return err
		}
		if res.Successful() && len(res.Warnings) > 0 {
			p.log.warn(res.Verbose())
		}
		good = good && res.Successful()
		results = append(results, res)
	}
	var described *rule.Description
	if good && (p.opt.DescribeAll || p.opt.DescribeRule != "") {
		if described, err = p.description(l); err != nil {
			return err
		}
	}
	summary := rule.ValidationText(results)
	if p.conf.JSONOutput {
		fmt.Fprintf(p.env.Stdout, "%s\n", rule.ValidationJSON(results, described))
	} else {
		fmt.Fprintln(p.env.Stdout, summary)
		if described != nil {
			fmt.Fprintf(p.env.Stdout, "\n%s", described.Text())
		}
	}
	if !good {
		return errors.New(summary)
	}
	return errDone
}

// describe answers -L and -l.
func (p *program) describe(l *rule.Loader) error {
	d, err := p.description(l)
	if err != nil {
		return err
	}
	if p.conf.JSONOutput {
		fmt.Fprintf(p.env.Stdout, "%s\n", d.JSON())
	} else {
		fmt.Fprint(p.env.Stdout, d.Text())
	}
	return errDone
}
