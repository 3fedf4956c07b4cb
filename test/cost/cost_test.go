// Package cost measures what Saker costs a machine: calls of a traced process with tracing off and on, in one run; the
// CPU time of Saker per event; the time from a system call to the line on stdout; and how long it takes to start. The load comes from this
// process.
//
//	sudo go test -run '^$' -bench . -benchtime 1x ./test/cost
package cost

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// saker is a running Saker.
type saker struct {
	b      *testing.B
	cmd    *exec.Cmd
	lines  chan string // of stdout
	stderr chan string // all of it, at the end
}

// build compiles the binary once per benchmark run.
func build(b *testing.B) string {
	b.Helper()
	if os.Getuid() != 0 {
		b.Skip("tracing needs root")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		b.Skip("tracing needs a kernel with BTF: ", err)
	}
	bin := filepath.Join(b.TempDir(), "saker")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/saker-sec/saker/cmd/saker").CombinedOutput(); err != nil {
		b.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// start runs Saker with the rules and waits until it watches.
func start(b *testing.B, bin, rules string, args ...string) *saker {
	b.Helper()
	if rules != "" {
		file := filepath.Join(b.TempDir(), "rules.yaml")
		if err := os.WriteFile(file, []byte(rules), 0o644); err != nil {
			b.Fatal(err)
		}
		args = append(args, "-r", file)
	}
	s := &saker{b: b, cmd: exec.Command(bin, append([]string{"-v"}, args...)...), lines: make(chan string, 1<<16), stderr: make(chan string, 1)}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	errs, err := s.cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go func() {
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadString('\n')
			if line != "" {
				s.lines <- line
			}
			if err != nil {
				close(s.lines)
				return
			}
		}
	}()
	ready := make(chan bool, 1)
	go func() {
		r := bufio.NewReader(errs)
		var all strings.Builder
		for {
			line, err := r.ReadString('\n')
			all.WriteString(line)
			if strings.Contains(line, "watching") {
				ready <- true
			}
			if err != nil {
				s.stderr <- all.String()
				return
			}
		}
	}()
	select {
	case <-ready:
	case text := <-s.stderr:
		b.Fatalf("Saker ended: %s", text)
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Kill()
		b.Fatal("Saker does not say that it is watching")
	}
	return s
}

// stop ends Saker and returns how many events it read and how many the kernel lost.
func (s *saker) stop() (events, lost uint64) {
	s.b.Helper()
	if err := s.cmd.Process.Signal(unix.SIGINT); err != nil {
		s.b.Fatal(err)
	}
	for range s.lines { // the rest
	}
	text := <-s.stderr
	if err := s.cmd.Wait(); err != nil {
		s.b.Fatalf("Saker: %v\n%s", err, text)
	}
	return number(s.b, text, `Driver Events:(\d+)`), number(s.b, text, `Driver Drops:(\d+)`)
}

func number(b *testing.B, text, pattern string) uint64 {
	b.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		b.Fatalf("no %s in: %s", pattern, text)
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// cpu returns the CPU time that Saker has used.
func (s *saker) cpu() time.Duration {
	s.b.Helper()
	var total time.Duration
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	for _, t := range tasks {
		text, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		ns, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ns, 10, 64)
		if err != nil {
			s.b.Fatal(err)
		}
		total += time.Duration(n)
	}
	return total
}

// The operations that are measured.
func getppid() { _, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0) }

func openClose() {
	fd, err := unix.Open("/etc/hostname", unix.O_RDONLY, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
}

func forkExec() { _ = exec.Command("/bin/true").Run() }

// connecting returns an operation that connects a UDP socket to a port of loopback: socket, connect, close.
func connecting() func() {
	to := &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}
	return func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			return
		}
		_ = unix.Connect(fd, to)
		_ = unix.Close(fd)
	}
}

// measure runs an operation n times in each trial and returns the fastest and the median trial, in ns per operation.
func measure(op func(), n, trials int) (best, median float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	results := make([]float64, trials)
	for i := range results {
		begin := time.Now()
		for range n {
			op()
		}
		results[i] = float64(time.Since(begin).Nanoseconds()) / float64(n)
	}
	slices.Sort(results)
	return results[0], results[trials/2]
}

// pin binds this process's thread to CPU 0; Saker gets the others.
func pin(b *testing.B, s *saker) {
	b.Helper()
	if runtime.NumCPU() < 2 {
		return
	}
	if s == nil {
		runtime.LockOSThread()
		var set unix.CPUSet
		set.Set(0)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			b.Fatal(err)
		}
		return
	}
	var set unix.CPUSet
	for i := 1; i < runtime.NumCPU(); i++ {
		set.Set(i)
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", s.cmd.Process.Pid))
	for _, t := range tasks {
		tid, _ := strconv.Atoi(filepath.Base(t))
		_ = unix.SchedSetaffinity(tid, &set)
	}
}

// empty attaches a program that does nothing to the end of every system call: the least that tracing can cost.
func empty(b *testing.B) link.Link {
	b.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "sys_exit", License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkCalls compares calls with tracing off and on. x-ns is the price of tracing: the difference of the fastest trials; floor-ns is
// that of a program that does nothing.
func BenchmarkCalls(b *testing.B) {
	bin := build(b)
	cases := []struct {
		name      string
		op        func()
		n, trials int
	}{
		{"getppid", getppid, 20_000, 200},
		{"open+close", openClose, 2000, 200},
		{"connect", connecting(), 2000, 200},
		{"fork+exec", forkExec, 5, 40},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			pin(b, nil)
			for b.Loop() {
				offBest, offMedian := measure(c.op, c.n, c.trials)
				floor := empty(b)
				floorBest, _ := measure(c.op, c.n, c.trials)
				floor.Close()
				s := start(b, bin, "")
				pin(b, s)
				measure(c.op, c.n, c.trials/10)
				onBest, onMedian := measure(c.op, c.n, c.trials)
				_, lost := s.stop()
				b.ReportMetric(offBest, "off-ns")
				b.ReportMetric(onBest, "on-ns")
				b.ReportMetric(onBest-offBest, "x-ns")
				b.ReportMetric(floorBest-offBest, "floor-ns")
				b.ReportMetric(onMedian-offMedian, "x-median-ns")
				b.ReportMetric(float64(lost), "lost")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkOwnCPU loads Saker with open and close for three seconds and tells the CPU time it needs per event: at the rate of
// 450 000 events a second, at which nothing may be lost, and as fast as one CPU can.
func BenchmarkOwnCPU(b *testing.B) {
	bin := build(b)
	pin(b, nil)
	for _, c := range []struct {
		name string
		rate float64 // events a second; 0 for as fast as possible
	}{{"450k", 450_000}, {"flood", 0}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				s := start(b, bin, "")
				pin(b, s)
				before, begin := s.cpu(), time.Now()
				events := 0.0
				for time.Since(begin) < 3*time.Second {
					for range 50 {
						openClose()
					}
					events += 100
					for c.rate > 0 && time.Since(begin).Seconds()*c.rate < events {
					}
				}
				elapsed, used := time.Since(begin), s.cpu()-before
				_, lost := s.stop()
				b.ReportMetric(events/elapsed.Seconds(), "events/s")
				b.ReportMetric(float64(used.Nanoseconds())/events, "cpu-ns/event")
				b.ReportMetric(float64(lost), "lost")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkStart starts Saker with the default rules again and again, and reads a file that they speak of at once when it says that it
// watches: the alert must come. ready-ms is the median time from the start to that line, alert-ms to the alert.
func BenchmarkStart(b *testing.B) {
	bin := build(b)
	var ready, alerted []time.Duration
	for b.Loop() {
		for range 9 {
			begin := time.Now()
			s := start(b, bin, "")
			ready = append(ready, time.Since(begin))
			if err := exec.Command("/bin/cat", "/etc/shadow").Run(); err != nil {
				b.Fatal(err)
			}
			for line := ""; !strings.Contains(line, "/etc/shadow"); {
				select {
				case line = <-s.lines:
				case <-time.After(10 * time.Second):
					b.Fatal("no alert for what was done right after the start")
				}
			}
			alerted = append(alerted, time.Since(begin))
			s.stop()
		}
	}
	slices.Sort(ready)
	slices.Sort(alerted)
	b.ReportMetric(float64(ready[len(ready)/2].Milliseconds()), "ready-ms")
	b.ReportMetric(float64(ready[0].Milliseconds()), "fastest-ms")
	b.ReportMetric(float64(alerted[len(alerted)/2].Milliseconds()), "alert-ms")
	b.ReportMetric(0, "ns/op")
}

const latencyRule = `
- rule: opened the probe
  desc: for the measurement of latency
  condition: evt.type = openat and fd.name endswith /saker-latency-probe
  output: probe
  priority: NOTICE
`

// BenchmarkLatency opens a file that a rule names and waits for the line, 500 times with pauses between.
func BenchmarkLatency(b *testing.B) {
	bin := build(b)
	probe := filepath.Join(b.TempDir(), "saker-latency-probe")
	if err := os.WriteFile(probe, nil, 0o644); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s := start(b, bin, latencyRule, "-o", "json_output=true")
		var took []time.Duration
		tick := time.NewTicker(7 * time.Millisecond)
		for range 500 {
			<-tick.C
			begin := time.Now()
			fd, err := unix.Open(probe, unix.O_RDONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			line, ok := <-s.lines
			took = append(took, time.Since(begin))
			_ = unix.Close(fd)
			var alert struct{ Rule string }
			if err := json.Unmarshal([]byte(line), &alert); !ok || err != nil || alert.Rule != "opened the probe" {
				b.Fatalf("unexpected line %q", line)
			}
		}
		tick.Stop()
		s.stop()
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
		b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-us")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLoopback sends 64 bytes there and back through a TCP connection with tracing off and on: calls that no rule wants. Both ends
// block and share a CPU, so that what is measured is neither Go's poller nor how long the other CPU takes to wake up.
func BenchmarkLoopback(b *testing.B) {
	bin := build(b)
	pin(b, nil)
	near, far := connection(b)
	go func() {
		pin(b, nil)
		buf := make([]byte, 64)
		for {
			n, err := unix.Read(far, buf)
			if err != nil || n == 0 {
				return
			}
			_, _ = unix.Write(far, buf[:n]) // the next read fails then
		}
	}()
	buf := make([]byte, 64)
	echo := func() {
		if _, err := unix.Write(near, buf); err != nil {
			b.Fatal(err)
		}
		if n, err := unix.Read(near, buf); err != nil || n != len(buf) {
			b.Fatal(n, err)
		}
	}
	for b.Loop() {
		off, _ := measure(echo, 500, 100)
		s := start(b, bin, "")
		pin(b, s)
		on, _ := measure(echo, 500, 100)
		s.stop()
		b.ReportMetric(off, "off-ns")
		b.ReportMetric(on, "on-ns")
		b.ReportMetric(on/off, "ratio")
	}
	b.ReportMetric(0, "ns/op")
}

// connection returns the two ends of a TCP connection over loopback. They block.
func connection(b *testing.B) (near, far int) {
	b.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	client, err := net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		b.Fatal(err)
	}
	server, err := l.AcceptTCP()
	if err != nil {
		b.Fatal(err)
	}
	var fds [2]int
	for i, c := range []*net.TCPConn{client, server} {
		f, err := c.File()
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
		b.Cleanup(func() { f.Close() })
		fds[i] = int(f.Fd()) // which makes it block
	}
	return fds[0], fds[1]
}
