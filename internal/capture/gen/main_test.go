package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommitted checks that the committed table is what conversions.txt says.
func TestCommitted(t *testing.T) {
	out := filepath.Join(t.TempDir(), "table.go")
	if err := run("../../event/schema.txt", "../conversions.txt", out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../zz_conversions.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("zz_conversions.go is out of date; run go generate ./internal/capture")
	}
}

// TestErrors is about mistakes in the rules: each is reported with its line.
func TestErrors(t *testing.T) {
	cases := []struct{ text, want string }{
		{"SYSCALL_CLOSE_E 1", "rules:1: want an event"},
		{"\n# comment\nNONSENSE_E 1 keep", `rules:3: unknown event type "NONSENSE_E"`},
		{"SYSCALL_CLOSE_E one keep", "rules:1: number of parameters"},
		{"SYSCALL_CLOSE_E 1 forget", `unknown action "forget"`},
		{"SYSCALL_MKDIR_X 1 become", "become needs an event type"},
		{"SYSCALL_MKDIR_X 1 become NONSENSE_X", `unknown event type "NONSENSE_X"`},
		{"SYSCALL_CLOSE_X 1 append x7", `unknown parameter "x7"`},
		{"SYSCALL_CLOSE_X 1 append o3-o1", `bad range "o3-o1"`},
		{"SYSCALL_CLOSE_E 1 keep\nSYSCALL_CLOSE_E 1 keep", "rules:2: second rule"},
		{"SYSCALL_CLOSE_X 1 append e0 e1 e2", "has only 2 parameters"},
		{"SYSCALL_MKDIR_X 1 become SYSCALL_MKDIR_2_X o7", "the event has only 1 parameters"},
		{"SYSCALL_MKDIR_X 1 become SYSCALL_MKDIR_2_X o0", "needs a rule for PPME_SYSCALL_MKDIR_2_X with 1 parameters"},
	}
	types, err := readSchema("../../event/schema.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		keys, rules, err := parse(types, "rules", c.text)
		for _, k := range keys {
			if err == nil {
				_, err = follow(types, k, rules)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
}
