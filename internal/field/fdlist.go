package field

import (
	"encoding/binary"
	"strconv"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

// descriptorList is the class of fields that describe the descriptors of a poll.
func descriptorList() *Class {
	return &Class{
		Name:   "fdlist",
		Doc:    "The descriptors that poll and ppoll wait for.",
		Source: "syscall",
		Fields: []Field{
			{
				Name: "fdlist.nums", Type: CHARBUF, Doc: "Numbers of the descriptors, separated by commas.",
				Bind: polled(func(dst []byte, fd int64, _ *state.FD) ([]byte, bool) {
					return strconv.AppendInt(dst, fd, 10), true
				}),
			},
			{
				Name: "fdlist.names", Type: CHARBUF, Doc: "fd.name of the descriptors, separated by commas.",
				Bind: polled(func(dst []byte, _ int64, d *state.FD) ([]byte, bool) {
					if d == nil || d.Name == "" {
						return append(dst, "<NA>"...), true
					}
					return append(dst, d.Name...), true
				}),
			},
			{
				Name: "fdlist.cips", Type: CHARBUF, Doc: "Addresses of the clients of the connections, separated by commas.",
				Bind: polled(endAddress(true)),
			},
			{
				Name: "fdlist.sips", Type: CHARBUF, Doc: "Addresses of the servers of the connections, separated by commas.",
				Bind: polled(endAddress(false)),
			},
			{
				Name: "fdlist.cports", Type: CHARBUF, Doc: "Ports of the clients of the connections, separated by commas.",
				Bind: polled(endPort(true)),
			},
			{
				Name: "fdlist.sports", Type: CHARBUF, Doc: "Ports of the servers of the connections, separated by commas.",
				Bind: polled(endPort(false)),
			},
		},
	}
}

func isConnection(d *state.FD) bool {
	return d != nil && (d.Type == event.FDIPv4 || d.Type == event.FDIPv6)
}

// A pollText appends a text of one of the descriptors of a poll; d is nil when nothing is known of it. It may refuse.
type pollText = func(dst []byte, fd int64, d *state.FD) ([]byte, bool)

// endAddress appends the address of the client (source) or server; a listening socket has only that of the server.
func endAddress(source bool) pollText {
	return func(dst []byte, _ int64, d *state.FD) ([]byte, bool) {
		if d == nil || !isInet(d) || source && !isConnection(d) {
			return dst, false
		}
		return appendAddr(dst, []byte(address(d, source))), true
	}
}

// endPort appends the port of the client (source) or server of a connection.
func endPort(source bool) pollText {
	return func(dst []byte, _ int64, d *state.FD) ([]byte, bool) {
		if !isConnection(d) {
			return dst, false
		}
		return strconv.AppendUint(dst, port(d, source), 10), true
	}
}

// polled is the Bind of a list of texts of the descriptors of a poll. f may leave one out.
func polled(f pollText) binder {
	return built(costLong, func(c *state.Ctx, dst []byte) ([]byte, bool) {
		if c.Event.Code != event.SyscallPollX && c.Event.Code != event.SyscallPpollX || c.Thread == nil {
			return dst, false
		}
		start := len(dst)
		for e := fdEntries(c.Event.Param(1)); len(e) >= fdEntry; e = e[fdEntry:] {
			fd := int64(binary.LittleEndian.Uint64(e))
			before := len(dst)
			if before > start {
				dst = append(dst, ',')
			}
			var ok bool
			if dst, ok = f(dst, fd, lookup(c.Thread, fd)); !ok {
				dst = dst[:before]
			}
		}
		return dst, len(dst) > start
	})
}
