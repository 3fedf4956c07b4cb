package route

import (
	"math"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
)

func text(s string) alert.Value { return alert.Value{Kind: alert.Text, Text: s} }

// suspect is the alert that conditions are tried with.
func suspect() *alert.Alert {
	return &alert.Alert{
		Rule: "Terminal shell in container", Priority: alert.Error, Source: "syscall", Hostname: "node-1", Output: "a shell was spawned", Tags: []string{"container", "shell"},
		Fields: []alert.Field{
			{Key: "proc.name", Value: text("old")},
			{Key: "proc.name", Value: text("bash")},
			{Key: "fd.name", Value: text("/etc/ssh/key.pem")},
			{Key: "proc.pid", Value: alert.Value{Kind: alert.Int, Num: 4242}},
			{Key: "proc.aname[2]", Value: text("sshd")},
			{Key: "user.name", Value: alert.Value{}},
			{Key: "ratio", Value: alert.Value{Kind: alert.Float, Num: math.Float64bits(0.5)}},
			{Key: "evt.failed", Value: alert.Value{Kind: alert.Bool, Num: 1}},
			{Key: "fd.types", Value: alert.Value{Kind: alert.List, Elems: []alert.Value{text("file"), text("unix"), {}}}},
			{Key: "k8s.ns.name", Value: text("prod")},
			{Key: "proc.pname", Value: text("BASH")},
		},
	}
}

// TestFilter has conditions that hold and, after a !, conditions that do not.
func TestFilter(t *testing.T) {
	a := suspect()
	for _, c := range []string{
		"priority <= warning", "priority <= error", "! priority < error", "priority < Warning", "! priority > error", "priority >= critical",
		"priority = error", "priority = 3", "priority <= 3", "priority != debug", "priority in (critical, Error)", "! priority in (info, notice)", "priority exists",
		"priority = anyof (error, debug)",
		"rule = 'Terminal shell in container'", "rule startswith Terminal", "! rule startswith terminal", "rule endswith container", "rule icontains SHELL",
		"source = syscall and hostname in (node-1, node-2)", "output contains spawned", "! source = k8s_audit or proc.pid < 0", "uuid = x or rule exists", "! uuid exists",
		"tags intersects (shell, other)", "! tags intersects (other)", "! tags in (shell)", "tags in (shell, container, host)", "tags = shell", "tags != host", "! tags != shell",
		"tags contains contain", "not tags = network", "len(tags) = 2",
		"proc.name = bash", "! proc.name = old", "proc.name == bash", "proc.name != sh", "k8s.ns.name in (staging, prod)", "! k8s.ns.name in ()",
		"proc.pid = 4242", "proc.pid = 0x1092", "proc.pid >= 4242", "! proc.pid > 4242", "proc.pid > 4241.5", "ratio < 1", "ratio = 0.50", "evt.failed = true",
		"! proc.name > 5", "proc.aname[2] = sshd", "! proc.aname[3] exists", "fd.types = unix", "fd.types in (file, unix)", "! fd.types in (file)",
		"! user.name exists", "! user.name = root", "! user.name != root", "not user.name = root", "! missing != x",
		"fd.name glob /etc/*.pem", "! fd.name glob /etc", "fd.name glob '/e?c/ssh/[jk]ey[!x]pem'", "proc.name iglob BA*", "fd.name glob '/etc/ssh/[[:alpha:]]*'", `! fd.name glob '\\*'`, `fd.name glob /etc/s\sh*`, "! fd.name glob '[*'", "fd.name glob '[]/]*[!-]'",
		"fd.name regex '/etc/.*'", "! fd.name regex etc", "fd.name pmatch (/usr, /etc/ssh)", "! fd.name pmatch (/etc/ss)", "fd.name pmatch (/etc/*/key.pem)",
		"proc.name bcontains 6261", "proc.name bstartswith 6261", "! proc.name bstartswith 61",
		"! proc.name startswith oneof (ba, bash)", "! proc.name contains allof (b, z)", "proc.name contains allof (b, sh)", "! proc.name contains oneof (b, a)",
		"tolower(proc.pname) = bash", "toupper(proc.name) = val(proc.pname)", "basename(fd.name) = key.pem", "len(proc.name) > 3", "! proc.name = val(proc.pname)",
		"proc.name = tolower(proc.pname)", "! proc.pid > val(proc.name)", "proc.pid > val(ratio)", "! proc.name = val(missing)",
		"(rule = x or rule contains shell) and not (priority > warning or proc.name in (zsh))",
	} {
		condition, negated := strings.CutPrefix(c, "! ")
		want := !negated
		f, err := ParseFilter(condition)
		if err != nil {
			t.Errorf("%s: %v", c, err)
			continue
		}
		if got := f.Match(a); got != want {
			t.Errorf("%s: %t", condition, got)
		}
		if f.String() != condition {
			t.Errorf("%s is %s", condition, f)
		}
	}
}

// TestFilterErrors has conditions that are refused.
func TestFilterErrors(t *testing.T) {
	for condition, want := range map[string]string{
		"":                               "line 1, column 1: filter input string is empty",
		"priority <= loud":               `line 1, column 13: "loud" is no priority; they are emergency`,
		"priority = 8":                   `"8" is no priority`,
		"rule = a\nand priority glob e*": "line 2, column 5: priority has the operators",
		"priority = val(rule)":           "priority is compared with names",
		"rule":                           "line 1, column 5: expected a valid check operator",
		"rule < abc":                     `line 1, column 8: "abc" is no number`,
		"rule regex '('":                 `"(" is no pattern`,
		"rule bcontains xyz":             "hexadecimal",
		"rule = x and":                   "expected blank or '('",
		"join(rule) = x":                 "line 1, column 1: the transformers of alerts are",
		"rule glob val(output)":          "glob compares with what is written",
		"tolower('x') = y":               "expected a field",
		"rule = x or not (tags in (a)":   "expected a ')' token",
	} {
		if _, err := ParseFilter(condition); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", condition, err, want)
		}
	}
}

// FuzzFilter has no condition panic, neither when it is compiled nor when it is asked.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"priority <= warning and not tags in (a)", "len(proc.name) > 3", "fd.name glob '[a-'", "a regex '[[:x:]]'", "a pmatch ('[', /)"} {
		f.Add(s)
	}
	a := suspect()
	f.Fuzz(func(t *testing.T, condition string) {
		if c, err := ParseFilter(condition); err == nil {
			c.Match(a)
			c.Match(&alert.Alert{})
		}
	})
}
