// Package replay measures how fast captures are read and judged: the engine in this process, and the built program from
// start to end with its memory, beside sysdig on the same files. Each capture has at least two million events: those of a
// recorded one, again and again.
//
//	go test -run '^$' -bench . -benchtime 1x ./test/replay
//
// Where a Falco is there, BenchmarkFalco has both programs replay the same files with the same rules on the same core:
//
//	SAKER_FALCO=/usr/bin/falco SAKER_FALCO_PLUGIN=/usr/share/falco/plugins/libcontainer.so \
//		go test -run '^$' -bench Falco -benchtime 1x ./test/replay
package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/capture/capturetest"
	"github.com/saker-sec/saker/internal/engine"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

const (
	shared = "../../../shared"
	// least is how many events a capture has at least.
	least = 2_000_000
	// rounds is how often each figure is measured; the median counts.
	rounds = 5
	// maxRSS is the bound of the program's memory, in kB: what Falco was measured with.
	maxRSS = 62 << 10
)

// trivial is a rule that looks at one field and matches nothing.
const trivial = `- rule: trivial
  desc: opens a file that is not there
  condition: evt.type=open and fd.name=/nowhere/at/all
  output: "%fd.name"
  priority: DEBUG
`

// silent writes alerts where nobody reads them.
const silent = `file_output: {enabled: true, keep_alive: true, filename: /dev/null}
stdout_output: {enabled: false}
buffered_outputs: true
log_stderr: false
log_syslog: false
watch_config_files: false
append_output: []
`

// file is a capture to replay.
type file struct {
	name, path string
	events     int
	bytes      int64
}

// set is a named set of rules.
type set struct {
	name  string
	paths []string
}

func BenchmarkReplay(b *testing.B) {
	if _, err := os.Stat(shared + "/captures/lab"); err != nil {
		b.Skipf("the captures are not there: %v", err)
	}
	dir := b.TempDir()
	files, sets, bin := captures(b, dir), rules(b, dir), build(b, dir)
	for b.Loop() {
		var table bytes.Buffer
		w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(w, "capture\trules\tengine, 1 core\tengine\tprogram\tper CPU second\tpeak RSS\tstart\tsysdig\tprogram/sysdig\t\n")
		for _, f := range files {
			other := sysdig(b, f)
			for _, s := range sets {
				one := median(b, func() float64 { return inProcess(b, f, s, 1) })
				all := median(b, func() float64 { return inProcess(b, f, s, runtime.NumCPU()) })
				p := program(b, bin, dir, f, s)
				fmt.Fprintf(w, "%s\t%s\t%.2f M/s\t%.2f M/s\t%.2f M/s\t%.2f M\t%d MB\t%d ms\t", f.name, s.name, one/1e6, all/1e6, p.rate/1e6,
					p.cpuRate/1e6, p.rss>>10, p.start.Milliseconds())
				if other > 0 {
					fmt.Fprintf(w, "%.2f M/s\t%.1f\t\n", other/1e6, p.rate/other)
				} else {
					fmt.Fprintf(w, "not there\t\t\n")
				}
				if p.rss > maxRSS {
					b.Errorf("%s with rules %s takes %d kB, more than %d", f.name, s.name, p.rss, maxRSS)
				}
			}
		}
		w.Flush()
		for _, f := range files {
			fmt.Fprintf(&table, "%s: %d events, %d bytes\n", f.name, f.events, f.bytes)
		}
		fmt.Printf("\nmillions of events per second; median of %d; %d cores\n%s", rounds, runtime.NumCPU(), table.String())
	}
}

// build builds the program.
func build(b *testing.B, dir string) string {
	b.Helper()
	bin := filepath.Join(dir, "saker")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/saker-sec/saker/cmd/saker").CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// captures writes the long captures.
func captures(b *testing.B, dir string) []file {
	b.Helper()
	var files []file
	for _, name := range []string{"quiet", "suspicious"} {
		data, err := capturetest.Repeat(filepath.Join(shared, "captures", "lab", name+".scap"), least)
		if err != nil {
			b.Fatal(err)
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := z.Close(); err != nil {
			b.Fatal(err)
		}
		for _, f := range []struct {
			suffix string
			data   []byte
		}{{"", data}, {", gzip", packed.Bytes()}} {
			c := file{name: name + f.suffix, path: filepath.Join(dir, strings.ReplaceAll(name+f.suffix, ", ", ".")), bytes: int64(len(f.data))}
			if err := os.WriteFile(c.path, f.data, 0o644); err != nil {
				b.Fatal(err)
			}
			files = append(files, c)
		}
	}
	for i := range files {
		files[i].events = int(run(b, files[i], nil).Events)
	}
	return files
}

// rules writes the sets of rules.
func rules(b *testing.B, dir string) []set {
	b.Helper()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
		return path
	}
	sets := []set{{"none", []string{write("none.yaml", "")}}, {"1", []string{write("trivial.yaml", trivial)}}}
	var upstream []string
	for _, name := range []string{"falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"} {
		upstream = append(upstream, filepath.Join(shared, "rules", "upstream", name))
	}
	write("saker.yaml", silent)
	return append(sets, set{"93", upstream})
}

// compile loads a set of rules for the engine in this process and enables all of them.
func compile(b *testing.B, s set) *ruleset.Ruleset {
	b.Helper()
	fields := field.NewCatalogue()
	options := ruleset.Options{
		Sources: []string{ruleset.SyscallSource}, Fields: func(string) *field.Catalogue { return fields },
	}
	l := rule.NewLoader(rule.Config{Checker: ruleset.NewChecker(options), MinPriority: alert.Debug})
	for _, path := range s.paths {
		text, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		if r := l.Load(path, text); len(r.Errors) > 0 {
			b.Fatalf("loading %s: %s", path, rule.ValidationText([]*rule.Result{r}))
		}
	}
	for _, r := range l.Rules() {
		r.Enabled = true
	}
	rs, err := ruleset.New(l.Rules(), options)
	if err != nil {
		b.Fatal(err)
	}
	return rs
}

// run replays a capture in this process.
func run(b *testing.B, f file, rs *ruleset.Ruleset) engine.Stats {
	b.Helper()
	if rs == nil {
		rs = compile(b, set{})
	}
	r, err := capture.Open(f.path)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	st := state.New(state.Config{})
	st.Load(r.Snapshot())
	e := engine.New(engine.Config{Source: r, State: st, Rules: rs, Report: func(*alert.Alert) {}})
	if err := e.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
	return e.Stats()
}

// inProcess returns the events per second of the whole engine on so many cores, without outputs.
func inProcess(b *testing.B, f file, s set, cores int) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	rs := compile(b, s)
	runtime.GC()
	begin := time.Now()
	run(b, f, rs)
	return float64(f.events) / time.Since(begin).Seconds()
}

// cost is what a run of the program took.
type cost struct {
	rate    float64       // events per second of the time that the program itself tells at its end
	cpuRate float64       // events per second of CPU time, loading the rules included
	rss     int           // kB
	start   time.Duration // the rest: loading the rules, looking up the hosts that they name
	alerts  string        // how many, as the program tells
}

// What is printed at the end: elapsed with -v, detected always.
var (
	elapsed  = regexp.MustCompile(`Elapsed time: ([\d.]+), Captured Events: \d+, [\d.]+ eps`)
	detected = regexp.MustCompile(`Events detected: (\d+)`)
)

// program runs the built program.
func program(b *testing.B, bin, dir string, f file, s set) cost {
	b.Helper()
	return timed(b, f, func() *exec.Cmd { return exec.Command(bin, arguments(filepath.Join(dir, "saker.yaml"), f, s)...) })
}

// arguments are those of a replay, which Falco takes too.
func arguments(config string, f file, s set) []string {
	args := []string{
		"-c", config, "-o", "engine.kind=replay", "-o", "engine.replay.capture_file=" + f.path, "-o", "rules[].enable.rule=*", "-v",
	}
	for _, path := range s.paths {
		args = append(args, "-r", path)
	}
	return args
}

// timed runs a program that replays a capture, several times.
func timed(b *testing.B, f file, command func() *exec.Cmd) cost {
	b.Helper()
	var c cost
	var cpu []float64
	c.rate = median(b, func() float64 {
		cmd := command()
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		peak := watch(cmd.Process.Pid)
		if err := cmd.Wait(); err != nil {
			b.Fatalf("%v\n%s", err, out.String())
		}
		took := time.Since(begin)
		c.rss = max(c.rss, <-peak)
		cpu = append(cpu, float64(f.events)/(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Seconds())
		told, seen := elapsed.FindStringSubmatch(out.String()), detected.FindStringSubmatch(out.String())
		if told == nil || seen == nil {
			b.Fatalf("the program did not say how long it took, or what it found\n%s", out.String())
		}
		seconds, err := strconv.ParseFloat(told[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		c.alerts = seen[1]
		c.start = took - time.Duration(seconds*1e9)
		return float64(f.events) / seconds
	})
	slices.Sort(cpu)
	c.cpuRate = cpu[len(cpu)/2]
	return c
}

// watch reads the peak of a process's resident memory until it ends, and gives the last value in kB. The maximum that wait4
// tells is of no use: it counts the memory of the process that started it.
func watch(pid int) <-chan int {
	peak := make(chan int, 1)
	go func() {
		last := 0
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			kb, err := highWater(pid)
			if err != nil {
				break
			}
			last = max(last, kb)
		}
		peak <- last
	}()
	return peak
}

// highWater returns VmHWM of a process in kB (proc_pid_status(5)). A process that has ended has none.
func highWater(pid int) (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	return 0, errors.New("the process has ended")
}

// sysdig returns the events per second of sysdig with a filter of one comparison, 0 where it is not installed.
func sysdig(b *testing.B, f file) float64 {
	b.Helper()
	path, err := exec.LookPath("sysdig")
	if err != nil {
		return 0
	}
	return median(b, func() float64 {
		begin := time.Now()
		if out, err := exec.Command(path, "-r", f.path, "evt.type=open").CombinedOutput(); err != nil {
			b.Fatalf("sysdig: %v\n%s", err, out)
		}
		return float64(f.events) / time.Since(begin).Seconds()
	})
}

func median(b *testing.B, measure func() float64) float64 {
	b.Helper()
	var all []float64
	for range rounds {
		all = append(all, measure())
	}
	slices.Sort(all)
	return all[rounds/2]
}
