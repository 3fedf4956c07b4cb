package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestPrint(t *testing.T) {
	c, err := load(t, map[string]string{
		"falco.yaml": "json_output: true\nhttp_output:\n  url: https://user:secret@host/path\nrules_files: [a, b]\n" +
			"forward:\n  slack: {webhookurl: https://secret}\n  queue: {dir: /q}\n" +
			"program_output: {program: \"jq '{text: .output}' | curl -d @- https://hooks.example/secret\"}\n",
	}, "priority=notice")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"json_output: true  # ", "falco.yaml:1\n", "rules_files: [\"a\",\"b\"]  # ", "falco.yaml:4\n", "priority: \"notice\"  # -o priority\n",
		"rule_matching: \"first\"  # default\n", "http_output.url: \"https://***@host/***\"  # ", "falco.yaml:3\n",
		`forward: ["slack","queue"]  # `, "falco.yaml:6\n", `program_output.program: "jq ***"  # `,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "secret") {
		t.Error("a password is printed")
	}
	if c.Forward == nil || c.Forward.Line != 6 || !strings.HasSuffix(c.ForwardFile(), "falco.yaml") {
		t.Errorf("forward is %+v of %s", c.Forward, c.ForwardFile())
	}
}

func TestHideOption(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"json_output=true", "json_output=true"},
		{"http_output.url=http://me:secret@host/x", "http_output.url=http://***@host/***"},
		{"http_output={url: 'http://me:secret@host'}", "http_output=***"},
		{"program_output.program=curl secret", "program_output.program=***"},
		{"plugins[0].init_config.token=secret", "plugins[0].init_config.token=***"},
		{"plugins[]={init_config: {token: secret}}", "plugins[]=***"},
		{"forward.slack.webhookurl=secret", "forward.slack.webhookurl=***"},
		{"http_output.enabled=true", "http_output.enabled=true"},
	} {
		if got := HideOption(c.in); got != c.want {
			t.Errorf("HideOption(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestHideArguments(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"/opt/send", "/opt/send"}, {" curl -d @- https://host/secret", "curl ***"}, {"TOKEN=secret send", "***"},
	} {
		if got := hideArguments(c.in); got != c.want {
			t.Errorf("hideArguments(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestHideUser(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"https://user:secret@host/path", "https://***@host/path"},
		{"https://user:secret@host", "https://***@host"},
		{"user:secret@host:2801/x", "***@host:2801/x"},
		{"http://host/a@b", "http://host/a@b"},
		{"", ""},
	} {
		if got := hideUser(c.in); got != c.want {
			t.Errorf("hideUser(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestHideURL(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"https://host:2801", "https://host:2801"},
		{"https://host/", "https://host/"},
		{"https://hooks.example/services/secret", "https://hooks.example/***"},
		{"https://host?token=secret", "https://host/***"},
		{"https://host#secret", "https://host/***"},
		{"https://user:secret@host/secret", "https://***@host/***"},
		{"https://user:secret/secret@host", "https://***@host"},
		{"https://host/secret@last", "https://***@last"},
		{"user:secret@host:2801/x", "***@host:2801/***"},
		{"", ""},
	} {
		if got := hideURL(c.in); got != c.want {
			t.Errorf("hideURL(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// TestDocument wants what was set and nothing else, with scalars as texts, and no secret.
func TestDocument(t *testing.T) {
	c, err := load(t, map[string]string{
		"falco.yaml": "json_output: true\nrules_file: [a]\nhttp_output: {url: https://host/secret}\nsyscall_event_drops: {rate: 0.5}\n" +
			"append_output: [{match: {tags: [x]}, suggested_output: true}]\nload_plugins: []\n" +
			"plugins: [{name: json, library_path: /l.so, init_config: {n: 1, token: secret, none: null}}]\nforward: {slack: {webhookurl: secret}}\n",
	}, "engine.kind=nodriver")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"append_output":[{"match":{"tags":["x"]},"suggested_output":"true"}],"engine":{"kind":"nodriver"},"forward":["slack"],` +
		`"http_output":{"url":"https://host/***"},"json_output":"true","load_plugins":[],` +
		`"plugins":[{"init_config":{"n":"1","none":null,"token":"***"},"library_path":"/l.so","name":"json"}],"rules_file":["a"],` +
		`"syscall_event_drops":{"rate":"0.5"}}`
	if got, err := c.Document(); err != nil || got != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}

func TestDiffer(t *testing.T) {
	a, err := load(t, map[string]string{"falco.yaml": "engine: {kind: nodriver}\nsyscall_event_drops: {actions: [log]}\n"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := load(t, map[string]string{"falco.yaml": "engine: {kind: nodriver}\nsyscall_event_drops: {rate: 0.5}\ncapture: {enabled: true}\n"})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(Differ(a, b, "engine", "syscall_event_drops"), " "); got != "syscall_event_drops.rate syscall_event_drops.actions" {
		t.Errorf("different are %s", got)
	}
}

// TestSchemaJSON wants the schema to name every key, and those of the items of lists.
func TestSchemaJSON(t *testing.T) {
	type schema struct {
		Type       any
		Properties map[string]schema
		Items      *schema
		OneOf      []schema
	}
	var doc struct {
		Ref         string `json:"$ref"`
		Definitions map[string]schema
	}
	if err := json.Unmarshal(SchemaJSON(), &doc); err != nil {
		t.Fatal(err)
	}
	s := doc.Definitions["FalcoConfig"]
	if doc.Ref != "#/definitions/FalcoConfig" || s.Type != "object" {
		t.Fatalf("it is a schema of %s: %v", doc.Ref, s.Type)
	}
	for _, k := range keys() {
		at := s
		for _, p := range strings.Split(k.name, ".") {
			next, ok := at.Properties[p]
			if !ok {
				t.Errorf("the schema lacks %s", k.name)
			}
			at = next
		}
	}
	for _, c := range []struct {
		key  string
		want []string
	}{
		{"rules", []string{"enable", "disable"}},
		{"append_output", []string{"match", "extra_output", "extra_fields", "suggested_output"}},
		{"plugins", []string{"name", "library_path", "init_config", "open_params"}},
	} {
		for _, name := range c.want {
			if _, ok := s.Properties[c.key].Items.Properties[name]; !ok {
				t.Errorf("the schema of %s lacks %s", c.key, name)
			}
		}
	}
	if got := s.Properties["config_files"].Items.OneOf; len(got) != 2 || got[1].Properties["strategy"].Type != "string" {
		t.Errorf("config_files has %+v", got)
	}
}

// TestPluginsMergeByName wants a drop-in file to change one key of one plugin.
func TestPluginsMergeByName(t *testing.T) {
	a, err := parse("a", []byte("plugins:\n- {name: json, library_path: libjson.so, init_config: old}\n"), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	b, err := parse("b", []byte("plugins:\n- {name: json, init_config: new}\n- {name: other}\n"), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	a.merge(b, Append)
	list := a.lookup("plugins")
	if len(list.Content) != 2 || child(list.Content[0], "init_config").Value != "new" || child(list.Content[0], "library_path").Value != "libjson.so" {
		t.Errorf("%d plugins, first %v", len(list.Content), list.Content[0].Content)
	}
}
