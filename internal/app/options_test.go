package app

import (
	"reflect"
	"strings"
	"testing"
)

// TestParseOptions compares with what Falco's parser, cxxopts 3.0, made of the same arguments. Arguments are parted by blanks; "_" is an empty one.
func TestParseOptions(t *testing.T) {
	cases := []struct {
		args string
		want Options
	}{
		{"", Options{}},
		{"-vU", Options{Verbose: true, Unbuffered: true}},
		{"-U -U", Options{Unbuffered: true}},
		{"-NL -i", Options{NamesOnly: true, DescribeAll: true, IgnoredEvents: true}},
		{"-vM5", Options{Verbose: true, Duration: 5}},
		{"-vM 5", Options{Verbose: true, Duration: 5}},
		{"-M 010", Options{Duration: 10}},
		{"-M0x10", Options{Duration: 16}},
		{"-pc", Options{Print: "c"}},
		{"-vpTEXT", Options{Verbose: true, Print: "TEXT"}},
		{"-p -foo", Options{Print: "-foo"}},
		{"--print=a=b", Options{Print: "a=b"}},
		{"-p _ --print= -P _ --format= -c _", Options{formatted: true}},
		{"-P -v", Options{PidFile: "-v"}},
		{"-ca -cb -l x -ly", Options{ConfigFile: "b", DescribeRule: "y"}},
		{"-list", Options{DescribeRule: "ist"}},
		{"-r a,b -rb -vr c -r -- -r -v", Options{Verbose: true, RulesFiles: []string{"a,b", "b", "c", "--", "-v"}}},
		{"-o a=b,c=d --option=c=d --option e=f -oa -o --list", Options{Overrides: []string{"a=b,c=d", "c=d", "e=f", "a", "--list"}}},
		{"--list -N", Options{List: true, NamesOnly: true}},
		{"--list=", Options{List: true}},
		{"--list --list=a=b", Options{List: true, ListSource: "a=b"}},
		{"--list k8s_audit", Options{List: true, Words: []string{"k8s_audit"}}},
		{"--list=syscall --format text --format JSON", Options{List: true, ListSource: "syscall", Format: "json", formatted: true}},
		{"--list-events --markdown", Options{ListEvents: true, Markdown: true, Format: "markdown", marked: true}},
		{"-V x --validate y -Vz --validate=a", Options{ValidateFiles: []string{"x", "y", "z", "a"}}},
		{"--enable-source=a --enable-source b --disable-source c", Options{EnableSources: []string{"a", "b"}, DisableSources: []string{"c"}}},
		{"--dry-run=1 --version=T --support=true --list-events=True", Options{DryRun: true, Version: true, Support: true, ListEvents: true}},
		{"--dry-run --dry-run=false --unbuffered=F", Options{}},
		{"--dry-run no", Options{DryRun: true, Words: []string{"no"}}},
		{"-v foo - -U -- -r x", Options{Verbose: true, Unbuffered: true, Words: []string{"foo", "-", "-r", "x"}}},
		{"-c x config -v", Options{ConfigFile: "x", Verbose: true, Command: "config"}},
		{"completion bash", Options{Command: "completion", CommandArgs: []string{"bash"}}},
	}
	for _, c := range cases {
		got, err := ParseOptions(arguments(c.args))
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: got %+v", c.args, *got)
		}
	}
}

func arguments(text string) []string {
	args := strings.Fields(text)
	for i := range args {
		if args[i] == "_" {
			args[i] = ""
		}
	}
	return args
}

// TestParseOptionsRefuses compares with the words of cxxopts, those of Falco itself, and last our own.
func TestParseOptionsRefuses(t *testing.T) {
	cases := []struct{ args, want string }{
		{"--nothing", "Option ‘nothing’ does not exist"},
		{"--nothing=3", "Option ‘nothing’ does not exist"},
		{"--dry_run", "Option ‘dry_run’ does not exist"},
		{"--he", "Option ‘he’ does not exist"},
		{"-A", "Option ‘A’ does not exist"},
		{"-vA", "Option ‘A’ does not exist"},
		{"-h -A", "Option ‘A’ does not exist"},
		{"-help", "Option ‘e’ does not exist"},
		{"-r", "Option ‘r’ is missing an argument"},
		{"-vp", "Option ‘p’ is missing an argument"},
		{"--format", "Option ‘format’ is missing an argument"},
		{"--option", "Option ‘option’ is missing an argument"},
		{"-M soon", "Argument ‘soon’ failed to parse"},
		{"-M5s", "Argument ‘5s’ failed to parse"},
		{"-M +5", "Argument ‘+5’ failed to parse"},
		{"-M 1.5", "Argument ‘1.5’ failed to parse"},
		{"-M 3000000000", "Argument ‘3000000000’ failed to parse"},
		{"-M _", "Argument ‘’ failed to parse"},
		{"--dry-run=no", "Argument ‘no’ failed to parse"},
		{"--dry-run=", "Argument ‘’ failed to parse"},
		{"-p=x", "Argument ‘-p=x’ starts with a - but has incorrect syntax"},
		{"-ra.yaml", "Argument ‘-ra.yaml’ starts with a - but has incorrect syntax"},
		{"-oKEY=V", "Argument ‘-oKEY=V’ starts with a - but has incorrect syntax"},
		{"-v=true", "Argument ‘-v=true’ starts with a - but has incorrect syntax"},
		{"-p-foo", "Argument ‘-p-foo’ starts with a - but has incorrect syntax"},
		{"-é", "Argument ‘-é’ starts with a - but has incorrect syntax"},
		{"--r x", "Argument ‘--r’ starts with a - but has incorrect syntax"},
		{"---v", "Argument ‘---v’ starts with a - but has incorrect syntax"},
		{"--=x", "Argument ‘--=x’ starts with a - but has incorrect syntax"},
		{"--dry-run.x", "Argument ‘--dry-run.x’ starts with a - but has incorrect syntax"},
		{"--format yaml", "Invalid format 'yaml'. Valid values are: text, markdown, json"},
		{"--markdown --format text", "Cannot specify both --markdown and --format options together"},
		{"--markdown=false --format=", "Cannot specify both --markdown and --format options together"},
		{"-M -5", "Argument ‘-5’ failed to parse"},
		{"confg -v", `"confg" is no command; see --help`},
	}
	for _, c := range cases {
		if _, err := ParseOptions(arguments(c.args)); err == nil || err.Error() != c.want {
			t.Errorf("%s: error is %v, want %q", c.args, err, c.want)
		}
	}
}
