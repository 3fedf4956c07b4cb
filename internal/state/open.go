package state

import "github.com/saker-sec/saker/internal/event"

// openCall is what the open family has in common.
type openCall struct {
	name  string
	flags uint32
	dirfd int64
	dev   uint32
	ino   uint64
	bad   bool // the directory is not known from the event
}

// addedFlags are the open flags that the driver adds at exit, whatever was asked for at enter.
const addedFlags = ^uint32(openCreated - 1)

// onOpen opens a file. Name and flags are those seen when the call began, where that was seen.
func (s *State) onOpen(c *Ctx, e *event.Event) {
	t := c.Thread
	if t == nil {
		return
	}
	o := openParams(e)
	if e.Code != event.SyscallOpenByHandleAtX {
		if enter := s.entered(t, e.Code); enter != nil {
			if o.override(enter) {
				c.Raced = true
				s.stats.Raced++
			}
		}
	}
	fd, ok := e.Int(0)
	if ok && fd >= 0 {
		dir := ""
		if !o.bad {
			dir = s.dirOf(t, o.dirfd, o.name)
		}
		s.scratch = AppendPath(s.scratch[:0], dir, o.name)
		if len(s.scratch) >= MaxPath {
			s.stats.TruncatedPaths++
		}
		d := s.free.fd()
		d.Type = event.FDFileV2
		if o.flags&openDirectory != 0 {
			d.Type = event.FDDirectory
		}
		d.OpenFlags, d.Dev, d.Ino = o.flags, o.dev, o.ino
		if o.flags&openUpperLayer != 0 {
			d.Flags |= FDOverlayUpper
		}
		if o.flags&openLowerLayer != 0 {
			d.Flags |= FDOverlayLower
		}
		d.setNames(event.View(s.scratch), o.name)
		c.FD = s.addFD(c, fd, d)
		c.NameChanged = c.FD != nil && d.Name != ""
	}
	s.forget(t)
}

// openParams reads an exit event of the open family.
func openParams(e *event.Event) openCall {
	o := openCall{dirfd: AtFDCWD}
	at := func(dev int) {
		o.dev, o.ino = number[uint32](e, dev), number[uint64](e, dev+1)
		if len(e.Param(dev+1)) == 0 && (e.Code == event.SyscallOpenatV2X || e.Code == event.SyscallOpenat2X) {
			o.dev = 0 // Falco takes both or neither here
		}
	}
	switch e.Code {
	case event.SyscallOpenX:
		o.name = text(e, 1)
		o.flags = number[uint32](e, 2)
		at(4)
	case event.SyscallCreatX:
		o.name = text(e, 1)
		at(3)
		switch layer := number[uint16](e, 5); {
		case layer&1 != 0:
			o.flags = openUpperLayer
		case layer&2 != 0:
			o.flags = openLowerLayer
		}
	case event.SyscallOpenatV2X, event.SyscallOpenat2X:
		o.name = text(e, 2)
		o.flags = number[uint32](e, 3)
		dirfd, ok := e.Int(1)
		o.dirfd, o.bad = dirfd, !ok
		if e.Code == event.SyscallOpenat2X {
			at(6)
		} else {
			at(5)
		}
	case event.SyscallOpenByHandleAtX:
		o.flags = number[uint32](e, 2)
		o.name = text(e, 3)
		o.bad = true
		at(4)
	}
	return o
}

// override replaces what the exit event says by what the enter event said, which the caller cannot have changed since.
// It reports whether the two disagree on the path.
func (o *openCall) override(enter *event.Event) bool {
	at := 0
	if enter.Code == event.SyscallOpenatV2E || enter.Code == event.SyscallOpenat2E {
		at = 1
	}
	name := text(enter, at)
	if name == "<NA>" {
		return false
	}
	raced := o.name != name && o.name != "<NA>"
	o.name = name
	if enter.Code == event.SyscallCreatE {
		return raced
	}
	o.flags = number[uint32](enter, at+1) | o.flags&addedFlags
	if at == 1 {
		if dirfd, ok := enter.Int(0); ok {
			o.dirfd, o.bad = dirfd, false
		} else {
			o.bad = true
		}
	}
	return raced
}

// text returns a text parameter, "<NA>" for one that is missing. Old captures have "(NULL)" where the driver could not
// read it.
func text(e *event.Event, i int) string {
	s, ok := e.Text(i)
	if !ok || s == "(NULL)" {
		return "<NA>"
	}
	return s
}
