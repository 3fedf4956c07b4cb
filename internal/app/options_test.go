package app

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseOptions(t *testing.T) {
	cases := []struct {
		args string
		want Options
	}{
		{"", Options{}},
		{"-vU", Options{Verbose: true, Unbuffered: true}},
		{"-r a -rb -r c", Options{RulesFiles: []string{"a", "b", "c"}}},
		{"-vM5", Options{Verbose: true, Duration: 5}},
		{"-o a=b --option=c=d --option e=f", Options{Overrides: []string{"a=b", "c=d", "e=f"}}},
		{"--list -N", Options{List: true, NamesOnly: true}},
		{"--list=syscall --format JSON", Options{List: true, ListSource: "syscall", Format: "json"}},
		{"--list-events --markdown", Options{ListEvents: true, Markdown: true, Format: "markdown"}},
		{"-V x --validate y -l rule", Options{ValidateFiles: []string{"x", "y"}, DescribeRule: "rule"}},
	}
	for _, c := range cases {
		got, err := ParseOptions(strings.Fields(c.args))
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: got %+v", c.args, *got)
		}
	}
}

func TestParseOptionsRefuses(t *testing.T) {
	cases := []struct{ args, want string }{
		{"--nothing", "Option 'nothing' does not exist"},
		{"-A", "Option 'A' does not exist"},
		{"-vA", "Option 'A' does not exist"},
		{"-r", "Option 'r' is missing an argument"},
		{"--format", "Option 'format' is missing an argument"},
		{"--format yaml", "valid are text, markdown and json"},
		{"-M soon", "Argument 'soon' of option 'M' is wrong"},
		{"--dry-run=1", "takes no argument"},
		{"rules.yaml", "is not an option"},
		{"--markdown --format text", "Cannot specify both"},
	}
	for _, c := range cases {
		if _, err := ParseOptions(strings.Fields(c.args)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q", c.args, err, c.want)
		}
	}
}
