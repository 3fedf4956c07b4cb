package state

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// Scripts say in lines what happens and what must be known then:
//
//	proc tid=7 pid=7 ptid=1 comm=sh fd.3=/x   a thread that was there before
//	7 openat fd=3 dirfd=-100 name=/etc/x      an event of thread 7; ">connect" is the enter event of connect
//	= 7 comm=sh cwd=/tmp/                     what is known of thread 7; "= 7 gone" if nothing
//	= 7/3 name=/etc/x type=file               what is known of its descriptor 3; "= 7/3 none" if nothing
//	= event tid=7 fd=3 name=/etc/x            what the last event means
//	@ 5s                                      time passes
//
// Values with blanks stand in double quotes; lists (args, env, cgroups) are separated by commas.
type script struct {
	t    testing.TB
	s    *State
	now  uint64
	num  uint64
	c    *Ctx
	line string
}

func runScript(t *testing.T, cfg Config, text string) *State {
	t.Helper()
	x := &script{t: t, s: New(cfg), now: 1e18}
	x.s.Load(&event.Snapshot{Machine: event.Machine{BootTime: 5e17}})
	for i, line := range strings.Split(text, "\n") {
		x.line = fmt.Sprintf("line %d: %s", i+1, strings.TrimSpace(line))
		words := fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		switch words[0] {
		case "proc":
			x.proc(words[1:])
		case "=":
			x.check(words[1], words[2:])
		case "@":
			x.pass(words[1])
		default:
			x.event(words)
		}
	}
	checkInvariants(t, x.s)
	return x.s
}

// fields splits a line at blanks outside of double quotes.
func fields(line string) []string {
	var list []string
	var word strings.Builder
	quoted, any := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case !quoted && (r == ' ' || r == '\t'):
			if any {
				list = append(list, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
			any = true
		}
	}
	if any {
		list = append(list, word.String())
	}
	return list
}

func (x *script) fatal(format string, args ...any) {
	x.t.Helper()
	x.t.Fatalf("%s: %s", x.line, fmt.Sprintf(format, args...))
}

func (x *script) number(s string) int64 {
	x.t.Helper()
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		x.fatal("%v", err)
	}
	return n
}

func (x *script) pass(d string) {
	n := x.number(strings.TrimRight(d, "ms"))
	if strings.HasSuffix(d, "ms") {
		x.now += uint64(n) * 1e6
	} else {
		x.now += uint64(n) * 1e9
	}
}

func (x *script) proc(words []string) {
	p := event.Process{PTID: 1, SID: -1, PGID: -1, VPGID: -1, FDLimit: 1024, Cwd: "/", Root: "/", LoginUID: 0xffffffff}
	p.VTID, p.VPID = -2, -2
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		switch k {
		case "tid":
			p.TID = x.number(v)
			p.PID = p.TID
		case "pid":
			p.PID = x.number(v)
		case "ptid":
			p.PTID = x.number(v)
		case "sid":
			p.SID = x.number(v)
		case "pgid":
			p.PGID = x.number(v)
		case "vtid":
			p.VTID = x.number(v)
		case "vpid":
			p.VPID = x.number(v)
		case "flags":
			p.Flags = uint32(x.number(v))
		case "comm":
			p.Comm = v
		case "exe":
			p.Exe = v
		case "exepath":
			p.ExePath = v
		case "cwd":
			p.Cwd = v
		case "uid":
			p.UID = uint32(x.number(v))
		case "age": // milliseconds since it was made
			p.CloneTime = x.now - uint64(x.number(v))*1e6
		case "args":
			p.Args = strings.Split(v, ",")
		case "env":
			p.Env = strings.Split(v, ",")
		case "cgroups":
			p.Cgroups = strings.Split(v, ",")
		default:
			fd, ok := strings.CutPrefix(k, "fd.")
			if !ok {
				x.fatal("unknown attribute %s", k)
			}
			p.FDs = append(p.FDs, event.Descriptor{FD: x.number(fd), Type: event.FDFileV2, Name: v})
		}
	}
	if p.VTID == -2 {
		p.VTID, p.VPID = p.TID, p.PID
	}
	x.s.AddProcess(&p)
}

// code finds the event type by its name.
func (x *script) code(name string) event.Code {
	name, enter := strings.CutPrefix(name, ">")
	for i := range event.Types() {
		t := &event.Types()[i]
		if t.Name != name || t.Class == event.ClassUnused {
			continue
		}
		if (t.Enter && (enter || t.Class != event.ClassSyscall) || !t.Enter && !enter) &&
			(t.Status == event.StatusCurrent || t.Code == event.SyscallExecveV19E || t.Code == event.SyscallExecveatE) {
			return t.Code
		}
	}
	x.fatal("no event type %s", name)
	return 0
}

func (x *script) event(words []string) { x.apply(encodeEvent(x, words)) }

// encodeEvent encodes the event of a line.
func encodeEvent(x *script, words []string) []byte {
	x.now += 1e6
	code := x.code(words[1])
	given := map[string]string{}
	for _, w := range words[2:] {
		k, v, _ := strings.Cut(w, "=")
		given[k] = v
	}
	var enc event.Encoder
	enc.Begin(code, x.now, x.number(words[0]))
	for _, p := range event.Types()[code].Params {
		v, ok := given[p.Name]
		delete(given, p.Name)
		if !ok {
			enc.Empty()
			continue
		}
		x.param(&enc, p, v)
	}
	for k := range given {
		x.fatal("%s has no parameter %s", event.Types()[code].PPME, k)
	}
	return slices.Clone(enc.Bytes())
}

func (x *script) apply(raw []byte) {
	x.num++
	e := &event.Event{Num: x.num}
	if err := e.Decode(raw); err != nil {
		x.fatal("%v", err)
	}
	x.c = x.s.Apply(e)
}

func (x *script) param(enc *event.Encoder, p event.Param, v string) {
	switch p.Type {
	case event.TypeCharbuf, event.TypeFspath, event.TypeFsrelpath:
		enc.Text(v)
	case event.TypeBytebuf, event.TypeCharbufarray:
		if p.Name == "data" || p.Name == "msgcontrol" {
			b, err := hex.DecodeString(v)
			if err != nil {
				x.fatal("%v", err)
			}
			enc.Raw(b)
			return
		}
		enc.Strings(strings.Split(v, ","))
	case event.TypeSockaddr, event.TypeSocktuple:
		enc.Raw(x.address(v))
	case event.TypeDyn:
		enc.Raw(binary.LittleEndian.AppendUint64([]byte{1}, uint64(x.number(v))))
	case event.TypeInt8, event.TypeUint8, event.TypeFlags8, event.TypeEnumflags8, event.TypeSigtype:
		enc.Uint8(uint8(x.number(v)))
	case event.TypeInt16, event.TypeUint16, event.TypeFlags16, event.TypeEnumflags16:
		enc.Uint16(uint16(x.number(v)))
	case event.TypeInt32, event.TypeUint32, event.TypeFlags32, event.TypeEnumflags32, event.TypeUid, event.TypeGid, event.TypeMode:
		enc.Uint32(uint32(x.number(v)))
	default:
		enc.Int64(x.number(v))
	}
}

// address encodes "1.2.3.4:80", "[::1]:80", "/path" or "12:34:/path", or two of the first ones joined by "->".
func (x *script) address(v string) []byte {
	if i := strings.IndexByte(v, '/'); i >= 0 {
		b := []byte{afUnix}
		if i > 0 {
			src, dst, _ := strings.Cut(strings.TrimSuffix(v[:i], ":"), ":")
			b = binary.LittleEndian.AppendUint64(b, uint64(x.number(src)))
			b = binary.LittleEndian.AppendUint64(b, uint64(x.number(dst)))
		}
		return append(append(b, v[i:]...), 0)
	}
	var b []byte
	for _, end := range strings.Split(v, "->") {
		a, err := netip.ParseAddrPort(end)
		if err != nil {
			x.fatal("%v", err)
		}
		if b == nil {
			b = []byte{afInet6}
			if a.Addr().Is4() {
				b = []byte{afInet}
			}
		}
		b = append(b, a.Addr().AsSlice()...)
		b = binary.LittleEndian.AppendUint16(b, a.Port())
	}
	return b
}

func (x *script) check(what string, words []string) {
	x.t.Helper()
	if what == "event" {
		x.compare(words, func(k string) (string, bool) { return eventText(x.c, k) })
		return
	}
	tid, fd, about := strings.Cut(what, "/")
	t := x.s.Thread(x.number(tid))
	if words[0] == "gone" {
		if t != nil {
			x.fatal("thread %s is still known", tid)
		}
		return
	}
	if t == nil {
		x.fatal("thread %s is not known", tid)
	}
	if !about {
		x.compare(words, func(k string) (string, bool) { return threadText(t, k) })
		return
	}
	d := t.FDs().Get(x.number(fd))
	if words[0] == "none" {
		if d != nil {
			x.fatal("descriptor is %q", d.Name)
		}
		return
	}
	if d == nil {
		x.fatal("descriptor is not known")
	}
	x.compare(words, func(k string) (string, bool) { return fdText(d, k) })
}

func (x *script) compare(words []string, text func(string) (string, bool)) {
	x.t.Helper()
	for _, w := range words {
		k, want, _ := strings.Cut(w, "=")
		got, ok := text(k)
		if !ok {
			x.fatal("nothing is called %s", k)
		}
		if got != want {
			x.t.Errorf("%s: %s is %q, want %q", x.line, k, got, want)
		}
	}
}

func eventText(c *Ctx, k string) (string, bool) {
	switch k {
	case "tid":
		if c.Thread == nil {
			return "none", true
		}
		return fmt.Sprint(c.Thread.TID), true
	case "fd":
		return fmt.Sprint(c.FDNum), true
	case "changed":
		return fmt.Sprint(c.NameChanged), true
	case "raced":
		return fmt.Sprint(c.Raced), true
	}
	if c.FD == nil {
		return "none", true
	}
	return fdText(c.FD, k)
}

func fdText(d *FD, k string) (string, bool) {
	switch k {
	case "name":
		return d.Name, true
	case "raw":
		return d.NameRaw, true
	case "type":
		return d.TypeString(), true
	case "char":
		return string(d.TypeChar()), true
	case "flags":
		return fmt.Sprintf("%#x", d.OpenFlags), true
	case "ino":
		return fmt.Sprint(d.Ino), true
	case "dev":
		return fmt.Sprint(d.Dev), true
	case "pid":
		return fmt.Sprint(d.PID), true
	case "l4":
		return fmt.Sprint(d.L4()), true
	case "role":
		return map[FDFlags]string{0: "none", FDRoleClient: "client", FDRoleServer: "server"}[d.Flags&(FDRoleClient|FDRoleServer)], true
	case "conn":
		return map[FDFlags]string{0: "none", FDConnected: "yes", FDPending: "pending", FDFailed: "failed"}[d.Flags&(FDConnected|FDPending|FDFailed)], true
	case "layer":
		return map[FDFlags]string{0: "none", FDOverlayUpper: "upper", FDOverlayLower: "lower"}[d.Flags&(FDOverlayUpper|FDOverlayLower)], true
	case "from":
		return string(appendEnd(nil, &d.Tuple.SIP, d.Tuple.SPort, d.Type == event.FDIPv6)), true
	case "to":
		v6 := d.Type == event.FDIPv6 || d.Type == event.FDIPv6Server
		return string(appendEnd(nil, &d.Tuple.DIP, d.Tuple.DPort, v6)), true
	case "unix":
		return fmt.Sprintf("%x:%x", d.UnixSource, d.UnixPeer), true
	}
	return "", false
}

func threadText(t *Thread, k string) (string, bool) {
	leader := func(l *Thread) (string, bool) {
		if l == nil {
			return "none", true
		}
		return fmt.Sprint(l.TID), true
	}
	switch k {
	case "pid":
		return fmt.Sprint(t.PID), true
	case "ptid":
		return fmt.Sprint(t.PTID), true
	case "vtid":
		return fmt.Sprint(t.VTID), true
	case "vpid":
		return fmt.Sprint(t.VPID), true
	case "sid":
		return fmt.Sprint(t.SID), true
	case "pgid":
		return fmt.Sprint(t.PGID), true
	case "vpgid":
		return fmt.Sprint(t.VPGID), true
	case "comm":
		return t.Comm, true
	case "exe":
		return t.Image.Exe, true
	case "exepath":
		return t.Image.ExePath, true
	case "args":
		return strings.Join(t.Image.Args, ","), true
	case "env":
		return strings.Join(t.Env(), ","), true
	case "cwd":
		return t.Cwd(), true
	case "root":
		return t.Root(), true
	case "uid":
		return fmt.Sprint(int32(t.UID)), true
	case "gid":
		return fmt.Sprint(int32(t.GID)), true
	case "login":
		return fmt.Sprint(int32(t.LoginUID)), true
	case "caps":
		return fmt.Sprintf("%x:%x:%x", t.CapInheritable, t.CapPermitted, t.CapEffective), true
	case "threads":
		return fmt.Sprint(t.NumThreads()), true
	case "others":
		return fmt.Sprint(t.NumNotLeader()), true
	case "fds":
		return fmt.Sprint(t.FDOpenCount()), true
	case "limit":
		return fmt.Sprint(t.ProcessFDLimit()), true
	case "container":
		return t.ContainerID, true
	case "cgroups":
		return t.Cgroups.Text, true
	case "strayed":
		return fmt.Sprint(t.Strayed), true
	case "dead":
		return fmt.Sprint(t.Dead()), true
	case "unknown":
		return fmt.Sprint(t.Unknown), true
	case "main":
		return leader(t.Main())
	case "parent":
		return leader(t.Ancestor(1))
	case "session":
		return leader(t.SessionLeader())
	case "grandparent":
		return leader(t.Ancestor(2))
	case "lineage":
		var list []string
		for i := t.Image; i != nil; i = i.Parent {
			list = append(list, i.Comm)
		}
		return strings.Join(list, "<"), true
	case "vm":
		return fmt.Sprintf("%d:%d:%d", t.VMSize, t.VMRSS, t.VMSwap), true
	case "faults":
		return fmt.Sprintf("%d:%d", t.PFMajor, t.PFMinor), true
	case "writable":
		return fmt.Sprint(t.Image.ExeWritable), true
	case "ino":
		return fmt.Sprint(t.Image.ExeIno), true
	case "age":
		return fmt.Sprint(t.CtimeToClone), true
	}
	return "", false
}

// checkInvariants verifies that counters, references and links agree.
func checkInvariants(t testing.TB, s *State) {
	t.Helper()
	threads, fds := 0, 0
	pages := map[*fdPage]int32{}
	tables := map[*FDTable]int32{}
	members := map[*group]int{}
	images := map[*Image]int32{}
	s.EachThread(func(x *Thread) bool {
		threads++
		if s.threads.get(x.TID) != x {
			t.Errorf("thread %d is not found under its id", x.TID)
		}
		if x.fds != nil {
			tables[x.fds]++
		}
		images[x.Image]++
		if x.group != nil {
			members[x.group]++
			if s.groups.get(x.group.pid) != x.group {
				t.Errorf("thread %d: its process %d is not in the table", x.TID, x.group.pid)
			}
		}
		for c := x.firstChild; c != nil; c = c.nextSib {
			if c.up != x || s.threads.get(c.TID) != c {
				t.Errorf("thread %d: child %d is not linked back or not known", x.TID, c.TID)
				return false
			}
		}
		if x.up != nil && s.threads.get(x.up.TID) != x.up {
			t.Errorf("thread %d: its parent %d is gone", x.TID, x.up.TID)
		}
		return true
	})
	if threads != s.NumThreads() {
		t.Errorf("%d threads, counted %d", threads, s.NumThreads())
	}
	if len(members) != s.groups.n {
		t.Errorf("%d processes, the table has %d", len(members), s.groups.n)
	}
	for g, n := range members {
		linked, alive := 0, 0
		for x := g.first; x != nil; x = x.nextInGroup {
			linked++
			if !x.dead {
				alive++
			}
		}
		if linked != n || alive != g.alive {
			t.Errorf("process %d: %d threads, %d linked, %d alive, %d counted", g.pid, n, linked, alive, g.alive)
		}
	}
	for f, n := range tables {
		if f.refs != n {
			t.Errorf("table with %d references, %d threads hold it", f.refs, n)
		}
		for _, g := range f.pages {
			if g != nil {
				pages[g]++
			}
		}
		open, weight := 0, 0
		f.Each(func(_ int64, d *FD) bool { open++; weight += int(d.weight); return true })
		if open != f.n || weight != f.weight {
			t.Errorf("table with %d descriptors that weigh %d, counted %d and %d", open, weight, f.n, f.weight)
		}
		fds += open
	}
	if fds != s.NumFDs() {
		t.Errorf("%d descriptors, counted %d", fds, s.NumFDs())
	}
	holds := map[*FD]int32{}
	for g, n := range pages {
		if g.refs != n {
			t.Errorf("page with %d references, %d tables hold it", g.refs, n)
		}
		for _, d := range &g.slot {
			if d != nil {
				holds[d]++
			}
		}
	}
	for f := range tables {
		for _, d := range f.high {
			holds[d]++
		}
	}
	weight := 0
	for d := range holds {
		weight += int(d.weight)
	}
	if weight != s.fdWeight {
		t.Errorf("%d descriptors that are kept weigh %d, counted %d", len(holds), weight, s.fdWeight)
	}
	for d, n := range holds {
		if d.refs != n {
			t.Errorf("descriptor %q with %d references, %d pages hold it", d.Name, d.refs, n)
		}
	}
	for img := range images {
		for p := img.Parent; p != nil && images[p] == 0; p = p.Parent {
			images[p] = 0
		}
	}
	children := map[*Image]int32{}
	size := 0
	for img := range images {
		size += cap(img.buf)
		if img.Parent != nil {
			children[img.Parent]++
		}
	}
	if size != s.imageBytes {
		t.Errorf("images take %d bytes, counted %d", size, s.imageBytes)
	}
	for img, n := range images {
		if img.refs != n+children[img] {
			t.Errorf("image %s with %d references: %d threads and %d images hold it", img.Comm, img.refs, n, children[img])
		}
	}
}
