package ingest

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// crowd bounds the open connections. When there are too many, the one is closed that does the same for the longest time, be it that it has
// asked for nothing or that it is slow with a request: one that sends and gets its answer as senders do is not that. A sender whose idle
// connection is closed makes another.
type crowd struct {
	limit int
	tell  func() // that a connection is closed

	mu    sync.Mutex
	order *list.List // of net.Conn, the one that has changed least lately first
	at    map[net.Conn]*list.Element
}

func newCrowd(limit int, tell func()) *crowd {
	return &crowd{limit: limit, tell: tell, order: list.New(), at: map[net.Conn]*list.Element{}}
}

// changed is an http.Server's ConnState.
func (c *crowd) changed(conn net.Conn, s http.ConnState) {
	first := c.count(conn, s)
	if first == nil {
		return
	}
	c.tell()
	if t, ok := first.(*tls.Conn); ok {
		first = t.NetConn() // closing the TLS connection would wait for a client that does not read
	}
	first.Close() // the server notices and drops it; an error would say that it is closed already
}

// count keeps the books and returns the connection to close, if any.
func (c *crowd) count(conn net.Conn, s http.ConnState) net.Conn {
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
