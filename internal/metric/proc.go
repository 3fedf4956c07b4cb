package metric

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Proc reads what the kernel tells about the machine and about this process.
type Proc struct {
	// HostRoot is where the file system of the host is seen (HOST_ROOT), "" for our own.
	HostRoot string
	// Self is where our own /proc is, "" for /proc.
	Self string
	// CgroupMemory is the file with the memory that our container uses (FALCO_CGROUP_MEM_PATH). Without it, or where it has
	// ".." in it, it is the file of the first version of cgroups, and where there is none, that of the second.
	CgroupMemory string
}

// The files with the memory of a container as seen from inside it; Falco knows the first one only.
const (
	cgroup1Memory = "/sys/fs/cgroup/memory/memory.usage_in_bytes"
	cgroup2Memory = "/sys/fs/cgroup/memory.current"
)

// ticks is the unit of times in /proc, in a second. It is 100 on all architectures that we run on (time(7)).
const ticks = 100

// Resources is what this process and the machine use.
type Resources struct {
	CPUPercent       float64 // of one CPU, on average since our start, as ps(1) says it
	RSS, VSZ, PSS    uint64  // KiB
	ContainerMemory  uint64  // bytes; 0 outside containers
	HostCPUPercent   float64 // of all CPUs, on average since boot
	HostMemoryUsed   uint64  // KiB, without buffers and page cache
	HostProcsRunning uint64
	HostOpenFDs      uint64 // allocated file handles
}

// Resources reads what is used now. What could be read is returned also with an error, which names all that could not.
func (p Proc) Resources() (Resources, error) {
	var r Resources
	err := errors.Join(p.memory(&r), p.cpu(&r), p.hostCPU(&r), p.hostMemory(&r), p.hostFiles(&r))
	r.ContainerMemory = p.containerMemory()
	return r, err
}

func (p Proc) self(name string) string {
	if p.Self != "" {
		return filepath.Join(p.Self, name)
	}
	return filepath.Join("/proc", name)
}

func (p Proc) host(name string) string { return filepath.Join("/", p.HostRoot, "proc", name) }

// memory reads our own memory. PSS may be missing: the file is there since Linux 4.14.
func (p Proc) memory(r *Resources) error {
	status, err := os.ReadFile(p.self("self/status"))
	if err != nil {
		return fmt.Errorf("reading our own memory: %w", err)
	}
	r.VSZ, r.RSS = keyed(status, "VmSize"), keyed(status, "VmRSS")
	if rollup, err := os.ReadFile(p.self("self/smaps_rollup")); err == nil {
		r.PSS = keyed(rollup, "Pss")
	}
	return nil
}

// keyed returns the number after "key:" at the beginning of a line; 0 when there is none.
func keyed(data []byte, key string) uint64 {
	for line := range bytes.Lines(data) {
		if rest, ok := strings.CutPrefix(string(line), key+":"); ok {
			return number(rest)
		}
	}
	return 0
}

// number returns the number that s begins with, after blanks; 0 for none.
func number(s string) uint64 {
	f := strings.Fields(s)
	if len(f) == 0 {
		return 0
	}
	n, err := strconv.ParseUint(f[0], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// cpu computes our share of a CPU from proc_pid_stat(5): fields 14 and 15 are the time used, 22 is when we began.
func (p Proc) cpu(r *Resources) error {
	used, began, err := p.times()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(p.self("uptime"))
	if err != nil {
		return fmt.Errorf("reading how long the machine runs: %w", err)
	}
	first, _, _ := strings.Cut(string(data), " ")
	uptime, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return fmt.Errorf("reading how long the machine runs: %w", err)
	}
	if elapsed := uptime - began; elapsed > 0 {
		r.CPUPercent = tenths(100 * used / elapsed)
	}
	return nil
}

// times returns the seconds of CPU that we used, and when we began, in seconds after boot.
func (p Proc) times() (used, began float64, err error) {
	path := p.self("self/stat")
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, fmt.Errorf("reading our own times: %w", err)
	}
	// The name in the second field is in parentheses and may contain anything.
	end := bytes.LastIndexByte(data, ')')
	f := strings.Fields(string(data[end+1:]))
	if end < 0 || len(f) < 20 {
		return 0, 0, fmt.Errorf("reading our own times: %s has not 22 fields", path)
	}
	return float64(number(f[11])+number(f[12])) / ticks, float64(number(f[19])) / ticks, nil
}

// hostCPU reads proc_stat(5). As in Falco, the share is since boot and of the first seven kinds of time.
func (p Proc) hostCPU(r *Resources) error {
	data, err := os.ReadFile(p.host("stat"))
	if err != nil {
		return fmt.Errorf("reading the times of the machine: %w", err)
	}
	for line := range bytes.Lines(data) {
		f := strings.Fields(string(line))
		switch {
		case len(f) >= 8 && f[0] == "cpu":
			var sum uint64
			for _, s := range f[1:8] {
				sum += number(s)
			}
			if sum > 0 {
				r.HostCPUPercent = tenths(100 - 100*float64(number(f[4]))/float64(sum))
			}
		case len(f) == 2 && f[0] == "procs_running":
			r.HostProcsRunning = number(f[1])
		}
	}
	return nil
}

func (p Proc) hostMemory(r *Resources) error {
	data, err := os.ReadFile(p.host("meminfo"))
	if err != nil {
		return fmt.Errorf("reading the memory of the machine: %w", err)
	}
	free := keyed(data, "MemFree") + keyed(data, "Buffers") + keyed(data, "Cached")
	if total := keyed(data, "MemTotal"); total > free {
		r.HostMemoryUsed = total - free
	}
	return nil
}

func (p Proc) hostFiles(r *Resources) error {
	data, err := os.ReadFile(p.host("sys/fs/file-nr"))
	if err != nil {
		return fmt.Errorf("reading the open files of the machine: %w", err)
	}
	r.HostOpenFDs = number(string(data))
	return nil
}

// containerMemory returns 0 where there is no such file: outside containers, above all.
func (p Proc) containerMemory() uint64 {
	paths := []string{cgroup1Memory, cgroup2Memory}
	if p.CgroupMemory != "" && !strings.Contains(p.CgroupMemory, "..") {
		paths = []string{p.CgroupMemory}
	}
	for _, path := range paths {
		if data, err := os.ReadFile(path); err == nil {
			return number(string(data))
		}
	}
	return 0
}

// Started returns when this process began.
func (p Proc) Started() (time.Time, error) {
	_, began, err := p.times()
	if err != nil {
		return time.Time{}, err
	}
	boot, err := bootTime(p.self("stat"))
	if err != nil {
		return time.Time{}, err
	}
	return boot.Add(time.Duration(began * float64(time.Second))), nil
}

// Host reads what does not change while the machine runs. name is the host's name (hostname(7), or as configured).
func (p Proc) Host(name string, cpus int) (Host, error) {
	h := Host{Name: name, CPUs: uint32(cpus)}
	release, err := os.ReadFile(p.host("sys/kernel/osrelease"))
	if err != nil {
		return h, fmt.Errorf("reading the kernel's release: %w", err)
	}
	h.KernelRelease = strings.TrimSpace(string(release))
	h.Boot, err = bootTime(p.host("stat"))
	return h, err
}

// bootTime reads btime of proc_stat(5), whose unit is seconds since the epoch.
func bootTime(path string) (time.Time, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading when the machine started: %w", err)
	}
	for line := range bytes.Lines(data) {
		if rest, ok := strings.CutPrefix(string(line), "btime "); ok {
			return time.Unix(int64(number(rest)), 0), nil
		}
	}
	return time.Time{}, fmt.Errorf("reading when the machine started: %s has no line btime", path)
}
