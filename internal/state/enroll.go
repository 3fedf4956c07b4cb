package state

import "github.com/saker-sec/saker/internal/event"

// enroll adds a thread that was there before, with its descriptors, without linking it to its relatives.
func (s *State) enroll(p *event.Process) *Thread {
	if p.TID < 0 {
		s.stats.Undecodable++
		return nil
	}
	t := s.newThread(p.TID)
	t.PID, t.PTID = p.PID, p.PTID
	t.SID, t.VPGID, t.PGID = p.SID, p.VPGID, p.PGID
	t.VTID, t.VPID = p.VTID, p.VPID
	t.Comm = s.names.text(p.Comm)
	t.UID, t.GID, t.LoginUID, t.TTY = p.UID, p.GID, p.LoginUID, p.TTY
	t.CapInheritable, t.CapPermitted, t.CapEffective = p.CapInheritable, p.CapPermitted, p.CapEffective
	t.Flags |= p.Flags | FlagActive
	t.FDLimit = p.FDLimit
	t.PidnsInitStart, t.CloneTime = p.PidnsInitStart, p.CloneTime
	t.VMSize, t.VMRSS, t.VMSwap = p.VMSize, p.VMRSS, p.VMSwap
	t.PFMajor, t.PFMinor = p.PFMajor, p.PFMinor
	t.root = s.names.text(p.Root)
	s.scratch = joinNUL(s.scratch[:0], p.Cgroups)
	s.regroup(t, s.cgroups.parse(s.scratch))
	s.scratch = joinNUL(s.scratch[:0], p.Args)
	s.scratch2 = joinNUL(s.scratch2[:0], p.Env)
	img := s.newImage(p.Comm, p.Exe, withoutDeleted(p.ExePath), s.scratch, s.scratch2)
	img.ExeWritable, img.ExeUpperLayer = p.ExeWritable, p.ExeUpperLayer
	img.ExeLowerLayer, img.ExeFromMemfd = p.ExeLowerLayer, p.ExeFromMemfd
	img.ExeIno, img.ExeCtime, img.ExeMtime = p.ExeIno, p.ExeCtime, p.ExeMtime
	img.PID = p.PID
	s.setImage(t, img)
	if t.IsMain() {
		s.setCwd(t, event.View(closeDir(AppendPath(s.scratch[:0], "", p.Cwd))))
	}
	if t = s.insert(t); t == nil {
		return nil
	}
	for i := range p.FDs {
		s.enrollFD(t, &p.FDs[i])
	}
	return t
}

// settleNewcomers links the threads that AddProcess took over, and tells the sides of their sockets apart.
func (s *State) settleNewcomers() {
	for _, tid := range s.newcomer {
		if t := s.threads.get(tid); t != nil {
			s.place(t)
			if t.Flags&FlagClosed != 0 {
				t.kill() // it is listed for the other threads of its process
			}
		}
	}
	for _, tid := range s.newcomer {
		t := s.threads.get(tid)
		if t == nil {
			continue
		}
		s.traceImage(t, 0)
		t.fds.Each(func(fd int64, d *FD) bool {
			if d.Type == event.FDIPv4 {
				s.orient(d)
			}
			return true
		})
	}
	s.newcomer = s.newcomer[:0]
}

// traceImage links the image of a thread found at the start to that of its parent, and makes the threads of a process
// share one. A parent that runs the same program with the same arguments is taken to have forked, so that both descend
// from the same.
func (s *State) traceImage(t *Thread, depth int) {
	if m := t.Main(); m != nil && m != t {
		if m.Image != t.Image && m.Image.sameAs(t.Image) {
			s.shareImage(t, m.Image)
		}
		return
	}
	p := s.threads.get(t.PTID)
	if t.Image.Parent != nil || depth > maxLineage || p == nil || p.Image == t.Image {
		return
	}
	s.traceImage(p, depth+1)
	above := p.Image
	if above.sameAs(t.Image) {
		above = above.Parent
	}
	for a := above; a != nil; a = a.Parent {
		if a == t.Image {
			return // a loop of parents
		}
	}
	if t.Image.Parent == nil {
		s.linkParent(t.Image, above)
	}
}

// orient makes the owner of an IPv4 connection found at the start its server where somebody listens on its port, else
// its client. Falco leaves IPv6 connections without a side.
func (s *State) orient(d *FD) {
	if _, server := s.ports[d.Tuple.SPort]; !server {
		d.Flags |= FDRoleClient
		return
	}
	d.Tuple.swap()
	d.Flags |= FDRoleServer
	s.scratch = appendPair(s.scratch[:0], d)
	d.setNames(event.View(s.scratch), "")
}

// enrollFD opens a descriptor that was there before.
func (s *State) enrollFD(t *Thread, p *event.Descriptor) {
	d := s.free.fd()
	d.Type, d.Flags, d.Ino = p.Type, FDFromProc, p.Ino
	d.Tuple = Tuple{SIP: p.SIP, DIP: p.DIP, SPort: p.SPort, DPort: p.DPort, L4: p.L4}
	name := p.Name
	switch p.Type {
	case event.FDIPv4, event.FDIPv6:
		if p.Type == event.FDIPv6 && mapped(p.SIP[:]) && mapped(p.DIP[:]) {
			d.Type = event.FDIPv4
			d.Tuple.SIP, d.Tuple.DIP = unmap(p.SIP[:]), unmap(p.DIP[:])
		}
		if p.L4 == event.L4TCP {
			d.Flags |= FDConnected
		}
		if d.Type == event.FDIPv4 {
			s.ifaces.complete(d)
		}
		s.scratch = appendPair(s.scratch[:0], d)
		name = event.View(s.scratch)
	case event.FDIPv4Server, event.FDIPv6Server:
		if p.DIP == [16]byte{} && p.DPort == 0 {
			d.Tuple.DIP, d.Tuple.DPort = p.SIP, p.SPort
		}
		d.Tuple.SIP, d.Tuple.SPort = [16]byte{}, 0
		s.ports[d.Tuple.DPort] = struct{}{}
		s.scratch = appendEnd(s.scratch[:0], &d.Tuple.DIP, d.Tuple.DPort, p.Type == event.FDIPv6Server)
		name = event.View(s.scratch)
	case event.FDUnix:
		d.UnixSource, d.UnixPeer = p.UnixSource, p.UnixPeer
		d.Flags |= FDRoleServer
		if name == "" {
			d.Flags = d.Flags&^FDRoleServer | FDRoleClient
		}
	case event.FDFileV2:
		d.OpenFlags, d.Dev, d.MountID = p.OpenFlags, p.Dev, p.MountID
	}
	d.setNames(name, "")
	f := s.table(t)
	if f == nil {
		s.free.putFD(d)
		return
	}
	s.putFD(f, p.FD, d)
}

func joinNUL(b []byte, list []string) []byte {
	for i, x := range list {
		if i > 0 {
			b = append(b, 0)
		}
		b = append(b, x...)
	}
	if len(list) > 0 {
		b = append(b, 0)
	}
	return b
}

// closeDir makes a directory end in "/".
func closeDir(b []byte) []byte {
	if n := len(b); n == 0 || b[n-1] != '/' {
		return append(b, '/')
	}
	return b
}

// withoutDeleted cuts off what the kernel appends to the path of a removed executable.
func withoutDeleted(path string) string {
	const mark = " (deleted)"
	if n := len(path) - len(mark); n > 0 && path[n:] == mark {
		return path[:n]
	}
	return path
}
