package regress

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"
)

// check is one run of the program and what is expected of it. A check of the suite that takes several runs has one entry
// for each, named check/run.
type check struct {
	Name string `yaml:"name"`
	// Missing says what the program lacks for the check to hold; empty for nothing.
	Missing string `yaml:"missing"`

	// What is run. Files are named as in the archive; those that begin with shared/ are in ../shared.
	Config   string            `yaml:"config"`   // in place of falco.yaml
	Files    map[string]string `yaml:"files"`    // copies to make: path to file of the archive
	Rules    []string          `yaml:"rules"`    // for -r
	Validate []string          `yaml:"validate"` // for -V; implies JSON
	Capture  string            `yaml:"capture"`  // of ../shared/captures/falco
	JSON     string            `yaml:"json"`     // full, or brief: without output text and tags
	Options  []string          `yaml:"options"`  // for -o
	Args     []string          `yaml:"args"`
	Env      map[string]string `yaml:"env"`
	Touch    string            `yaml:"touch"` // file to write to once the program watches
	Get      string            `yaml:"get"`   // path to ask the web server for once the program watches

	// What is expected.
	Exit         int               `yaml:"exit"`
	Stdout       []string          `yaml:"stdout"` // expressions that match, and below those that do not
	Stderr       []string          `yaml:"stderr"`
	NotStdout    []string          `yaml:"not_stdout"`
	NotStderr    []string          `yaml:"not_stderr"`
	StdoutHas    string            `yaml:"stdout_has"`  // file whose lines are all on stdout
	StdoutJSON   string            `yaml:"stdout_json"` // file whose lines equal, as JSON, the first of stdout
	Written      map[string]string `yaml:"written"`     // file that was written, to the file it equals
	Document     string            `yaml:"document"`    // JSON that stdout contains; a file or the text itself
	Detected     *int              `yaml:"detected"`    // the count printed at the end
	Alerts       *alerts           `yaml:"alerts"`
	Successful   []string          `yaml:"successful"` // files that -V accepts
	Errors       []finding         `yaml:"errors"`
	Warnings     []finding         `yaml:"warnings"`
	ErrorCount   *int              `yaml:"error_count"`
	WarningCount *int              `yaml:"warning_count"`

	files map[string][]byte // of the archive and of shared.txtar
}

// alerts counts the alerts that a run prints.
type alerts struct {
	Total    *count           `yaml:"total"`
	Rule     map[string]count `yaml:"rule"`
	Priority map[string]count `yaml:"priority"` // INFO stands for Informational
	Once     []string         `yaml:"once"`     // these rules fire once each, and no other does
}

// count is an exact number, or, as -1, "some": one or more.
type count int

func (c *count) UnmarshalYAML(n *yaml.Node) error {
	if n.Value == "some" {
		*c = -1
		return nil
	}
	v, err := strconv.Atoi(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: a count is a number or some, not %q", n.Line, n.Value)
	}
	*c = count(v)
	return nil
}

func (c count) is(n int) bool { return int(c) == n || c == -1 && n > 0 }

func (c count) String() string {
	if c == -1 {
		return "some"
	}
	return strconv.Itoa(int(c))
}

// finding is an error or warning of -V; what is empty is not compared.
type finding struct {
	Code    string `yaml:"code"`
	Type    string `yaml:"type"`
	Item    string `yaml:"item"`
	Message string `yaml:"message"`
}

// loadChecks reads all archives of testdata.
func loadChecks() ([]*check, error) {
	common, err := txtar.ParseFile("testdata/shared.txtar")
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		return nil, err
	}
	var all []*check
	for _, path := range paths {
		if filepath.Base(path) == "shared.txtar" {
			continue
		}
		archive, err := txtar.ParseFile(path)
		if err != nil {
			return nil, err
		}
		files := map[string][]byte{}
		for _, f := range append(common.Files, archive.Files...) {
			files[f.Name] = f.Data
		}
		var list []*check
		d := yaml.NewDecoder(bytes.NewReader(files["cases.yaml"]))
		d.KnownFields(true)
		if err := d.Decode(&list); err != nil {
			return nil, fmt.Errorf("reading the cases of %s: %w", path, err)
		}
		for _, c := range list {
			c.files = files
			if len(c.Validate) > 0 {
				c.JSON = "full"
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// title is the name of the check that a run belongs to.
func (c *check) title() string {
	title, _, _ := strings.Cut(c.Name, "/")
	return title
}

// prepare writes the files of the check into dir and returns the arguments of the program. port is where a web server may
// listen.
func (c *check) prepare(dir, shared string, port int) ([]string, error) {
	for name, data := range c.files {
		if err := write(filepath.Join(dir, name), data); err != nil {
			return nil, err
		}
	}
	for name, from := range c.Files {
		if err := write(filepath.Join(dir, name), c.files[from]); err != nil {
			return nil, err
		}
	}
	config := c.Config
	if config == "" {
		config = "falco.yaml"
	}
	args := []string{"-c", config}
	option := func(o string) { args = append(args, "-o", o) }
	option("append_output.suggested_output=false")
	if c.JSON != "" {
		option("json_output=true")
	}
	if c.JSON == "brief" {
		option("json_include_output_property=false")
		option("json_include_tags_property=false")
	}
	for _, f := range c.Rules {
		args = append(args, "-r", sharedPath(shared, f))
	}
	for _, f := range c.Validate {
		args = append(args, "-V", sharedPath(shared, f))
	}
	if c.Capture != "" {
		option("engine.kind=replay")
		option("engine.replay.capture_file=" + filepath.Join(shared, "captures", "falco", c.Capture+".scap"))
	}
	for _, o := range c.Options {
		option(o)
	}
	if c.Get != "" {
		option("webserver.listen_port=" + strconv.Itoa(port))
	}
	args = append(args, c.Args...)
	for _, o := range []string{"log_level=debug", "log_stderr=true", "log_syslog=false", "stdout_output.enabled=true"} {
		option(o)
	}
	return args, nil
}

// needsShared tells whether the check reads files of ../shared.
func (c *check) needsShared() bool {
	for _, f := range append(c.Rules, c.Validate...) {
		if strings.HasPrefix(f, "shared/") {
			return true
		}
	}
	return c.Capture != ""
}

func sharedPath(shared, name string) string {
	if rest, ok := strings.CutPrefix(name, "shared/"); ok {
		return filepath.Join(shared, rest)
	}
	return name
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
