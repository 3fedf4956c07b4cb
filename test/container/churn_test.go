//go:build linux

package container

import (
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestChurn starts and removes containers at a rate of ten per second while the runtime is restarted once. Every one of them
// has to be reported under its own id, and fewer than one in a hundred without the name of its image. SAKER_CONTAINERS is
// their number, 40 unless it is set.
func TestChurn(t *testing.T) {
	dir := scratch(t)
	c := newContainerd(t, dir)
	s := start(t, dir, rules, plugin(map[string][]string{"containerd": {c.socket}}))
	n := 40
	if text := os.Getenv("SAKER_CONTAINERS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("SAKER_CONTAINERS: %v", err)
		}
	}
	var mu sync.Mutex
	var ran []string
	var running sync.WaitGroup
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	begin := time.Now()
	for i := range n {
		<-tick.C
		if i == n/2 {
			running.Wait() // a client cannot go on while the daemon is away
			c.stop()
			c.start()
		}
		name := "box" + strconv.Itoa(i)
		running.Go(func() {
			out, err := exec.Command("ctr", "-a", c.socket, "run", "--rm", "--snapshotter", "native", "--env", "CASE="+name, image, name,
				"/bin/cat", "/etc/secret").CombinedOutput()
			if err != nil {
				t.Logf("%s: %v: %s", name, err, out)
				return
			}
			mu.Lock()
			ran = append(ran, name)
			mu.Unlock()
		})
	}
	running.Wait()
	took := time.Since(begin)
	if len(ran) < n*9/10 {
		t.Fatalf("only %d of %d containers ran", len(ran), n)
	}
	nameless := 0
	for _, name := range ran {
		a := one(t, s, "opened", name)
		if got := a.text("container.id"); got != name {
			t.Errorf("%s is reported as container %q", name, got)
		}
		if a.text("container.image.repository") == "" {
			nameless++
		}
		for _, a := range s.find("started", name) {
			if a.text("container.id") != name {
				t.Errorf("the first process of %s is reported in container %q", name, a.text("container.id"))
			}
			if a.text("container.image.repository") == "" {
				nameless++
			}
		}
	}
	t.Logf("%d containers in %v, %d of %d alerts without the name of the image", len(ran), took.Round(time.Millisecond), nameless, 2*len(ran))
	if nameless*100 >= 2*len(ran) && nameless > 0 {
		t.Errorf("%d of %d alerts have no image", nameless, 2*len(ran))
	}
}
