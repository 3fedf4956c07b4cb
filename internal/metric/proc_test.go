package metric

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tree writes files below a new directory and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// machine is the files of a small machine, as Linux writes them.
func machine() map[string]string {
	return map[string]string{
		"proc/self/status":          "Name:\tsaker\nVmPeak:\t  999999 kB\nVmSize:\t  204800 kB\nVmRSS:\t   51200 kB\nThreads:\t9\n",
		"proc/self/smaps_rollup":    "c000000000-7ffc000 ---p 00000000 00:00 0 [rollup]\nRss:   51200 kB\nPss:   40960 kB\nPss_Dirty: 1 kB\n",
		"proc/self/stat":            "42 (a b) c) S 1 42 42 0 -1 4194560 1 2 3 4 300 150 7 8 20 0 9 0 10000 209715200 12800\n",
		"proc/uptime":               "1100.00 2000.00\n",
		"proc/stat":                 "cpu  100 0 100 700 50 25 25 99 0 0\ncpu0 100 0 100 700 50 25 25 99 0 0\nbtime 1699000000\nprocs_running 3\nprocs_blocked 0\n",
		"proc/meminfo":              "MemTotal: 16000 kB\nMemFree: 4000 kB\nMemAvailable: 9000 kB\nBuffers: 1000 kB\nCached: 3000 kB\nSwapCached: 5 kB\n",
		"proc/sys/fs/file-nr":       "1234\t0\t9223372036854775807\n",
		"proc/sys/kernel/osrelease": "6.1.0-13-amd64\n",
		"cgroup":                    "31457280\n",
	}
}

func TestResources(t *testing.T) {
	root := tree(t, machine())
	p := Proc{HostRoot: root, Self: filepath.Join(root, "proc"), CgroupMemory: filepath.Join(root, "cgroup")}
	got, err := p.Resources()
	want := Resources{
		CPUPercent: 0.5, RSS: 51200, VSZ: 204800, PSS: 40960, ContainerMemory: 31457280, HostCPUPercent: 30, HostMemoryUsed: 8000,
		HostProcsRunning: 3, HostOpenFDs: 1234,
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	host, err := p.Host("node-1", 4)
	if wantHost := (Host{"node-1", "6.1.0-13-amd64", time.Unix(1_699_000_000, 0), 4}); err != nil || host != wantHost {
		t.Errorf("got %+v, %v\nwant %+v", host, err, wantHost)
	}
	started, err := p.Started()
	if err != nil || !started.Equal(time.Unix(1_699_000_100, 0)) {
		t.Errorf("started %v, %v", started, err)
	}
}

// TestResourcesMissing takes away one file after the other: the error names it, and the rest is still read.
func TestResourcesMissing(t *testing.T) {
	for _, name := range []string{"proc/self/status", "proc/self/stat", "proc/uptime", "proc/stat", "proc/meminfo", "proc/sys/fs/file-nr"} {
		files := machine()
		delete(files, name)
		root := tree(t, files)
		p := Proc{HostRoot: root, Self: filepath.Join(root, "proc"), CgroupMemory: filepath.Join(root, "none")}
		got, err := p.Resources()
		if err == nil || !strings.Contains(err.Error(), filepath.Join(root, name)) {
			t.Errorf("without %s: error %v", name, err)
		}
		if got.ContainerMemory != 0 || got.RSS == 0 && got.HostMemoryUsed == 0 {
			t.Errorf("without %s: got %+v", name, got)
		}
	}
}

func TestResourcesOddFiles(t *testing.T) {
	for _, c := range []struct{ name, content, err string }{
		{"proc/self/stat", "42 (x) S 1\n", "has not 22 fields"},
		{"proc/self/stat", "", "has not 22 fields"},
		{"proc/uptime", "soon", "invalid syntax"},
		{"proc/stat", "cpu\nbtime x\n", ""},
		{"proc/self/status", "VmRSS:\nVmSize: many kB", ""},
	} {
		files := machine()
		files[c.name] = c.content
		root := tree(t, files)
		_, err := Proc{HostRoot: root, Self: filepath.Join(root, "proc")}.Resources()
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s with %q: error %v, want %q", c.name, c.content, err, c.err)
		}
	}
}

// TestCgroupPath does not leave the place that an environment variable names.
func TestCgroupPath(t *testing.T) {
	root := tree(t, map[string]string{"a/x": "1", "b/memory": "77"})
	if got := (Proc{CgroupMemory: root + "/a/../b/memory"}).containerMemory(); got == 77 {
		t.Error("a path with .. is read")
	}
	if got := (Proc{CgroupMemory: root + "/b/memory"}).containerMemory(); got != 77 {
		t.Errorf("got %d, want 77", got)
	}
}

// TestThisMachine reads the real files.
func TestThisMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	r, err := Proc{}.Resources()
	if err != nil || r.RSS == 0 || r.VSZ < r.RSS || r.HostMemoryUsed == 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	h, err := Proc{}.Host("x", 1)
	if err != nil || h.KernelRelease == "" || h.Boot.IsZero() {
		t.Errorf("got %+v, %v", h, err)
	}
	if s, err := (Proc{}).Started(); err != nil || time.Since(s) > time.Hour || time.Since(s) < -2*time.Second {
		t.Errorf("this test started at %v (%v)", s, err)
	}
	if m := ReadMemory(); m.Allocated == 0 || m.Active < m.Allocated || m.Mapped < m.Resident || m.Metadata == 0 {
		t.Errorf("got %+v", m)
	}
	if _, err := Interfaces(); err != nil {
		t.Error(err)
	}
}
