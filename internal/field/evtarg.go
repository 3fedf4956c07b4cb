package field

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

// The address families of SOCKADDR and SOCKTUPLE parameters (scap-format.md §7).
const (
	familyUnix  = 1
	familyInet  = 2
	familyInet6 = 10
)

// An argument is one parameter of an event as evt.args prints it: the value itself, and what it stands for where that says
// more ("3" and "<f>/etc/passwd"). The memory is reused for the next parameter.
type argument struct {
	raw      []byte
	resolved []byte
}

// text is what evt.arg gives: what the value stands for, or else the value.
func (a *argument) text() string {
	if len(a.resolved) > 0 {
		return event.View(a.resolved)
	}
	return event.View(a.raw)
}

// render renders parameter i of the event, which the event carries.
func (a *argument) render(c *state.Ctx, i int) {
	a.raw, a.resolved = a.raw[:0], a.resolved[:0]
	t := c.Event.Type()
	if i >= len(t.Params) {
		return
	}
	p := &t.Params[i]
	data := c.Event.Param(i)
	if len(data) == 0 {
		a.raw = append(a.raw, missing(p.Type)...)
		return
	}
	format := p.Format
	if p.Type == event.TypeDyn && int(data[0]) < len(p.Dyn) {
		p, data = &p.Dyn[data[0]], data[1:]
	}
	switch p.Type {
	case event.TypeCharbuf:
		a.raw = append(a.raw, cString(data)...)
	case event.TypeFspath, event.TypeFsrelpath:
		a.path(c, p, cString(data))
	case event.TypeBytebuf:
		a.raw = appendDots(a.raw, data)
	case event.TypeCharbufarray:
		a.raw = append(a.raw, bytes.TrimSuffix(data, []byte{0})...)
		for j := range a.raw {
			if a.raw[j] == 0 {
				a.raw[j] = '.'
			}
		}
	case event.TypeSockaddr:
		a.raw = appendSockaddr(a.raw, data)
	case event.TypeSocktuple:
		a.raw = appendSocktuple(a.raw, data)
	case event.TypeFdlist:
		a.raw = appendFDList(a.raw, c, data)
	default:
		a.number(c, p, format, data)
	}
}

// missing is what a parameter of length 0 prints as.
func missing(t event.ParamType) string {
	switch t {
	case event.TypeBytebuf, event.TypeSocktuple, event.TypeFdlist, event.TypeCharbufarray, event.TypeCharbufPairArray,
		event.TypeDyn:
		return "NULL"
	}
	return "<NA>"
}

// number renders a parameter of a numeric type.
func (a *argument) number(c *state.Ctx, p *event.Param, format event.Format, data []byte) {
	v, ok := decodeNumber(p.Type, data)
	if !ok {
		a.raw = append(a.raw, "<NA>"...)
		return
	}
	switch p.Type {
	case event.TypeInt8, event.TypeInt16, event.TypeInt32:
		if format == event.FormatHex || format == event.FormatOct {
			v = uint64(uint32(v))
		}
		a.raw = appendSigned(a.raw, int64(v), format)
	case event.TypeInt64:
		a.raw = appendSigned(a.raw, int64(v), format)
	case event.TypeUint8, event.TypeUint16:
		a.raw = appendUnsigned(a.raw, v, format)
	case event.TypeUint32:
		if format == event.FormatDec || format == event.FormatNa {
			v = uint64(int32(v)) // decimals print as signed, as in Falco
		}
		a.raw = appendSigned(a.raw, int64(v), format)
	case event.TypeUint64:
		a.raw = appendSigned(a.raw, int64(v), format)
	case event.TypeFd:
		a.descriptor(c, int64(v))
	case event.TypePid:
		a.raw = strconv.AppendInt(a.raw, int64(v), 10)
		if t := c.State.Thread(int64(v)); t != nil {
			a.resolved = append(a.resolved, t.Comm...)
		}
	case event.TypeErrno:
		a.raw = strconv.AppendInt(a.raw, int64(v), 10)
		if int64(v) < 0 {
			a.resolved = append(a.resolved, errnoName(int64(v))...)
		}
	case event.TypeFlags8, event.TypeFlags16, event.TypeFlags32:
		a.raw = strconv.AppendUint(a.raw, v, 10)
		a.resolved = appendFlags(a.resolved, p.Flags, v)
	case event.TypeEnumflags8, event.TypeEnumflags16, event.TypeEnumflags32:
		a.raw = strconv.AppendUint(a.raw, v, 10)
		a.resolved = appendEnum(a.resolved, p.Flags, v)
	case event.TypeMode:
		a.raw = appendUnsigned(a.raw, v, format)
		a.resolved = appendMode(a.resolved, p.Flags, v)
	case event.TypeUid:
		a.account(c, uint32(v), userName)
	case event.TypeGid:
		a.account(c, uint32(v), groupName)
	case event.TypeSyscallid:
		a.syscall(v)
	case event.TypeSigtype:
		a.raw = strconv.AppendUint(a.raw, v, 10)
		a.resolved = append(a.resolved, signalName(v)...)
	case event.TypeSigset:
		a.raw = appendSignals(a.raw, v)
	case event.TypeReltime:
		if v == 1<<64-1 {
			a.raw = append(a.raw, "none"...)
			return
		}
		a.raw = strconv.AppendUint(a.raw, v, 10)
		a.resolved = append(strconv.AppendFloat(a.resolved, float64(v)/1e9, 'g', 6, 64), 's')
	case event.TypeAbstime:
		a.raw = time.Unix(0, int64(v)).AppendFormat(a.raw, "2006-01-02 15:04:05.000000000")
	default:
		a.raw = append(a.raw, "(n.a.)"...)
	}
}

// decodeNumber decodes a number of the type: sign-extended when the type is signed. It reports false for a length that
// no number has.
func decodeNumber(t event.ParamType, b []byte) (uint64, bool) {
	switch len(b) {
	case 8:
		return binary.LittleEndian.Uint64(b), true
	case 4:
		v := binary.LittleEndian.Uint32(b)
		if isSigned(t) {
			return uint64(int32(v)), true
		}
		return uint64(v), true
	case 2:
		v := binary.LittleEndian.Uint16(b)
		if isSigned(t) {
			return uint64(int16(v)), true
		}
		return uint64(v), true
	case 1:
		if isSigned(t) {
			return uint64(int8(b[0])), true
		}
		return uint64(b[0]), true
	}
	return 0, false
}

func isSigned(t event.ParamType) bool {
	switch t {
	case event.TypeInt8, event.TypeInt16, event.TypeInt32, event.TypeInt64, event.TypeErrno, event.TypeFd,
		event.TypePid, event.TypeFd32, event.TypePid32:
		return true
	}
	return false
}

func appendSigned(dst []byte, v int64, f event.Format) []byte {
	switch f {
	case event.FormatHex, event.FormatOct:
		return appendUnsigned(dst, uint64(v), f)
	}
	return strconv.AppendInt(dst, v, 10)
}

// appendUnsigned appends a number as its format says: hexadecimal in capitals without prefix, octal with a leading 0.
func appendUnsigned(dst []byte, v uint64, f event.Format) []byte {
	switch f {
	case event.FormatHex:
		return appendHex(dst, v)
	case event.FormatOct:
		if v != 0 {
			dst = append(dst, '0')
		}
		return strconv.AppendUint(dst, v, 8)
	}
	return strconv.AppendUint(dst, v, 10)
}

func appendHex(dst []byte, v uint64) []byte {
	start := len(dst)
	dst = strconv.AppendUint(dst, v, 16)
	for i := start; i < len(dst); i++ {
		if dst[i] >= 'a' {
			dst[i] -= 'a' - 'A'
		}
	}
	return dst
}

// path renders a path, and resolves it against its directory if it is relative.
func (a *argument) path(c *state.Ctx, p *event.Param, path string) {
	a.raw = append(a.raw, path...)
	if c.Thread == nil || path == "" || path[0] == '/' || path == "<NA>" {
		return
	}
	a.resolved = state.AppendPath(a.resolved, baseDir(c, p), path)
}

// baseDir returns what a relative path of the parameter is relative to, "" when nothing is known of that directory.
func baseDir(c *state.Ctx, p *event.Param) string {
	if p.Type == event.TypeFsrelpath {
		if fd, ok := c.Event.Int(p.DirFD); ok && fd != state.AtFDCWD {
			if f := lookup(c.Thread, fd); f != nil {
				return f.Name
			}
			return ""
		}
	}
	return c.Thread.Cwd()
}

// descriptor renders a descriptor: its letters and name where it is open.
func (a *argument) descriptor(c *state.Ctx, fd int64) {
	a.raw = strconv.AppendInt(a.raw, fd, 10)
	switch {
	case c.Thread == nil:
	case fd == state.AtFDCWD:
		a.resolved = append(a.resolved, "AT_FDCWD"...)
	case fd < 0:
		a.resolved = append(a.resolved, errnoName(fd)...)
	default:
		f := lookup(c.Thread, fd)
		if f == nil {
			return
		}
		a.resolved = append(a.resolved, '<', f.TypeChar())
		switch f.L4() {
		case event.L4TCP:
			a.resolved = append(a.resolved, 't')
		case event.L4UDP:
			a.resolved = append(a.resolved, 'u')
		case event.L4ICMP:
			a.resolved = append(a.resolved, 'i')
		case event.L4Raw:
			a.resolved = append(a.resolved, 'r')
		}
		a.resolved = append(append(a.resolved, '>'), f.Name...)
	}
}

// account renders a user or group id with its name.
func (a *argument) account(c *state.Ctx, id uint32, name func(c *state.Ctx, id uint32) (string, bool)) {
	if id == noID {
		a.raw = append(a.raw, "-1"...)
		a.resolved = append(a.resolved, "<NONE>"...)
		return
	}
	a.raw = strconv.AppendInt(a.raw, int64(int32(id)), 10)
	n := ""
	if c.Thread != nil {
		n, _ = name(c, id)
	}
	if n == "" {
		n = "<NA>"
	}
	a.resolved = append(a.resolved, n...)
}

// noID is the user or group id that stands for none.
const noID = 1<<32 - 1

func (a *argument) syscall(sc uint64) {
	calls := event.Syscalls()
	if sc >= uint64(len(calls)) {
		a.raw = append(a.raw, "<unknown syscall>"...)
		return
	}
	a.raw = strconv.AppendUint(a.raw, sc, 10)
	name := calls[sc].Name
	if name == "" {
		name = "unknown"
	}
	a.resolved = append(a.resolved, name...)
}

// appendFlags appends the names of the bits that are set, in the order of the table; a name may cover several bits
// (O_RDWR), which are not named again then. Zero has a name only where the table gives it one.
func appendFlags(dst []byte, table *event.FlagTable, v uint64) []byte {
	if table == nil {
		return dst
	}
	start, left := len(dst), v
	for i := range table.Symbols {
		s := &table.Symbols[i]
		if s.Value == 0 && v != 0 || s.Value != 0 && (left == 0 || left&s.Value != s.Value) {
			continue
		}
		left &^= s.Value
		dst = appendSymbol(dst, start, s.Name)
		if s.Value == v {
			break
		}
	}
	return dst
}

// appendEnum appends the names of the value; it may have several (AF_LOCAL and AF_UNIX).
func appendEnum(dst []byte, table *event.FlagTable, v uint64) []byte {
	if table == nil {
		return dst
	}
	start := len(dst)
	for i := range table.Symbols {
		if s := &table.Symbols[i]; s.Value == v {
			dst = appendSymbol(dst, start, s.Name)
		}
	}
	return dst
}

// appendMode appends the names of the mode's bits. A name that stands for the whole value ends the list.
func appendMode(dst []byte, table *event.FlagTable, v uint64) []byte {
	if table == nil {
		return dst
	}
	start, left := len(dst), v
	for i := range table.Symbols {
		s := &table.Symbols[i]
		if s.Value == v {
			return appendSymbol(dst, start, s.Name)
		}
		if s.Value != 0 && left != 0 && left&s.Value == s.Value {
			dst = appendSymbol(dst, start, s.Name)
			left &^= s.Value
		}
	}
	return dst
}

func appendSymbol(dst []byte, start int, name string) []byte {
	if len(dst) > start {
		dst = append(dst, '|')
	}
	return append(dst, name...)
}

// appendSignals appends the names of the signals of a set, separated by blanks; bit 0 is signal 1.
func appendSignals(dst []byte, set uint64) []byte {
	start := len(dst)
	for n := uint64(1); n < uint64(len(signalNames)); n++ {
		if set&(1<<(n-1)) == 0 {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		dst = append(dst, signalNames[n]...)
	}
	return dst
}

// appendDots appends bytes as text, with a dot for all that is not printable ASCII.
func appendDots(dst, data []byte) []byte {
	for _, b := range data {
		if b < 0x20 || b > 0x7e {
			b = '.'
		}
		dst = append(dst, b)
	}
	return dst
}

// appendSockaddr appends an address: the path of a Unix socket, address:port of the others.
func appendSockaddr(dst, data []byte) []byte {
	switch data[0] {
	case familyUnix:
		return append(dst, cString(data[1:])...)
	case familyInet:
		if len(data) < 7 {
			return append(dst, "INVALID IPv4"...)
		}
		return appendEndpoint(dst, data[1:5], data[5:])
	case familyInet6:
		if len(data) < 19 {
			return append(dst, "INVALID IPv6"...)
		}
		return appendEndpoint(dst, data[1:17], data[17:])
	}
	return strconv.AppendUint(append(dst, "family "...), uint64(data[0]), 10)
}

// appendSocktuple appends the two ends of a connection, source first. IPv4 addresses mapped to IPv6 print as IPv4.
func appendSocktuple(dst, data []byte) []byte {
	switch data[0] {
	case familyUnix:
		if len(data) < 18 {
			return append(dst, "INVALID PATH"...)
		}
		dst = strconv.AppendUint(dst, binary.LittleEndian.Uint64(data[1:]), 16)
		dst = strconv.AppendUint(append(dst, "->"...), binary.LittleEndian.Uint64(data[9:]), 16)
		return append(append(dst, ' '), cString(data[17:])...)
	case familyInet:
		if len(data) < 13 {
			return append(dst, "INVALID IPv4"...)
		}
		dst = appendEndpoint(dst, data[1:5], data[5:])
		return appendEndpoint(append(dst, "->"...), data[7:11], data[11:])
	case familyInet6:
		if len(data) < 37 {
			return append(dst, "INVALID IPv6"...)
		}
		from, to := data[1:17], data[19:35]
		if isMapped(from) && isMapped(to) {
			from, to = from[12:], to[12:]
		}
		dst = appendEndpoint(dst, from, data[17:])
		return appendEndpoint(append(dst, "->"...), to, data[35:])
	}
	return strconv.AppendUint(append(dst, "family "...), uint64(data[0]), 10)
}

// isMapped says whether an IPv6 address stands for an IPv4 one, as ::ffff:a.b.c.d and the unspecified address do.
func isMapped(a []byte) bool {
	for _, b := range a[:10] {
		if b != 0 {
			return false
		}
	}
	return a[10] == 0xff && a[11] == 0xff || binary.BigEndian.Uint16(a[10:]) == 0 && binary.BigEndian.Uint32(a[12:]) == 0
}

// appendEndpoint appends address:port. Falco puts no brackets round IPv6 addresses.
func appendEndpoint(dst, addr, port []byte) []byte {
	dst = appendAddr(dst, addr)
	return strconv.AppendUint(append(dst, ':'), uint64(binary.LittleEndian.Uint16(port)), 10)
}

// appendAddr appends an address of 4 or 16 bytes.
func appendAddr(dst, addr []byte) []byte {
	if len(addr) == 4 {
		return netip.AddrFrom4([4]byte(addr)).AppendTo(dst)
	}
	return netip.AddrFrom16([16]byte(addr)).AppendTo(dst)
}

// fdEntry is the size of an entry of a descriptor list: the descriptor (8 bytes) and its poll flags (2 bytes).
const fdEntry = 10

// fdEntries returns the entries of a descriptor list that the data really holds.
func fdEntries(data []byte) []byte {
	if len(data) < 2 {
		return nil
	}
	n := int(binary.LittleEndian.Uint16(data)) * fdEntry
	return data[2 : 2+min(n, (len(data)-2)/fdEntry*fdEntry)]
}

// appendFDList appends descriptor:letter and flags for each descriptor of a poll.
func appendFDList(dst []byte, c *state.Ctx, data []byte) []byte {
	start := len(dst)
	for e := fdEntries(data); len(e) >= fdEntry; e = e[fdEntry:] {
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		fd := int64(binary.LittleEndian.Uint64(e))
		letter := byte('?')
		if f := lookup(c.Thread, fd); f != nil {
			letter = f.TypeChar()
		}
		dst = append(strconv.AppendUint(dst, uint64(fd), 10), ':', letter) // a negative one, too
		dst = strconv.AppendUint(dst, uint64(uint32(int16(binary.LittleEndian.Uint16(e[8:])))), 16)
	}
	return dst
}

// cString returns data up to its first NUL.
func cString(data []byte) string {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		data = data[:i]
	}
	return event.View(data)
}

// lookup returns a descriptor of the thread's process, nil if it is not open or the thread is unknown.
func lookup(t *state.Thread, fd int64) *state.FD {
	if t == nil {
		return nil
	}
	return t.FDs().Get(fd)
}
