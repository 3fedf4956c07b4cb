package regress

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// outcome is what a run did.
type outcome struct {
	dir            string
	exit           int
	stdout, stderr string
	asked          error // of the request to the web server
}

// faults are the differences between a run and what its check expects.
type faults []string

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// judge compares a run with what its check expects.
func (c *check) judge(o *outcome) faults {
	f := new(faults)
	if o.exit != c.Exit {
		f.add("exit code %d, want %d", o.exit, c.Exit)
	}
	if o.asked != nil {
		f.add("asking the web server: %v", o.asked)
	}
	matches(f, "stdout", o.stdout, c.Stdout, true)
	matches(f, "stderr", o.stderr, c.Stderr, true)
	matches(f, "stdout", o.stdout, c.NotStdout, false)
	matches(f, "stderr", o.stderr, c.NotStderr, false)
	if c.Detected != nil {
		matches(f, "stdout", o.stdout, []string{fmt.Sprintf(`(?m)^Events detected: %d$`, *c.Detected)}, true)
	}
	c.judgeText(f, o)
	if c.Alerts != nil {
		c.Alerts.judge(f, o.stdout)
	}
	if len(c.Validate) > 0 {
		c.judgeValidation(f, o.stdout)
	}
	return *f
}

// matches tells whether each expression is found in the text, or none is.
func matches(f *faults, what, text string, expressions []string, want bool) {
	for _, e := range expressions {
		if regexp.MustCompile(e).MatchString(text) == want {
			continue
		}
		if want {
			f.add("%s does not match %s", what, e)
		} else {
			f.add("%s matches %s", what, e)
		}
	}
}

// judgeText compares stdout and files with files of the archive.
func (c *check) judgeText(f *faults, o *outcome) {
	if c.StdoutHas != "" {
		for line := range strings.Lines(string(c.file(f, c.StdoutHas))) {
			if !strings.Contains(o.stdout, strings.TrimSuffix(line, "\n")) {
				f.add("stdout lacks the line %s", line)
			}
		}
	}
	if c.StdoutJSON != "" {
		got := strings.Split(o.stdout, "\n")
		for i, line := range strings.Split(strings.TrimSpace(string(c.file(f, c.StdoutJSON))), "\n") {
			if i >= len(got) || !reflect.DeepEqual(parse(f, got[i]), parse(f, line)) {
				f.add("line %d of stdout is not %s", i+1, line)
			}
		}
	}
	for name, want := range c.Written {
		got, err := os.ReadFile(filepath.Join(o.dir, name))
		if err != nil {
			f.add("reading what was written: %v", err)
		} else if string(got) != string(c.file(f, want)) {
			f.add("%s holds\n%s", name, got)
		}
	}
	if c.Document != "" {
		want := c.Document
		if data, ok := c.files[want]; ok {
			want = string(data)
		}
		for _, miss := range lacks("document", parse(f, o.stdout), parse(f, want)) {
			f.add("%s", miss)
		}
	}
}

func (c *check) file(f *faults, name string) []byte {
	data, ok := c.files[name]
	if !ok {
		f.add("there is no file %s in the archive", name)
	}
	return data
}

// parse reads JSON with its numbers as they are written, so that nanoseconds stay exact.
func parse(f *faults, text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		f.add("this is not JSON: %v: %s", err, text)
	}
	return v
}

// lacks says where got differs from want. Objects may have more keys than wanted; lists are equal item by item; "*" is
// anything that is not empty.
func lacks(at string, got, want any) []string {
	var list []string
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v, not an object", at, got)}
		}
		for key, v := range w {
			list = append(list, lacks(at+"."+key, g[key], v)...)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{fmt.Sprintf("%s is %v, want %v", at, got, want)}
		}
		for i, v := range w {
			list = append(list, lacks(fmt.Sprintf("%s[%d]", at, i), g[i], v)...)
		}
	default:
		if items, ok := got.([]any); want == "*" && got != nil && got != "" && (!ok || len(items) > 0) {
			return nil
		}
		if got != want {
			list = append(list, fmt.Sprintf("%s is %v, want %v", at, got, want))
		}
	}
	slices.Sort(list)
	return list
}

// judge counts the alerts on stdout: the lines that are JSON objects.
func (a *alerts) judge(f *faults, stdout string) {
	total, rules, priorities := 0, map[string]int{}, map[string]int{}
	for line := range strings.Lines(stdout) {
		var alert struct{ Rule, Priority string }
		if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &alert) != nil {
			continue
		}
		total++
		rules[alert.Rule]++
		priorities[strings.ToUpper(alert.Priority)]++
	}
	priorities["INFO"] = priorities["INFORMATIONAL"]
	if a.Total != nil && !a.Total.is(total) {
		f.add("%d alerts, want %v", total, a.Total)
	}
	for name, want := range a.Rule {
		if !want.is(rules[name]) {
			f.add("%d alerts of rule %s, want %v", rules[name], name, want)
		}
	}
	for name, want := range a.Priority {
		if !want.is(priorities[name]) {
			f.add("%d alerts of priority %s, want %v", priorities[name], name, want)
		}
	}
	if a.Once == nil {
		return
	}
	for name, n := range rules {
		if !slices.Contains(a.Once, name) || n != 1 {
			f.add("%d alerts of rule %s", n, name)
		}
	}
	for _, name := range a.Once {
		if rules[name] == 0 {
			f.add("no alert of rule %s", name)
		}
	}
}

// validation is the JSON of -V.
type validation struct {
	Results []struct {
		Name             string
		Successful       bool
		Errors, Warnings []said
	} `json:"falco_load_results"`
}

// said is an error or a warning in it.
type said struct {
	Code, Message string
	Context       struct {
		Locations []struct {
			Item string `json:"item_name"`
			Type string `json:"item_type"`
		}
	}
}

func (c *check) judgeValidation(f *faults, stdout string) {
	var v validation
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		f.add("stdout is not JSON: %v", err)
		return
	}
	var errors, warnings []said
	for _, r := range v.Results {
		errors, warnings = append(errors, r.Errors...), append(warnings, r.Warnings...)
		if slices.Contains(c.Successful, filepath.Base(r.Name)) && !r.Successful {
			f.add("%s is refused", r.Name)
		}
	}
	findings(f, "error", errors, c.Errors, c.ErrorCount)
	findings(f, "warning", warnings, c.Warnings, c.WarningCount)
}

func findings(f *faults, what string, got []said, want []finding, n *int) {
	if n != nil && len(got) != *n {
		f.add("%d %ss, want %d", len(got), what, *n)
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, w.is) {
			f.add("there is no %s %+v", what, w)
		}
	}
}

func (w finding) is(s said) bool {
	if s.Code != w.Code || w.Message != "" && s.Message != w.Message {
		return false
	}
	kind, item := false, w.Item == ""
	for _, l := range s.Context.Locations {
		kind = kind || strings.EqualFold(l.Type, w.Type)
		item = item || l.Item == w.Item
	}
	return kind && item
}
