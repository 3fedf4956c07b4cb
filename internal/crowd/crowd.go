// Package crowd bounds how many connections an HTTP server has open, so that whoever opens thousands can neither use up the memory nor keep
// others out.
package crowd

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// Crowd counts open connections. When there are too many, the one is closed that does the same for the longest time, be it that it has
// asked for nothing or that it is slow with a request: one that sends and gets its answer as others do is not that. A client whose idle
// connection is closed makes another.
type Crowd struct {
	limit int
	tell  func()

	mu    sync.Mutex
	order *list.List // of net.Conn, the one that has changed least lately first
	at    map[net.Conn]*list.Element
}

// New returns a crowd of limit connections at most. tell is called for each that is closed; it may be nil.
func New(limit int, tell func()) *Crowd {
	return &Crowd{limit: limit, tell: tell, order: list.New(), at: map[net.Conn]*list.Element{}}
}

// Changed is the server's ConnState.
func (c *Crowd) Changed(conn net.Conn, s http.ConnState) {
	first := c.count(conn, s)
	if first == nil {
		return
	}
	if c.tell != nil {
		c.tell()
	}
	if t, ok := first.(*tls.Conn); ok {
		first = t.NetConn() // closing the TLS connection would wait for a client that does not read
	}
	first.Close() // the server notices and drops it; an error would say that it is closed already
}

// count keeps the books and returns the connection to close, if any.
func (c *Crowd) count(conn net.Conn, s http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.at[conn]
	switch {
	case s == http.StateNew:
		c.at[conn] = c.order.PushBack(conn)
	case e == nil: // it was closed before
	case s == http.StateClosed || s == http.StateHijacked:
		c.order.Remove(e)
		delete(c.at, conn)
	default:
		c.order.MoveToBack(e)
	}
	if c.order.Len() <= c.limit {
		return nil
	}
	first := c.order.Remove(c.order.Front()).(net.Conn)
	delete(c.at, first)
	return first
}
