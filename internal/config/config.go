// Package config reads falco.yaml: the main file, the files it includes, environment variables and options of the command
// line, merged as Falco merges them (reference: falco-core.md §2), into a typed Config. Every value remembers the file and
// line it came from. A key that does not exist is a warning that names the nearest one that does; a value of a wrong type
// is an error.
package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// DefaultPath is where the configuration lies when no other is named.
const DefaultPath = "/etc/falco/falco.yaml"

// Config is the effective configuration.
type Config struct {
	RulesFiles []string    // files and directories of rules, in order
	Rules      []Selection // what is enabled and disabled after loading, in order
	Engine     Engine

	TimeISO8601      bool
	BufferBase64     bool
	Priority         string // minimum priority of the rules that are loaded
	JSONOutput       bool
	JSONOutputText   bool // json_include_output_property
	JSONTags         bool // json_include_tags_property
	JSONMessage      bool // json_include_message_property
	JSONOutputFields bool // json_include_output_fields_property
	BufferedOutputs  bool
	RuleMatching     string // first or all
	AppendOutput     []AppendOutput
	StdoutEnabled    bool
	Outputs          Outputs
	StaticFields     []StaticField
	Plugins          []Plugin // that are configured
	LoadPlugins      []string // names of those that are in use; nil for all
	PluginsHostInfo  bool     // no effect: plugins of ours know the host anyway
	WatchFiles       bool     // reload when a configuration or rules file changes
	Log              Log
	LibsLog          LibsLog
	MaxTimeouts      int // looks for an event in vain, one after the other, that are worth an alert
	Capture          Capture
	// Forward is what is under forward: Falcosidekick's configuration, for destinations that the engine delivers to itself; nil is
	// none. It has no defaults here.
	Forward   *yaml.Node
	Webserver Webserver
	Metrics   Metrics
	// AlertHold is containers.alert_hold: how long an alert waits for a container runtime; ours.
	AlertHold time.Duration

	Drops        Drops
	BaseSyscalls BaseSyscalls
	Libs         Libs

	// Loaded says whether a configuration file was read; without one the values are the defaults for running by hand:
	// alerts go to stdout.
	Loaded bool
	// Files and Dirs are the files that were read, and the directories that were searched for more. Missing are those that somebody
	// named and that do not exist.
	Files, Dirs, Missing []string
	// Warnings are what is odd but does no harm: unknown keys, keys without effect.
	Warnings []string

	origins       map[string]Origin // of the keys that were set
	wrongInterval error             // what is wrong with metrics.interval
}

// Selection enables or disables rules by name pattern, tag, or both.
type Selection struct {
	Enable    bool
	Rule, Tag string
}

// Engine says where events come from.
type Engine struct {
	Kind          string // modern_ebpf, replay or nodriver
	CPUsPerBuffer int    // CPUs that share one ring buffer; 0 is one buffer for all
	BufferPreset  int    // 1 to 10 for 1 to 512 MB
	DropFailed    bool   // failed system calls are left out in the kernel
	NoIterators   bool   // no effect: /proc is read in any case
	ReplayFile    string

	// What holds in place of the above when Kind is kmod, which is taken to mean eBPF: buffers are each CPU's own then.
	KmodPreset     int
	KmodDropFailed bool
}

// Effective returns what holds for the kind.
func (e Engine) Effective() Engine {
	if e.Kind == "kmod" {
		e.CPUsPerBuffer, e.BufferPreset, e.DropFailed = 1, e.KmodPreset, e.KmodDropFailed
	}
	return e
}

// BufferBytes returns the size of a ring buffer.
func (e Engine) BufferBytes() int { return 1 << (20 + e.BufferPreset - 1) }

// AppendOutput adds to the outputs of the rules it matches.
type AppendOutput struct {
	Source, Rule string
	Tags         []string
	Extra        string       // text after the output
	Fields       []ExtraField // further fields of JSON output
	Suggested    bool         // add the fields that are marked as suggested
}

// ExtraField is a further field of JSON output.
type ExtraField struct {
	Key    string
	Format string // output text; "" when the key is a field itself
}

// StaticField is a field static.<Key> with the same value for every event.
type StaticField struct{ Key, Value string }

// Outputs are the destinations beside stdout (falco-core.md §8.4).
type Outputs struct {
	QueueCapacity int           // alerts that may wait for an output; 0 is our own bound
	Timeout       time.Duration // after which a hanging output is complained about
	Syslog        bool
	File          FileOutput
	Program       ProgramOutput
	HTTP          HTTPOutput
}

// FileOutput appends alerts to a file.
type FileOutput struct {
	Enabled, KeepAlive bool
	Filename           string
}

// ProgramOutput pipes alerts into a program.
type ProgramOutput struct {
	Enabled, KeepAlive bool
	Program            string // for the shell
}

// HTTPOutput posts alerts.
type HTTPOutput struct {
	Enabled                bool
	URL, UserAgent         string
	Insecure               bool
	CACert, CABundle       string // files
	CAPath                 string // directory
	MTLS                   bool
	ClientCert, ClientKey  string // files
	Echo                   bool
	Compress               bool
	KeepAlive              bool
	MaxConsecutiveTimeouts int
}

// Log says where the operator's log goes.
type Log struct {
	Stderr, Syslog bool
	Level          string // emergency to debug
}

// LibsLog is about the log of Falco's libraries, which Saker does not have: it has no effect.
type LibsLog struct {
	Enabled  bool
	Severity string
}

// Capture records what surrounds matches.
type Capture struct {
	Enabled         bool
	PathPrefix      string
	Mode            string // rules or all_rules
	DefaultDuration time.Duration
	MaxFileSizeMB   int           // 0 is unlimited
	PreTrigger      time.Duration // how much of what came before a match is kept; ours
	PreTriggerMB    int           // memory for that
}

// Webserver serves health, versions and metrics.
type Webserver struct {
	Enabled        bool
	Threadiness    int
	ListenPort     int
	ListenAddress  string
	HealthzPath    string
	Prometheus     bool
	SSL            bool
	SSLCertificate string // PEM file with key and certificate
}

// Metrics says what is counted and where it goes (falco-core.md §2.8).
type Metrics struct {
	Enabled      bool
	Interval     time.Duration
	OutputRule   bool
	OutputFile   string
	Rules        bool
	Resources    bool
	State        bool
	Kernel       bool
	KernelPerCPU bool
	LibBPF       bool
	Plugins      bool
	KernelIter   bool
	Jemalloc     bool
	ConvertToMB  bool
	IncludeEmpty bool
}

// Drops says what happens when the kernel loses events (falco-core.md §2.7).
type Drops struct {
	Threshold float64 // share of lost events per second above which actions are taken
	Rate      float64 // actions per second in the long run
	MaxBurst  float64 // actions at once
	Simulate  bool
	Actions   []string // ignore, log, alert, exit
}

// BaseSyscalls changes which system calls are watched beside those the rules name (falco-core.md §5.4).
type BaseSyscalls struct {
	Custom []string // names; with ! in front they are taken away
	Repair bool     // the smallest set that keeps the state right
	All    bool     // also those that are ignored for their number
}

// Libs bounds the state.
type Libs struct {
	ThreadTableSize int
	PurgeInterval   int // seconds between searches for dead threads
	ThreadTimeout   int // seconds without an event after which a thread is looked after
	SnapLen         int // bytes of data of each read and write; 0 is 80
}

// defaults returns the values Falco has in code.
func defaults() *Config {
	return &Config{
		origins:  map[string]Origin{},
		Engine:   Engine{Kind: "modern_ebpf", CPUsPerBuffer: 2, BufferPreset: 4, KmodPreset: 4},
		Priority: "debug", JSONOutputText: true, JSONTags: true, JSONOutputFields: true, RuleMatching: "first",
		Drops:      Drops{Threshold: .1, Rate: .03333, MaxBurst: 1, Actions: []string{"log", "alert"}},
		WatchFiles: true, PluginsHostInfo: true, LibsLog: LibsLog{Enabled: true, Severity: "info"}, MaxTimeouts: 1000,
		Log: Log{Stderr: true, Level: "info"},
		Outputs: Outputs{
			Timeout: 2 * time.Second,
			HTTP: HTTPOutput{
				UserAgent: "falcosecurity/falco", CAPath: "/etc/ssl/certs", ClientCert: "/etc/ssl/certs/client.crt",
				ClientKey: "/etc/ssl/certs/client.key", MaxConsecutiveTimeouts: 5,
			},
		},
		AlertHold: 150 * time.Millisecond,
		Capture:   Capture{PathPrefix: "/tmp/falco", Mode: "rules", DefaultDuration: 5 * time.Second, PreTriggerMB: 64},
		Webserver: Webserver{ListenPort: 8765, ListenAddress: "0.0.0.0", HealthzPath: "/healthz", SSLCertificate: "/etc/falco/falco.pem"},
		Metrics: Metrics{
			Interval: 5 * time.Second, Rules: true, Resources: true, State: true, Kernel: true, KernelPerCPU: true, LibBPF: true,
			Plugins: true, KernelIter: true, Jemalloc: true, ConvertToMB: true,
		},
		Libs: Libs{ThreadTableSize: 262144, PurgeInterval: 300, ThreadTimeout: 300, SnapLen: 80},
	}
}

// Sources are where the configuration comes from.
type Sources struct {
	Path     string   // main file; "" for none
	Options  []string // key=value of the command line, in order
	Explicit bool     // the user named Path: it is an error when it does not exist
	Env      func(string) string
}

// Load reads and merges the sources. Its error names the file and line and says what would be right; of the configuration only
// Files, Dirs and Missing count then, which a caller can watch for what puts it right.
func Load(s Sources) (*Config, error) {
	if s.Env == nil {
		s.Env = os.Getenv
	}
	c := defaults()
	return c, c.load(s)
}

func (c *Config) load(s Sources) error {
	d, err := parse(s.Path, nil, s.Env)
	if err != nil {
		return err
	}
	if s.Path != "" {
		text, err := os.ReadFile(s.Path)
		switch {
		case errors.Is(err, os.ErrNotExist) && s.Explicit:
			c.Missing = []string{s.Path}
			return fmt.Errorf("Could not find configuration file at %s", s.Path)
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			c.Files = []string{s.Path}
			return fmt.Errorf("reading configuration file: %w", err)
		default:
			c.Loaded, c.Files = true, []string{s.Path}
			if d, err = parse(s.Path, text, s.Env); err != nil {
				return err
			}
		}
	}
	var last []string
	for _, o := range s.Options {
		if !strings.HasPrefix(o, "config_files") {
			last = append(last, o)
			continue
		}
		if err := d.set(o); err != nil {
			return err
		}
	}
	err = d.include(s.Path, s.Env)
	c.Files, c.Dirs, c.Missing = append(c.Files, d.files...), d.dirs, append(c.Missing, d.missing...)
	if err != nil {
		return err
	}
	for _, o := range last {
		if err := d.set(o); err != nil {
			return err
		}
	}
	if !c.Loaded {
		c.StdoutEnabled = true
		c.AppendOutput = []AppendOutput{{Suggested: true}}
	}
	return c.decode(d)
}

// UseRulesFiles replaces the rules files by those of the option -r.
func (c *Config) UseRulesFiles(files []string) {
	c.RulesFiles = files
	c.origins["rules_files"] = Origin{File: "-r"}
}

// Nearest returns the known name that one has in mind who writes name: the one with the smallest edit distance, or "" when
// none is near.
func Nearest(name string, known []string) string { return nearest(name, slices.Clone(known)) }

// nearest is Nearest for names that it may sort.
func nearest(name string, known []string) string {
	sort.Strings(known)
	best, bestDist := "", len(name)/3+1
	for _, k := range known {
		if n := distance(name, k); n <= bestDist && (best == "" || n < bestDist) {
			best, bestDist = k, n
		}
	}
	return best
}

// distance is the Levenshtein distance of a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
