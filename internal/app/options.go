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
	// Words are arguments that are neither options nor a command. Falco takes no notice of them.
	Words []string

	formatted, marked bool // --format and --markdown were there
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

// off is what a switch is set with to be off.
const off = "false"

func flag(at func(*Options) *bool) func(*Options, string) error {
	return func(o *Options, v string) error { *at(o) = v != off; return nil }
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
			digits, base := v, 10
			if rest, is := strings.CutPrefix(v, "0x"); is {
				digits, base = rest, 16
			}
			n, err := strconv.ParseUint(digits, base, 31)
			if err != nil {
				return fmt.Errorf("Argument ‘%s’ failed to parse", v)
			}
			o.Duration = n
			return nil
		}},
		{0, "markdown", "", false, "Deprecated: use --format markdown.", func(o *Options, v string) error {
			o.Markdown, o.marked = v != off, true
			return nil
		}},
		{0, "format", "<format>", false, "Format of --list and --list-events: text, markdown or json.", func(o *Options, v string) error {
			o.Format, o.formatted = v, true
			return nil
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

// ParseOptions reads the arguments after the program's name, by the rules of Falco's parser, cxxopts 3.0: the options of one letter can be
// joined (-vU), and the last of them takes its argument joined or apart; what is joined consists of letters and digits alone. Long ones take it
// with = or apart, and switches can be set with =true and =false. What stands alone or behind -- means nothing to Falco; here it may be a command,
// and has to be one if it is the first of all.
func ParseOptions(args []string) (*Options, error) {
	o := &Options{}
	all := options()
	for i := 0; i < len(args); i++ {
		a := args[i]
		// argument returns what an option takes: what is joined to it, or the next argument.
		argument := func(opt *option, name, joined string, isJoined bool) (string, error) {
			switch {
			case isJoined || opt.implied || opt.arg == "":
				return joined, nil
			case i+1 == len(args):
				return "", fmt.Errorf("Option ‘%s’ is missing an argument", name)
			}
			i++
			return args[i], nil
		}
		switch name, v, joined := strings.Cut(strings.TrimPrefix(a, "--"), "="); {
		case a == "--":
			o.Words = append(o.Words, args[i+1:]...)
			i = len(args)
		case a == "-" || !strings.HasPrefix(a, "-"):
			o.word(a)
		case strings.HasPrefix(a, "--") && len(name) > 1 && alphanumeric(name[:1]) && alphanumeric(strings.NewReplacer("-", "", "_", "").Replace(name)):
			opt := find(all, func(p option) bool { return p.long == name })
			if opt == nil {
				return nil, fmt.Errorf("Option ‘%s’ does not exist", name)
			}
			v, err := argument(opt, name, v, joined)
			if err != nil {
				return nil, err
			}
			if err := opt.apply(o, v, joined); err != nil {
				return nil, err
			}
		case alphanumeric(a[1:]):
			for j := 1; j < len(a); j++ {
				name := a[j : j+1]
				opt := find(all, func(p option) bool { return p.short == a[j] })
				if opt == nil {
					return nil, fmt.Errorf("Option ‘%s’ does not exist", name)
				}
				rest := ""
				if opt.arg != "" {
					rest = a[j+1:]
					j = len(a)
				}
				v, err := argument(opt, name, rest, rest != "")
				if err != nil {
					return nil, err
				}
				if err := opt.apply(o, v, false); err != nil {
					return nil, err
				}
			}
		default:
			return nil, fmt.Errorf("Argument ‘%s’ starts with a - but has incorrect syntax", a)
		}
	}
	if len(o.Words) > 0 && o.Words[0] == args[0] && o.Command == "" {
		return nil, fmt.Errorf("%q is no command; see --help", args[0])
	}
	return o, o.check()
}

// word takes an argument that is no option.
func (o *Options) word(a string) {
	switch {
	case o.Command != "":
		o.CommandArgs = append(o.CommandArgs, a)
	case slices.Contains(commands(), a):
		o.Command = a
	default:
		o.Words = append(o.Words, a)
	}
}

// apply sets what the option stands for. What is given to a switch says whether it is on.
func (p *option) apply(o *Options, v string, given bool) error {
	if p.arg == "" && given {
		switch v {
		case "1", "t", "T", "true", "True":
		case "0", "f", "F", "false", "False":
			return p.set(o, off)
		default:
			return fmt.Errorf("Argument ‘%s’ failed to parse", v)
		}
	}
	return p.set(o, v)
}

// check says what does not go together.
func (o *Options) check() error {
	switch {
	case o.formatted && o.marked:
		return fmt.Errorf("Cannot specify both --markdown and --format options together")
	case o.Markdown:
		o.Format = "markdown"
	case o.Format != "":
		given := o.Format
		if o.Format = strings.ToLower(given); !slices.Contains([]string{"text", "markdown", "json"}, o.Format) {
			return fmt.Errorf("Invalid format '%s'. Valid values are: text, markdown, json", given)
		}
	}
	return nil
}

// alphanumeric reports whether a text has letters and digits of ASCII alone.
func alphanumeric(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') })
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
