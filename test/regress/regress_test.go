// Package regress holds the checks of the public Falco regression suite (falcosecurity/testing) that do not need a capture
// that is lost: 138 of the 171 about Falco itself. What each checks is data in testdata, one archive per subject; the
// program is built once and run as the suite runs Falco (falco-core.md §10.1).
//
//	go test ./test/regress -v
package regress

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/saker-sec/saker/internal/app" // the program that is built: what changes in it is to be tested again
	"github.com/saker-sec/saker/internal/sink/servertest"
)

// shared is where the captures and upstream's rules are, from this directory.
const shared = "../../../shared"

// TestSuite runs all checks, counts them, and compares the count with the one that docs/compatibility.md states.
func TestSuite(t *testing.T) {
	checks, err := loadChecks()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "saker")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/saker-sec/saker/cmd/saker").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	var mu sync.Mutex
	held, skipped := map[string]bool{}, 0 // by title
	t.Run("check", func(t *testing.T) {
		for _, c := range checks {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				ok := false
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					before, seen := held[c.title()]
					held[c.title()] = ok && (before || !seen)
					if t.Skipped() {
						skipped++
					}
				}()
				ok = c.run(t, bin)
			})
		}
	})
	n := 0
	for _, ok := range held {
		if ok {
			n++
		}
	}
	t.Logf("%d of %d checks of the public regression suite hold", n, len(held))
	if skipped > 0 {
		t.Skipf("%d runs were skipped, so the count is not compared with docs/compatibility.md", skipped)
	}
	text, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("Regression suite: %d of %d checks hold", n, len(held))
	if !strings.Contains(strings.ReplaceAll(string(text), "*", ""), want) {
		t.Errorf("docs/compatibility.md does not say %q", want)
	}
}

// TestNames holds that each check of the inventory which needs no lost capture is here.
func TestNames(t *testing.T) {
	checks, err := loadChecks()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, c := range checks {
		have[c.title()] = true
	}
	f, err := os.Open(shared + "/reference/falco-tests.tsv")
	if err != nil {
		t.Skipf("the inventory of the suite is not there: %v", err)
	}
	defer f.Close()
	strip := regexp.MustCompile(`^Test(Falco|Flaco)_`)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		if fields[0] != "falco" || fields[3] == "lost-capture" {
			continue
		}
		if name := strip.ReplaceAllString(fields[2], ""); !have[name] {
			t.Errorf("there is no check %s", name)
		}
	}
}

// run runs the program as a check says, compares, and reports whether the check holds. One that is marked as missing fails
// the test when it holds, so that the mark goes.
func (c *check) run(t *testing.T, bin string) bool {
	t.Helper()
	abs, err := filepath.Abs(shared)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(abs, "captures")); err != nil && c.needsShared() {
		t.Skipf("the captures are not there: %v", err)
	}
	o := &outcome{dir: t.TempDir()}
	port := 0
	if c.Get != "" {
		port = servertest.Number(t, servertest.Free(t))
	}
	args, err := c.prepare(o.dir, abs, port)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "TZ=UTC")
	for k, v := range c.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o.asked = c.provoke(io.TeeReader(pipe, &stderr), o.dir, port, func() { _ = cmd.Process.Signal(os.Interrupt) })
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	o.exit, o.stdout, o.stderr = cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	found := c.judge(o)
	text := fmt.Sprintf("%s\nsaker %s\nstdout:\n%s\nstderr:\n%s", strings.Join(found, "\n"), strings.Join(args, " "), o.stdout, o.stderr)
	switch {
	case c.Missing != "" && len(found) > 0:
		t.Logf("does not hold, because of %s: %s", c.Missing, text)
	case c.Missing != "":
		t.Errorf("holds although %s is said to be missing; take the mark away", c.Missing)
	case len(found) > 0:
		t.Error(text)
	}
	return len(found) == 0
}

// provoke reads stderr to its end. Once the program says that it watches, it does what the check asks for, and ends the program when it has
// seen what comes of it.
func (c *check) provoke(stderr io.Reader, dir string, port int, end func()) (asked error) {
	if c.Get != "" {
		asked = errors.New("the program did not say that it watches")
	}
	var touched sync.WaitGroup
	defer touched.Wait()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.Contains(lines.Text(), "restarting") {
			stop()
			end()
		}
		if done || !strings.Contains(lines.Text(), "watching ") {
			continue
		}
		done = true
		if c.Touch != "" {
			touched.Go(func() { touch(ctx, filepath.Join(dir, c.Touch)) })
		}
		if c.Get != "" {
			asked = get(fmt.Sprintf("http://127.0.0.1:%d%s", port, c.Get))
			end()
		}
	}
	return asked
}

// touch appends blank lines to a file, several times a second until ctx is done: the program may say that it watches events
// a moment before it watches the file.
func touch(ctx context.Context, path string) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return
		}
		_, _ = f.WriteString("  \n\n")
		f.Close()
	}
}

// get asks once every tenth of a second until there is an answer, for at most a minute.
func get(url string) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var err error
	for range 600 {
		var r *http.Response
		if r, err = http.Get(url); err == nil {
			defer r.Body.Close()
			if r.StatusCode != http.StatusOK {
				return fmt.Errorf("%s answers %s", url, r.Status)
			}
			return nil
		}
		<-tick.C
	}
	return err
}
