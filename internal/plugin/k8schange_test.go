package plugin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

const payload = `{"verb":"update","kind":"Deployment","apiVersion":"apps/v1","namespace":"prod","name":"web","uid":"d1","user":"helm","missed":true,
 "labels":{"app.kubernetes.io/name":"w\"eb","tier":"1"},"image":{"name":"r.example/a:2","registry":"r.example","repository":"a","tag":"2"},
 "oldImage":{"name":"a@sha256:00","registry":"docker.io","repository":"library/a","digest":"sha256:00"},"container":"main","images":["r.example/a:2","b"],"oldImages":["a@sha256:00"],
 "added":["r.example/a:2","b"],"floating":["b"],"newRegistries":["r.example"],"privileged":true,"oldPrivileged":false,"hostNetwork":false,"hostPID":true,"hostIPC":false,
 "hostPaths":["/","/etc"],"newHostPaths":["/etc"],"capabilities":["SYS_ADMIN"],"serviceAccount":"sa","role":"r","subjects":["User:a","User:b"],"newSubjects":["User:b"]}`

// changed returns the context of an event with a payload.
func changed(t testing.TB, payload string) *state.Ctx {
	t.Helper()
	var c event.Encoder
	c.Begin(event.PlugineventE, 1000, -1)
	c.Uint32(K8sChangeID)
	c.Raw([]byte(payload))
	e := &event.Event{Num: 1, Source: 1}
	if err := e.Decode(c.Bytes()); err != nil {
		t.Fatal(err)
	}
	return state.New(state.Config{}).Apply(e)
}

func TestK8sChangeFields(t *testing.T) {
	class, c := k8sChangeClass(), changed(t, payload)
	want := map[string]string{
		"verb": "update", "kind": "Deployment", "apiversion": "apps/v1", "ns": "prod", "name": "web", "uid": "d1", "user": "helm", "missed": "true",
		"label[app.kubernetes.io/name]": `w"eb`, "label[no]": "-", "labels": `(app.kubernetes.io/name:w"eb,tier:1)`,
		"image.new": "r.example/a:2", "image.new.registry": "r.example", "image.new.repository": "a", "image.new.tag": "2", "image.new.digest": "-",
		"image.old": "a@sha256:00", "image.old.registry": "docker.io", "image.old.repository": "library/a", "image.old.tag": "-", "image.old.digest": "sha256:00",
		"container": "main", "images": "(r.example/a:2,b)", "images.old": "(a@sha256:00)", "images.added": "(r.example/a:2,b)", "images.floating": "(b)",
		"registries.new": "(r.example)", "privileged": "true", "privileged.old": "false", "host_network": "false", "host_pid": "true", "host_ipc": "false",
		"hostpaths": "(/,/etc)", "hostpaths.added": "(/etc)", "capabilities": "(SYS_ADMIN)", "sa": "sa", "role": "r", "subjects": "(User:a,User:b)",
		"subjects.added": "(User:b)",
	}
	covered := map[string]bool{}
	for name, want := range want {
		field, arg, _ := strings.Cut(strings.TrimSuffix(name, "]"), "[")
		covered["k8schange."+field] = true
		if got := show(t, class, "k8schange."+field, arg, c); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for i := range class.Fields {
		if !covered[class.Fields[i].Name] {
			t.Errorf("%s is not tested", class.Fields[i].Name)
		}
	}
}

// TestK8sChangeFieldsOfRubbish extracts from what is no change: there are no values, and nothing panics.
func TestK8sChangeFieldsOfRubbish(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `[]`, `[1]`, `{"verb"`, `7`, `{"labels":[],"images":{},"image":7,"missed":"x","subjects":null}`, `{"labels":{},"images":[],"image":{}}`,
		strings.Repeat("[", 10_000),
	} {
		class, c := k8sChangeClass(), changed(t, text)
		for i := range class.Fields {
			if got := show(t, class, class.Fields[i].Name, "x", c); got != "-" {
				t.Errorf("%.50q: %s is %s", text, class.Fields[i].Name, got)
			}
		}
	}
}

// TestSchemas checks what --plugin-info prints of the two plugins.
func TestSchemas(t *testing.T) {
	for _, p := range []Plugin{k8smetaPlugin(), k8sChangePlugin()} {
		if !json.Valid([]byte(p.Schema())) {
			t.Errorf("%s: %s", p.Name, p.Schema())
		}
		if err := p.check(`{"kubeconfig":"/x"}`); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	meta := k8smetaPlugin()
	for config, want := range map[string]string{
		`{"collectorHostname":"h","collectorPort":45000,"nodeName":"${NODE}","verbosity":"info","hostProc":"/host","caPEMBundle":"/c"}`: "",
		`{"collectorPort":"45000"}`: "expected a JSON integer", `{"verbosity":"loud"}`: "possible are trace", `{"collectorHost":"h"}`: "unknown key collectorHost",
	} {
		if err := meta.check(config); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

// TestUpstreamFields compares the names and kinds of the fields with those of Falco's plugin.
func TestUpstreamFields(t *testing.T) {
	table, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "reference", "falco-fields.tsv"))
	if err != nil {
		t.Skipf("no table of Falco's fields: %v", err)
	}
	class := k8smetaClass()
	n := 0
	for line := range strings.Lines(string(table)) {
		cols := strings.Split(line, "\t")
		if cols[0] != "k8smeta" {
			continue
		}
		n++
		found := false
		for i := range class.Fields {
			f := &class.Fields[i]
			if f.Name != cols[1] {
				continue
			}
			found = true
			if f.List != strings.HasSuffix(cols[2], "list") || (len(f.Args) > 0) != strings.HasPrefix(cols[3], "required") || (f.Flags&field.Suggested != 0) != (cols[4] == "SUGGESTED_OUTPUT") {
				t.Errorf("%s is not as in %q", f.Name, line)
			}
		}
		if !found {
			t.Errorf("there is no field %s", cols[1])
		}
	}
	if n != 25 {
		t.Errorf("the table has %d fields of k8smeta, want 25", n)
	}
}
