package driver

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/saker-sec/saker/internal/event"
)

// required are the programs without which there is no driver, and their copies: if one of them does not load, SetSyscalls fails.
func required(name string) bool {
	switch strings.TrimRight(name, "_0123456789") {
	case programsProgDispatch, programsProgSysGeneric, programsProgSchedProcessExec, programsProgSchedProcessExit, "sched_process_fork":
		return true
	}
	return false
}

// socketcallNumber returns the number of a call among those that 32-bit programs make through socketcall(2), 0 for others
// (include/uapi/linux/net.h).
func socketcallNumber(name string) int {
	for i, n := range [...]string{
		1: "socket", 2: "bind", 3: "connect", 4: "listen", 5: "accept", 6: "getsockname", 7: "getpeername",
		8: "socketpair", 9: "send", 10: "recv", 11: "sendto", 12: "recvfrom", 13: "shutdown", 14: "setsockopt", 15: "getsockopt",
		16: "sendmsg", 17: "recvmsg", 18: "accept4", 19: "recvmmsg", 20: "sendmmsg",
	} {
		if n != "" && n == name {
			return i
		}
	}
	return 0
}

// handlerOf returns the name of the program for a system call: its own, or that of a call with the same event. It is empty for calls that
// have none; they are sent as generic events.
func (d *Driver) handlerOf(s *event.Syscall) string {
	if name := "sys_" + s.Name; d.spec.Programs[name] != nil {
		return name
	}
	if s.Event == event.GenericX {
		return ""
	}
	for i := range event.Syscalls() {
		o := &event.Syscalls()[i]
		if o.Event == s.Event && d.spec.Programs["sys_"+o.Name] != nil {
			return "sys_" + o.Name
		}
	}
	return ""
}

// SetSyscalls makes calls what is wanted from now on. Programs are loaded when they are wanted for the first time; what the machine's
// system call table lacks is passed over. A program that does not load is left out and reported by Problems,
// unless it is one that the driver cannot do without. Events already in the rings are still delivered.
func (d *Driver) SetSyscalls(calls []event.SC) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	var wanted interest
	handlers := map[event.SC]string{}
	want := map[string]bool{programsProgSysGeneric: true}
	tracepoints := map[string]bool{programsProgDispatch: true}
	for _, sc := range calls {
		if int(sc) >= event.NumSC || event.Syscalls()[sc].Name == "" {
			return fmt.Errorf("selecting system calls: there is no call %d", sc)
		}
		s := &event.Syscalls()[sc]
		for _, t := range d.tracepointsOf(s) {
			tracepoints[t] = true
		}
		wanted.add(s, d.nativeArch)
		if h := d.handlerOf(s); h != "" {
			handlers[sc], want[h] = h, true
		}
	}
	for t := range tracepoints {
		want[t] = true
		for _, c := range d.copiesOf(t) {
			want[c] = true
		}
	}
	if err := d.loadMissing(want); err != nil {
		return err
	}
	if err := d.fill(handlers); err != nil {
		return err
	}
	return d.attach(tracepoints, &wanted)
}

// interest is the tables of what is wanted, as the programs have them (see shared).
type interest struct {
	calls      [512]byte
	socketcall [32]uint16
}

// add makes a call wanted on a machine. Of 32-bit callers it is wanted on amd64 only: those of arm64 have numbers of their own, and taken for
// those of i386 they would tell of calls that nobody made.
func (w *interest) add(s *event.Syscall, native event.Arch) {
	if nr := s.NR[native]; nr >= 0 && int(nr) < len(w.calls) {
		w.calls[nr] |= 1
	}
	if native != event.ArchX8664 {
		return
	}
	if nr := s.NR[event.ArchIA32]; nr >= 0 && int(nr) < len(w.calls) {
		w.calls[nr] |= 2
	}
	if n := socketcallNumber(s.Name); n != 0 {
		w.socketcall[n] = uint16(s.SC)
		w.calls[102] |= 2
	}
}

// tracepointsOf returns the programs outside the system call exits that s needs: a successful execve is told by the scheduler, because
// its registers are those of the new image; the end of a process is no system call; and on arm64 the child of a clone does not
// pass the exit of a system call.
func (d *Driver) tracepointsOf(s *event.Syscall) []string {
	switch {
	case s.Name == "execve" || s.Name == "execveat":
		return []string{"sched_process_exec"}
	case s.Name == "clone" || s.Name == "clone3" || s.Name == "fork" || s.Name == "vfork":
		if d.spec.Programs["sched_process_fork"] != nil {
			return []string{"sched_process_fork"}
		}
	case d.spec.Programs[s.Name] != nil && s.NR == [3]int16{-1, -1, -1}:
		return []string{s.Name}
	}
	return nil
}

// maxCopies is how many copies there are of a program that the kernel may preempt (bpf/saker.h, TRACEPOINT).
const maxCopies = 4

// copiesOf returns the programs that are attached for a program of a tracepoint, in the order in which they run: the program alone, or where the kernel
// may preempt it, its copies.
func (d *Driver) copiesOf(name string) []string {
	if d.copies == 0 {
		return []string{name}
	}
	out := make([]string, d.copies)
	for i := range out {
		out[i] = fmt.Sprintf("%s_%d", name, i)
	}
	if name == programsProgDispatch {
		out[0] = name
	}
	if d.spec.Programs[out[0]] == nil {
		return []string{name}
	}
	return out
}

// loadMissing loads the programs that are wanted and not loaded yet: all at once, and one by one when that fails, to find out which
// is at fault. It is one after the other: the library's types of the kernel cannot be read by several goroutines.
func (d *Driver) loadMissing(want map[string]bool) error {
	missing := map[string]*ebpf.ProgramSpec{}
	for name := range want {
		if d.loaded[name] == nil {
			missing[name] = d.spec.Programs[name]
		}
	}
	if len(missing) == 0 || d.loadAll(missing) == nil {
		return nil
	}
	d.problems = nil
	for name, p := range missing {
		err := d.loadAll(map[string]*ebpf.ProgramSpec{name: p})
		if err != nil && required(name) {
			return fmt.Errorf("loading the program %s: %w", name, err)
		}
		if err != nil {
			d.problems = append(d.problems, fmt.Errorf("loading the program %s: %w", name, explain(err)))
		}
	}
	return nil
}

// loadAll loads programs into the kernel. After an error some may be loaded.
func (d *Driver) loadAll(programs map[string]*ebpf.ProgramSpec) error {
	if d.locked != nil {
		for name, p := range programs {
			prog, err := loadLocked(p, d.maps, d.locked)
			if err != nil {
				return err
			}
			if old := d.loaded[name]; old != nil {
				old.Close()
			}
			d.loaded[name] = prog
		}
		return nil
	}
	spec := &ebpf.CollectionSpec{Maps: d.spec.Maps, Programs: programs, Variables: d.spec.Variables, ByteOrder: d.spec.ByteOrder, Types: d.spec.Types}
	replace := make(map[string]*ebpf.Map, len(d.spec.Maps))
	for name := range d.spec.Maps {
		replace[name] = d.maps[name]
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: replace, Cache: d.cache})
	if err != nil {
		return err
	}
	for name, p := range coll.Programs {
		d.loaded[name] = p
		delete(coll.Programs, name)
	}
	coll.Close()
	return nil
}

// fill puts the handlers into the dispatcher's table. Handlers that are no longer wanted stay: the interest table keeps
// their calls away.
func (d *Driver) fill(handlers map[event.SC]string) error {
	for name, p := range d.loaded {
		if main := d.maps[name+"_main"]; main != nil {
			if err := main.Put(uint32(0), p); err != nil {
				return fmt.Errorf("installing the program %s: %w", name, err)
			}
		}
	}
	table := d.maps[programsMapHandlers]
	if err := table.Put(uint32(0), d.loaded[programsProgSysGeneric]); err != nil {
		return fmt.Errorf("installing the handler of generic calls: %w", err)
	}
	for sc, name := range handlers {
		p := d.loaded[name]
		if p == nil {
			continue // reported by Problems; the call is sent as a generic event
		}
		if err := table.Put(uint32(sc), p); err != nil {
			return fmt.Errorf("installing the handler of %s: %w", event.Syscalls()[sc].Name, err)
		}
	}
	return nil
}

// attach makes exactly the given programs attached, and the calls of interest wanted.
func (d *Driver) attach(tracepoints map[string]bool, wanted *interest) error {
	kept := d.attached[:0]
	var errs []error
	for _, a := range d.attached {
		if tracepoints[a.name] {
			kept = append(kept, a)
			delete(tracepoints, a.name)
		} else if err := a.close(); err != nil {
			errs = append(errs, fmt.Errorf("detaching %s: %w", a.name, err))
		}
	}
	d.attached = kept
	copy(d.shared.socketcall[:], wanted.socketcall[:])
	copy(d.shared.interest[:], wanted.calls[:])
	for _, name := range inOrder(tracepoints) {
		if d.loaded[name] == nil {
			continue // reported by Problems
		}
		a := &attachment{name: name}
		for _, c := range d.copiesOf(name) {
			l, err := link.AttachTracing(link.TracingOptions{Program: d.loaded[c]})
			if err != nil {
				errs = append(errs, fmt.Errorf("attaching %s: %w", c, err))
				break
			}
			a.copies = append(a.copies, attached{name: c, prog: d.loaded[c], link: l})
		}
		if len(a.copies) > 0 {
			d.attached = append(d.attached, a)
		}
	}
	return errors.Join(errs...)
}

// inOrder returns the programs in the order in which they are attached: that of the system calls is last. A process whose making was seen has
// then whatever it runs and its end seen too. What happened before is found in /proc.
func inOrder(tracepoints map[string]bool) []string {
	return slices.SortedFunc(maps.Keys(tracepoints), func(a, b string) int {
		if last := programsProgDispatch; a == last || b == last {
			return cmp.Compare(boolWord(a == last), boolWord(b == last))
		}
		return cmp.Compare(a, b)
	})
}
