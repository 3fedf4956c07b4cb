package replay

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"text/tabwriter"
)

// core is the only CPU that both programs run on.
const core = "1"

// container is what Falco needs beside silent to know containers, as Saker does without being told.
const container = `load_plugins: [container]
plugins:
- name: container
  library_path: %s
  init_config: {label_max_len: 100}
`

// BenchmarkFalco compares the program with Falco: the same captures, rules and outputs, one after the other on one core. The
// rates are those of the time that each tells for its events, the CPU time and the memory those of the whole process. A figure
// counts only if both raise as many alerts.
func BenchmarkFalco(b *testing.B) {
	falco, plugin := os.Getenv("SAKER_FALCO"), os.Getenv("SAKER_FALCO_PLUGIN")
	if falco == "" {
		b.Skip("SAKER_FALCO names no falco program")
	}
	if plugin == "" {
		b.Skip("SAKER_FALCO_PLUGIN names no container plugin, without which the rules do not load")
	}
	if _, err := os.Stat(shared + "/captures/lab"); err != nil {
		b.Skipf("the captures are not there: %v", err)
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		b.Skipf("both have to run on one core: %v", err)
	}
	dir := b.TempDir()
	files, sets, bin := captures(b, dir), rules(b, dir), build(b, dir)
	config := filepath.Join(dir, "falco.yaml")
	if err := os.WriteFile(config, fmt.Appendf([]byte(silent), container, plugin), 0o644); err != nil {
		b.Fatal(err)
	}
	// oneCore has a program run on the core, with as many threads of Go as there are cores.
	oneCore := func(program, config string, f file, s set) cost {
		return timed(b, f, func() *exec.Cmd {
			cmd := exec.Command(taskset, append([]string{"-c", core, program}, arguments(config, f, s)...)...)
			cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
			return cmd
		})
	}
	for b.Loop() {
		var table bytes.Buffer
		w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(w, "capture\trules\talerts\tsaker\tper CPU second\tpeak RSS\tstart\tfalco\tper CPU second\tpeak RSS\tstart\tsaker/falco\t\n")
		for _, f := range files {
			for _, s := range sets {
				ours := oneCore(bin, filepath.Join(dir, "saker.yaml"), f, s)
				theirs := oneCore(falco, config, f, s)
				if ours.alerts != theirs.alerts {
					b.Errorf("%s with rules %s: %s alerts, and %s of Falco's", f.name, s.name, ours.alerts, theirs.alerts)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t", f.name, s.name, ours.alerts)
				for _, c := range []cost{ours, theirs} {
					fmt.Fprintf(w, "%.2f M/s\t%.2f M\t%d MB\t%d ms\t", c.rate/1e6, c.cpuRate/1e6, c.rss>>10, c.start.Milliseconds())
				}
				fmt.Fprintf(w, "%.1f\t\n", ours.rate/theirs.rate)
			}
		}
		w.Flush()
		fmt.Printf("\nmillions of events per second on one core; median of %d\n%s", rounds, table.String())
	}
}
