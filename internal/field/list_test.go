package field_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/field"
)

// lines reads a golden of the shared directory, and skips the test where there is none.
func lines(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(shared, "golden", name))
	if err != nil {
		t.Skipf("no golden: %v", err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// TestListNames compares the names with those of the reference, which has the plugin container. Last are our own.
func TestListNames(t *testing.T) {
	want := append(lines(t, "list-names.txt"), "container.id_mismatch")
	var out bytes.Buffer
	if err := field.NewCatalogue().List(&out, field.ListOptions{NamesOnly: true}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"); !slices.Equal(got, want) {
		t.Fatalf("got %d names, want %d: %q", len(got), len(want), got)
	}
}

// TestListEvents compares the events with those of the reference. Generic calls stand in no order there.
func TestListEvents(t *testing.T) {
	var out bytes.Buffer
	if err := field.ListEvents(&out, field.LayoutText); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	want := lines(t, "list-events.txt")
	// The first line names the version of the schema, which is newer than the reference's.
	got, want = got[1:], want[1:]
	sort.Strings(got)
	sort.Strings(want)
	missing, extra := difference(want, got), difference(got, want)
	for _, l := range missing {
		t.Errorf("missing: %.150s", l)
	}
	for _, l := range extra {
		t.Errorf("not in the reference: %.150s", l)
	}
}

// difference returns the lines of a that are not in b; both are sorted.
func difference(a, b []string) []string {
	var list []string
	for _, l := range a {
		for len(b) > 0 && b[0] < l {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == l {
			b = b[1:]
			continue
		}
		list = append(list, l)
	}
	return list
}

func TestListLayouts(t *testing.T) {
	c := field.NewCatalogue()
	c.Sources = append(c.Sources, "k8s_audit")
	cases := []struct {
		name string
		o    field.ListOptions
		want []string // in this order
		not  string
	}{
		{"text", field.ListOptions{}, []string{
			"-------------------------------\nField Class:                  evt (All event types)\nDescription:                  What",
			"Event Sources:                k8s_audit syscall \n\n",
			"Event Sources:                syscall \n\n",
			"proc.aname                    (ARG_ALLOWED,ARG_INDEX,EPF_NO_RHS,EPF_NO_TRANSFORMER) proc.name of an ancestor: ",
			"proc.exe_ino.ctime_duration_proc_start\n                              Nanoseconds",
		}, "util.cnt"},
		{"text with types", field.ListOptions{Verbose: true}, []string{"fd.types                      (Type: CHARBUF) (ARG_ALLOWED,"}, "evt.latency"},
		{"markdown", field.ListOptions{Layout: field.LayoutMarkdown}, []string{
			"## Field Class: evt\n\n", "Event Sources: k8s_audit syscall \n\nName | Type | Description\n:----|:-----|:-----------\n`evt.num` | UINT64 | ",
			"`fd.types` | LIST(CHARBUF) | ",
		}, "evt.dir"},
		{"other source", field.ListOptions{Source: "k8s_audit"}, []string{"evt (All event types)", "Event Sources:                k8s_audit \n"}, "proc.name"},
	}
	for _, tc := range cases {
		var out bytes.Buffer
		if err := c.List(&out, tc.o); err != nil {
			t.Fatal(err)
		}
		rest := out.String()
		if tc.not != "" && strings.Contains(rest, "\n"+tc.not+" ") {
			t.Errorf("%s: lists %s", tc.name, tc.not)
		}
		for _, want := range tc.want {
			i := strings.Index(rest, want)
			if i < 0 {
				t.Errorf("%s: %q is missing or in another order", tc.name, want)
				continue
			}
			rest = rest[i:]
		}
		for _, line := range strings.Split(out.String(), "\n") {
			if tc.o.Layout == field.LayoutText && len(line) > 120 {
				t.Errorf("%s: line of %d characters: %s", tc.name, len(line), line)
			}
		}
	}
}

func TestListJSON(t *testing.T) {
	var out bytes.Buffer
	if err := field.NewCatalogue().List(&out, field.ListOptions{Layout: field.LayoutJSON}); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Classes []struct {
			Name    string   `json:"name"`
			Sources []string `json:"event_sources"`
			Fields  []struct {
				Name     string `json:"name"`
				Type     string `json:"type"`
				IsList   bool   `json:"is_list"`
				Argument *struct {
					Required bool     `json:"required"`
					Type     []string `json:"type"`
				} `json:"argument"`
			} `json:"fields"`
		} `json:"fieldclasses"`
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Classes) != 9 || doc.Classes[2].Name != "process" || doc.Classes[2].Sources[0] != "syscall" {
		t.Fatalf("%d classes, the third is %+v", len(doc.Classes), doc.Classes[2].Name)
	}
	for _, f := range doc.Classes[2].Fields {
		if f.Name == "proc.aenv" && (f.Argument == nil || f.Argument.Required || len(f.Argument.Type) != 2) {
			t.Errorf("argument of proc.aenv: %+v", f.Argument)
		}
		if f.Name == "proc.name" && (f.Argument != nil || f.Type != "CHARBUF" || f.IsList) {
			t.Errorf("proc.name: %+v", f)
		}
	}
	out.Reset()
	if err := field.ListEvents(&out, field.LayoutJSON); err != nil {
		t.Fatal(err)
	}
	var events map[string]any
	if err := json.Unmarshal(out.Bytes(), &events); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"schema_version", "Syscall events", "Tracepoint events", "Plugin events", "Metaevents"} {
		if events[key] == nil {
			t.Errorf("%s is missing", key)
		}
	}
}
