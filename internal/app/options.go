package app

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Options are the command line. They are Falco's (falco-core.md §1).
type Options struct {
	Help, Version, DryRun, Verbose, Unbuffered bool
	ConfigFile                                 string
	RulesFiles, ValidateFiles, Overrides       []string
	DescribeAll                                bool
	DescribeRule                               string
	List, ListEvents, NamesOnly                bool
	ListSource                                 string
	Format                                     string // text, markdown or json
	Markdown                                   bool
	IgnoredEvents                              bool
	Print                                      string
	PidFile                                    string
	PageSize                                   bool
	Duration                                   uint64 // seconds of event time; 0 is without end
	Support, ConfigSchema, RuleSchema          bool
	ListPlugins                                bool
	PluginInfo                                 string
	EnableSources, DisableSources              []string

	// Command is what stands in place of options: config, completion or man; "" for watching.
	Command     string
	CommandArgs []string
}

// option describes one option of the command line.
type option struct {
	short byte   // 0 for none
	long  string // "" for none
	arg   string // what its argument is; "" when it takes none
	// implied is set for an option whose argument may be left out; it then has to be joined to it with =.
	implied bool
	help    string
	set     func(*Options, string) error
}

func flag(at func(*Options) *bool) func(*Options, string) error {
	return func(o *Options, _ string) error { *at(o) = true; return nil }
}

func value(at func(*Options) *string) func(*Options, string) error {
	return func(o *Options, v string) error { *at(o) = v; return nil }
}

func values(at func(*Options) *[]string) func(*Options, string) error {
	return func(o *Options, v string) error { *at(o) = append(*at(o), v); return nil }
}

// options lists all options in the order in which --help prints them.
func options() []option {
	return []option{
		{'h', "help", "", false, "Print this help and exit.", flag(func(o *Options) *bool { return &o.Help })},
		{'c', "", "<path>", false, "Read the configuration from <path> (default /etc/falco/falco.yaml).", value(func(o *Options) *string { return &o.ConfigFile })},
		{0, "config-schema", "", false, "Print the JSON schema of the configuration and exit.", flag(func(o *Options) *bool { return &o.ConfigSchema })},
		{0, "rule-schema", "", false, "Print the JSON schema of rules files and exit.", flag(func(o *Options) *bool { return &o.RuleSchema })},
		{0, "disable-source", "<event_source>", false, "Do not watch an event source. Can be repeated; not together with --enable-source.", values(func(o *Options) *[]string { return &o.DisableSources })},
		{0, "dry-run", "", false, "Check configuration and rules without watching anything.", flag(func(o *Options) *bool { return &o.DryRun })},
		{0, "enable-source", "<event_source>", false, "Watch only this event source. Can be repeated.", values(func(o *Options) *[]string { return &o.EnableSources })},
		{'i', "", "", false, "Print the system calls that are not watched because of their number, and exit.", flag(func(o *Options) *bool { return &o.IgnoredEvents })},
		{'L', "", "", false, "Print name and description of all rules and exit; with json_output all details.", flag(func(o *Options) *bool { return &o.DescribeAll })},
		{'l', "", "<rule>", false, "Print name and description of one rule and exit.", value(func(o *Options) *string { return &o.DescribeRule })},
		{0, "list", "<source>", true, "List the fields for rules and outputs, of all sources or of one, and exit.", func(o *Options, v string) error {
			o.List, o.ListSource = true, v
			return nil
		}},
		{0, "list-events", "", false, "List the events and exit.", flag(func(o *Options) *bool { return &o.ListEvents })},
		{0, "list-plugins", "", false, "List the plugins that are loaded and exit.", flag(func(o *Options) *bool { return &o.ListPlugins })},
		{'M', "", "<num_seconds>", false, "Stop after <num_seconds> of event time.", func(o *Options, v string) error {
			n, err := strconv.ParseUint(v, 10, 32)
			if err != nil {
				return fmt.Errorf("expected a whole number of seconds")
			}
			o.Duration = n
			return nil
		}},
		{0, "markdown", "", false, "Deprecated: use --format markdown.", flag(func(o *Options) *bool { return &o.Markdown })},
		{0, "format", "<format>", false, "Format of --list and --list-events: text, markdown or json.", func(o *Options, v string) error {
			switch o.Format = strings.ToLower(v); o.Format {
			case "text", "markdown", "json":
				return nil
			}
			return fmt.Errorf("valid are text, markdown and json")
		}},
		{'N', "", "", false, "Print names only with --list.", flag(func(o *Options) *bool { return &o.NamesOnly })},
		{'o', "option", "<opt>=<val>", false, "Set a key of the configuration, e.g. -o json_output=true or -o rules[].disable.tag=network. Can be repeated.", values(func(o *Options) *[]string { return &o.Overrides })},
		{0, "plugin-info", "<plugin_name>", false, "Describe a plugin and exit.", value(func(o *Options) *string { return &o.PluginInfo })},
		{'p', "print", "<output_format>", false, "Deprecated: append a format to all outputs; use append_output in the configuration.", value(func(o *Options) *string { return &o.Print })},
		{'P', "pidfile", "<pid_file>", false, "Write the process id to <pid_file>.", value(func(o *Options) *string { return &o.PidFile })},
		{'r', "", "<rules_file>", false, "Load rules from a file or a directory of .yaml and .yml files, instead of those configured. Can be repeated.", values(func(o *Options) *[]string { return &o.RulesFiles })},
		{0, "support", "", false, "Print version, machine, configuration and rules as JSON, for a report, and exit.", flag(func(o *Options) *bool { return &o.Support })},
		{'U', "unbuffered", "", false, "Flush every line of output at once.", flag(func(o *Options) *bool { return &o.Unbuffered })},
		{'V', "validate", "<rules_file>", false, "Check a rules file and exit. Can be repeated.", values(func(o *Options) *[]string { return &o.ValidateFiles })},
		{'v', "", "", false, "Say more: warnings of -V, and counts at the end.", flag(func(o *Options) *bool { return &o.Verbose })},
		{0, "version", "", false, "Print the version and exit.", flag(func(o *Options) *bool { return &o.Version })},
		{0, "page-size", "", false, "Print the page size of the machine and exit.", flag(func(o *Options) *bool { return &o.PageSize })},
	}
}

// ParseOptions reads the arguments after the program's name. Short options can be joined (-vU) and take their argument
// joined or apart; long ones with = or apart.
func ParseOptions(args []string) (*Options, error) {
	o := &Options{}
	all := options()
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case strings.HasPrefix(a, "--") && len(a) > 2:
			name, v, joined := strings.Cut(a[2:], "=")
			opt := find(all, func(p option) bool { return p.long == name })
			if opt == nil {
				return nil, fmt.Errorf("Option '%s' does not exist", name)
			}
			if opt.arg != "" && !joined && !opt.implied {
				if i++; i == len(args) {
					return nil, fmt.Errorf("Option '%s' is missing an argument", name)
				}
				v = args[i]
			}
			if opt.arg == "" && joined {
				return nil, fmt.Errorf("Option '%s' takes no argument, but %q was given", name, v)
			}
			if err := opt.set(o, v); err != nil {
				return nil, fmt.Errorf("Argument '%s' of option '%s' is wrong: %w", v, name, err)
			}
		case strings.HasPrefix(a, "-") && len(a) > 1 && a != "--":
			for j := 1; j < len(a); j++ {
				c := a[j]
				opt := find(all, func(p option) bool { return p.short == c })
				if opt == nil {
					return nil, fmt.Errorf("Option '%c' does not exist", c)
				}
				v := ""
				if opt.arg != "" {
					if v = a[j+1:]; v == "" {
						if i++; i == len(args) {
							return nil, fmt.Errorf("Option '%c' is missing an argument", c)
						}
						v = args[i]
					}
					j = len(a)
				}
				if err := opt.set(o, v); err != nil {
					return nil, fmt.Errorf("Argument '%s' of option '%c' is wrong: %w", v, c, err)
				}
			}
		case o.Command == "" && slices.Contains(commands(), a):
			o.Command = a
		case o.Command != "":
			o.CommandArgs = append(o.CommandArgs, a)
		default:
			return nil, fmt.Errorf("Argument '%s' is not an option; see --help", a)
		}
	}
	if o.Markdown && o.Format != "" {
		return nil, fmt.Errorf("Cannot specify both --markdown and --format options together")
	}
	if o.Markdown {
		o.Format = "markdown"
	}
	return o, nil
}

// commands are the words that may stand in place of options.
func commands() []string {
	return []string{"config", "completion", "man", "forward", "dead-letters", "test-alert"}
}

func find(all []option, is func(option) bool) *option {
	for i := range all {
		if is(all[i]) {
			return &all[i]
		}
	}
	return nil
}

// usage prints --help.
func usage(w io.Writer) {
	fmt.Fprint(w, "Saker: runtime security for Linux, containers and Kubernetes\nUsage:\n  saker [OPTION...]\n"+
		"  saker config [OPTION...]          print the configuration in effect, with the place each value comes from\n"+
		"  saker completion bash|zsh|fish    print the shell's completion\n"+
		"  saker man                         print the manual page\n"+
		"  saker forward [-c <path>]         forward alerts to destinations, in place of Falcosidekick\n"+
		"  saker dead-letters list|replay    show or resend what destinations have refused\n"+
		"  saker test-alert [--to <name>]    send a test alert to each destination and print its answer\n\n")
	for _, p := range options() {
		left := "      "
		if p.short != 0 {
			left = "  "
		}
		fmt.Fprintf(w, "%-32s %s\n", left+p.usage(), p.help)
	}
}

// usage returns how the option is written: "-o, --option <opt>=<val>".
func (p *option) usage() string {
	var names []string
	if p.short != 0 {
		names = append(names, "-"+string(p.short))
	}
	if p.long != "" {
		names = append(names, "--"+p.long)
	}
	s := strings.Join(names, ", ")
	switch {
	case p.implied:
		s += "[=" + p.arg + "]"
	case p.arg != "":
		s += " " + p.arg
	}
	return s
}
