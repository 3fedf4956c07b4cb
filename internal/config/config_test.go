package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// load writes files into a directory and loads falco.yaml from it. DIR in a text stands for the directory.
func load(t *testing.T, files map[string]string, options ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"PRIO": "warning", "YES": "true"}
	return Load(Sources{Path: filepath.Join(dir, "falco.yaml"), Explicit: true, Options: options, Env: func(k string) string { return env[k] }})
}

func TestLoad(t *testing.T) {
	cases := []struct {
		name    string
		files   map[string]string
		options []string
		get     func(*Config) any
		want    any
	}{
		{"default matching", map[string]string{"falco.yaml": ""}, nil, func(c *Config) any { return c.RuleMatching }, "first"},
		{"null document", map[string]string{"falco.yaml": "~\n"}, nil, func(c *Config) any { return c.Engine.BufferBytes() }, 8 << 20},
		{"nested", map[string]string{"falco.yaml": "engine:\n  kind: nodriver\n  modern_ebpf: {buf_size_preset: 1}\n"}, nil, func(c *Config) any { return c.Engine.BufferBytes() }, 1 << 20},
		{"environment", map[string]string{"falco.yaml": "priority: ${PRIO}\njson_output: ${YES}\n"}, nil, func(c *Config) any { return []any{c.Priority, c.JSONOutput} }, []any{"warning", true}},
		{"environment without the variable", map[string]string{"falco.yaml": "json_output: ${NONE}\nwebserver:\n  listen_port: ${NONE}\n"}, nil, func(c *Config) any { return []any{c.JSONOutput, c.Webserver.ListenPort} }, []any{false, 8765}},
		{"option that begins with a brace", map[string]string{"falco.yaml": ""}, []string{"program_output.program={ cat; } > x"}, func(c *Config) any { return c.Outputs.Program.Program }, "{ cat; } > x"},
		{"option of keys", map[string]string{"falco.yaml": ""}, []string{`static_fields={"a": "b"}`}, func(c *Config) any { return c.StaticFields }, []StaticField{{"a", "b"}}},
		{"include appends", map[string]string{"falco.yaml": "config_files: [DIR/d]\nrules_files: [a]\n", "d/1.conf": "rules_files: [b]\n", "d/2.yaml": "rules_files: [c]\n"}, nil, func(c *Config) any { return c.RulesFiles }, []string{"a", "b", "c"}},
		{"include overrides", map[string]string{"falco.yaml": "config_files: [{path: DIR/d, strategy: override}]\nrules_files: [a]\n", "d/1": "rules_files: [b]\n"}, nil, func(c *Config) any { return c.RulesFiles }, []string{"b"}},
		{"include adds only", map[string]string{"falco.yaml": "config_files: [{path: DIR/d, strategy: add-only}]\nrules_files: [a]\n", "d/1": "rules_files: [b]\njson_output: true\n"}, nil, func(c *Config) any { return []any{c.RulesFiles, c.JSONOutput} }, []any{[]string{"a"}, true}},
		{"missing include", map[string]string{"falco.yaml": "config_files: [DIR/none]\npriority: info\n"}, nil, func(c *Config) any { return c.Priority }, "info"},
		{"option wins", map[string]string{"falco.yaml": "json_output: false\n"}, []string{"json_output=true"}, func(c *Config) any { return c.JSONOutput }, true},
		{"option makes sections", map[string]string{"falco.yaml": ""}, []string{"engine.modern_ebpf.buf_size_preset=6"}, func(c *Config) any { return c.Engine.BufferPreset }, 6},
		{"option appends", map[string]string{"falco.yaml": "rules_files: [a]\n"}, []string{"rules_files[]=b"}, func(c *Config) any { return c.RulesFiles }, []string{"a", "b"}},
		{"option indexes", map[string]string{"falco.yaml": "rules_files: [a, b]\n"}, []string{"rules_files[1]=x"}, func(c *Config) any { return c.RulesFiles }, []string{"a", "x"}},
		{"option selects rules", map[string]string{"falco.yaml": ""}, []string{"rules[].disable.rule=*", "rules[].enable.tag=net"}, func(c *Config) any { return c.Rules }, []Selection{{false, "*", ""}, {true, "", "net"}}},
		{"option takes a map", map[string]string{"falco.yaml": ""}, []string{"rules[]={enable: {rule: 'a=b', tag: x}}"}, func(c *Config) any { return c.Rules }, []Selection{{true, "a=b", "x"}}},
		{"no suggested output unless asked for", map[string]string{"falco.yaml": ""}, nil, func(c *Config) any { return len(c.AppendOutput) }, 0},
		{"suggested output off", map[string]string{"falco.yaml": "append_output: [{suggested_output: true}]\n"}, []string{"append_output.suggested_output=false"}, func(c *Config) any { return len(c.AppendOutput) }, 0},
		{"durations", map[string]string{"falco.yaml": "metrics: {interval: 1h30m5ms}\noutput_timeout: 300\n"}, nil, func(c *Config) any { return []any{c.Metrics.Interval, c.Outputs.Timeout} }, []any{90*time.Minute + 5*time.Millisecond, 300 * time.Millisecond}},
		{"static fields", map[string]string{"falco.yaml": "static_fields: {zone: eu, n: 1}\n"}, nil, func(c *Config) any { return c.StaticFields }, []StaticField{{"zone", "eu"}, {"n", "1"}}},
		{"append output in other words", map[string]string{"falco.yaml": "append_output:\n- suggested_output: yes\n  extra_fields: [{a: '%fd.name', b: '%fd.num'}]\n"}, nil, func(c *Config) any { return c.AppendOutput }, []AppendOutput{{Suggested: true, Fields: []ExtraField{{"a", "%fd.name"}, {"b", "%fd.num"}}}}},
		{"append output", map[string]string{"falco.yaml": "append_output:\n- match: {source: syscall, tags: [a]}\n  extra_output: '%proc.name'\n  extra_fields: [proc.pid, {k: '%fd.name'}]\n"}, nil, func(c *Config) any { return c.AppendOutput }, []AppendOutput{{Source: "syscall", Tags: []string{"a"}, Extra: "%proc.name", Fields: []ExtraField{{"proc.pid", ""}, {"k", "%fd.name"}}}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := load(t, c.files, c.options...)
			if err != nil {
				t.Fatal(err)
			}
			if v := c.get(got); !reflect.DeepEqual(v, c.want) {
				t.Errorf("got %v, want %v", v, c.want)
			}
			if len(got.Warnings) > 0 {
				t.Errorf("warnings: %v", got.Warnings)
			}
		})
	}
}

// TestLoadTakes wants what Falco takes to be taken: wrong values of what is off, empty ones, a text for a list, and more keys than count.
func TestLoadTakes(t *testing.T) {
	for _, c := range []struct{ text, warning string }{
		{"metrics: {interval: 5000}", ""},
		{"metrics: {enabled: true, output_file: x, interval: 1h 30m}", ""},
		{"metrics: {enabled: true}\nwebserver: {prometheus_metrics_enabled: true}", ""},
		{"libs_logger: {enabled: false, severity: loud}", ""},
		{"syscall_event_drops: {actions: [log, ignore, exit]}", ""},
		{"syscall_event_drops: {rate: ''}\noutput_timeout: ''\nmetrics: {enabled: true, output_rule: true, interval: ''}\nwebserver: {listen_address: ''}", ""},
		{"load_plugins: json\nplugins: [{name: json, library_path: libjson.so}]", ""},
		{"falco_libs: {thread_table_size: 0}", ""},
		{"append_output: [{extra_feilds: [a]}]", "append_output: line 1: unknown key extra_feilds; did you mean extra_fields?"},
		{"append_output: [{extra_fields: [a, a]}]", ""},
		{"rules: [{disable: {tag: a}, enable: {tag: b}}]", "rules: line 1: disable has no effect beside enable"},
	} {
		got, err := load(t, map[string]string{"falco.yaml": c.text})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if w := strings.Join(got.Warnings, "; "); w != c.warning {
			t.Errorf("%s: warnings are %q", c.text, w)
		}
		if len(got.Rules) > 0 && !got.Rules[0].Enable || got.Outputs.Timeout == 0 || got.Metrics.Interval == 0 || got.Webserver.ListenAddress == "" {
			t.Errorf("%s: got %+v", c.text, got)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	cases := []struct {
		name, text, want string
		options          []string
	}{
		{"not YAML", "a: [", "falco.yaml: yaml: line 1", nil},
		{"a list", "- a\n", "line 1: expected keys and values", nil},
		{"wrong type", "\njson_output: maybe\n", `falco.yaml:2: json_output: expected true or false, not "maybe"`, nil},
		{"out of range", "engine:\n  modern_ebpf:\n    buf_size_preset: 11\n", "falco.yaml:3: engine.modern_ebpf.buf_size_preset: expected a whole number from 1 to 10", nil},
		{"file without a name", "file_output: {enabled: true}\n", "file_output is enabled but no file_output.filename specified", nil},
		{"no program", "program_output: {enabled: true, program: ''}\n", "program_output is enabled but no program_output.program specified", nil},
		{"no address", "http_output: {enabled: true}\n", "http_output is enabled but no http_output.url specified", nil},
		{"matching", "rule_matching: some\n", "Unknown rule matching strategy", nil},
		{"kind", "engine: {kind: gvisor}\n", `"gvisor" is not possible`, nil},
		{"scalar for forward", "a: 1\nforward: slack\n", "falco.yaml:2: forward: expected keys and values, as in Falcosidekick's configuration", nil},
		{"scalar for a section", "engine: 5\n", "falco.yaml:1: engine: expected keys and values", nil},
		{"drop actions", "syscall_event_drops: {actions: [ignore, log]}\n", `action "log" does not make sense with the "ignore" action`, nil},
		{"replay without file", "engine: {kind: replay}\n", "no engine.replay.capture_file", nil},
		{"drop actions, alert", "syscall_event_drops: {actions: [log, ignore, alert]}\n", `action "alert" does not make sense with the "ignore" action`, nil},
		{"bare interval", "metrics: {enabled: true, output_rule: true, interval: 5000}\n", "falco.yaml:1: metrics.interval: expected a duration such as", nil},
		{"interval out of order", "metrics: {enabled: true, output_rule: true, interval: 5s1h}\n", "expected a duration such as", nil},
		{"short interval", "metrics: {enabled: true, output_rule: true, interval: 99ms}\n", "at least 100ms", nil},
		{"metrics for nobody", "metrics: {enabled: true}\n", "Metrics are enabled with no output configured", nil},
		{"libs_logger", "libs_logger: {severity: loud}\n", `"loud" is not possible`, nil},
		{"append_output of a text", "append_output: [x]\n", "line 1: expected keys and values", nil},
		{"append_output twice", "append_output: [{extra_fields: [a, {a: b}]}]\n", "a is there twice", nil},
		{"rules", "rules: [{enabel: {tag: a}}]\n", "expected `enable:` or `disable:`", nil},
		{"address", "webserver: {listen_address: localhost}\n", "expected an IPv4 or IPv6 address", nil},
		{"suggested output", "append_output: [{suggested_output: maybe}]\n", `suggested_output: expected true or false, not "maybe"`, nil},
		{"option without value", "", "expected key=value", []string{"json_output"}},
		{"option with a wrong path", "", "is not closed", []string{"a[1=2"}},
		{"option behind the end", "rules_files: [a]\n", "index 7 is behind the end of a list of 1", []string{"rules_files[7]=x"}},
		{"aliases", "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "too many values", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, map[string]string{"falco.yaml": c.text}, c.options...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Load(Sources{Path: "/nonexistent/falco.yaml", Explicit: true}); err == nil || err.Error() != "Could not find configuration file at /nonexistent/falco.yaml" {
		t.Errorf("missing file: %v", err)
	}
	if c, err := Load(Sources{Path: "/nonexistent/falco.yaml"}); err != nil || c.Loaded || !c.StdoutEnabled || len(c.AppendOutput) != 1 {
		t.Errorf("missing default file: %+v, %v", c, err)
	}
}

// TestIncludeOfConfigMap includes a directory as Kubernetes fills it, with an editor's lock beside.
func TestIncludeOfConfigMap(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, d := range []string{"d", "d/..2026"} {
		if err := os.Mkdir(path(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"falco.yaml": "config_files: [" + path("d") + "]\n", "d/..2026/a.yaml": "priority: notice\n"} {
		if err := os.WriteFile(path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"d/..data": "..2026", "d/a.yaml": "..data/a.yaml", "d/.#a.yaml": "ada@lab.17"} {
		if err := os.Symlink(target, path(name)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load(Sources{Path: path("falco.yaml"), Explicit: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{path("falco.yaml"), path("d/a.yaml")}; c.Priority != "notice" || !reflect.DeepEqual(c.Files, want) {
		t.Errorf("priority %s of the files %v, want those of %v", c.Priority, c.Files, want)
	}
}

// TestFilesOfBrokenConfiguration wants to be told what to wait for when a configuration cannot be loaded.
func TestFilesOfBrokenConfiguration(t *testing.T) {
	c, err := load(t, map[string]string{"falco.yaml": "config_files: [DIR/none, DIR/d]\n", "d/1.yaml": "a: ["})
	if err == nil {
		t.Fatal("it was loaded")
	}
	base := func(paths []string) (out []string) {
		for _, p := range paths {
			out = append(out, filepath.Base(p))
		}
		return out
	}
	if got, want := [][]string{base(c.Files), base(c.Dirs), base(c.Missing)}, [][]string{{"falco.yaml", "1.yaml"}, {"d"}, {"none"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("files, directories and what is missing are %v, want %v", got, want)
	}
}

func TestWarnings(t *testing.T) {
	c, err := load(t, map[string]string{"falco.yaml": "json_ouput: true\nsyscall_event_timeouts:\n  max_consecutives: 1000\nqqq: 1\n"})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(c.Warnings, "\n")
	for _, want := range []string{"falco.yaml:1: unknown key json_ouput; did you mean json_output?", "falco.yaml:4: unknown key qqq"} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings lack %q:\n%s", want, got)
		}
	}
	if len(c.Warnings) != 2 {
		t.Errorf("%d warnings:\n%s", len(c.Warnings), got)
	}
}

// TestRepeatedKey checks that of a key that is there twice the first one counts, and that it is said.
func TestRepeatedKey(t *testing.T) {
	c, err := load(t, map[string]string{"falco.yaml": "rules_files: [a]\nmetrics:\n  interval: 1h\n  interval: 2h\nrules_files: [b]\n"})
	if err != nil || c.Metrics.Interval != time.Hour || !slices.Equal(c.RulesFiles, []string{"a"}) {
		t.Fatalf("%+v, %v", c, err)
	}
	got := strings.Join(c.Warnings, "\n")
	for _, want := range []string{"falco.yaml:4: metrics.interval is there already", "falco.yaml:5: rules_files is there already"} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings lack %q:\n%s", want, got)
		}
	}
}

// TestRulesFile sets rules_file, the old name of rules_files.
func TestRulesFile(t *testing.T) {
	c, err := load(t, map[string]string{"falco.yaml": "rules_file: a.yaml\n"})
	if err != nil || len(c.RulesFiles) != 1 || c.RulesFiles[0] != "a.yaml" {
		t.Fatalf("%v, %v", c, err)
	}
	if len(c.Warnings) != 1 || !strings.HasSuffix(c.Warnings[0], "falco.yaml:1: rules_file is deprecated, use rules_files") {
		t.Errorf("warnings: %v", c.Warnings)
	}
	if _, err := load(t, map[string]string{"falco.yaml": "rules_files: [b.yaml]\nrules_file: a.yaml\n"}); err == nil || !strings.Contains(err.Error(), "falco.yaml:2: rules_file and rules_files are both set") {
		t.Errorf("both: %v", err)
	}
}

// TestPrintValues prints values of more than one part as they are written in a configuration, without what is secret.
func TestPrintValues(t *testing.T) {
	c, err := load(t, map[string]string{"falco.yaml": `
rules: [{disable: {rule: "Read*"}}, {enable: {tag: x, rule: y}}]
append_output:
  - {match: {source: syscall, tags: [a]}, extra_output: z, extra_fields: [proc.name, {home: "%proc.env[HOME]"}]}
  - suggested_output: true
static_fields: {a: b}
plugins:
  - {name: okta, library_path: libokta.so, init_config: {organization: acme, api_token: hunter2, deep: [{password: hunter2}]}, open_params: "https://me:hunter2@host/x"}
engine: {kind: kmod, kmod: {buf_size_preset: 6, drop_failed_exit: true}}
`})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`rules: [{"disable":{"rule":"Read*"}},{"enable":{"rule":"y","tag":"x"}}]  # `,
		`append_output: [{"extra_fields":["proc.name",{"home":"%proc.env[HOME]"}],"extra_output":"z","match":{"source":"syscall","tags":["a"]}},{"suggested_output":true}]  # `,
		`static_fields: {"a":"b"}  # `,
		`"init_config":{"api_token":"***","deep":[{"password":"***"}],"organization":"acme"}`,
		`"open_params":"https://***@host/x"`,
		"syscall_event_timeouts.max_consecutives: 1000  # default\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("a secret is printed:\n%s", out.String())
	}
	if e := c.Engine.Effective(); e.CPUsPerBuffer != 1 || e.BufferBytes() != 32<<20 || !e.DropFailed {
		t.Errorf("kmod: %+v", e)
	}
}

func TestExpand(t *testing.T) {
	env := func(k string) string { return map[string]string{"A": "x"}[k] }
	for _, c := range []struct{ in, want string }{
		{"${A}", "x"}, {"a${A}b${A}", "axbx"}, {"${NONE}", ""}, {"$${A}", "${A}"}, {"$A ${A}", "$A ${A}"}, {"${A", "${A"}, {"$", "$"}, {"${A}$", "x$"},
	} {
		if got := expand(c.in, env); got != c.want {
			t.Errorf("expand(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestParsePath(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []step
	}{
		{"a", []step{{key: "a"}}},
		{"a.b[2][].c", []step{{key: "a"}, {key: "b"}, {index: 2, list: true}, {append: true, list: true}, {key: "c"}}},
		{`a\.b\[`, []step{{key: "a.b["}}},
	} {
		got, err := parsePath(c.in)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("parsePath(%q) = %v, %v", c.in, got, err)
		}
	}
	for _, in := range []string{"", ".", "a..b", "a[", "a[x]", "a[1]b", `a\`, "a."} {
		if got, err := parsePath(in); err == nil {
			t.Errorf("parsePath(%q) = %v", in, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("engine: {kind: nodriver}\nrules: [{enable: {tag: x}}]", "rules[0].enable.rule=x")
	f.Add("a: &x [1]\nb: *x", "a[]=1")
	f.Fuzz(func(t *testing.T, text, option string) {
		d, err := parse("f", []byte(text), func(string) string { return "" })
		if err != nil {
			return
		}
		if d.set(option) == nil {
			_ = defaults().decode(d)
		}
	})
}
