package web

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// crowd bounds the open connections. When there are too many, the one that is open longest is closed: whoever opens
// thousands cannot keep a probe out that wants one answer, and cannot make us use more memory than a few hundred take.
type crowd struct {
	limit int

	mu    sync.Mutex
	order *list.List // of net.Conn, the oldest first
	at    map[net.Conn]*list.Element
}

func newCrowd(limit int) *crowd {
	return &crowd{limit: limit, order: list.New(), at: map[net.Conn]*list.Element{}}
}

// changed is an http.Server's ConnState.
func (c *crowd) changed(conn net.Conn, s http.ConnState) {
	oldest := c.count(conn, s)
	if t, ok := oldest.(*tls.Conn); ok {
		oldest = t.NetConn() // Closing the TLS connection would wait for a client that does not read.
	}
	if oldest != nil {
		oldest.Close() // The server notices and drops it; an error would say that it is closed already.
	}
}

// count keeps the books and returns the connection to close, if any.
func (c *crowd) count(conn net.Conn, s http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s {
	case http.StateNew:
		c.at[conn] = c.order.PushBack(conn)
	case http.StateClosed, http.StateHijacked:
		if e := c.at[conn]; e != nil {
			c.order.Remove(e)
			delete(c.at, conn)
		}
	}
	if c.order.Len() <= c.limit {
		return nil
	}
	first := c.order.Front()
	oldest := c.order.Remove(first).(net.Conn)
	delete(c.at, oldest)
	return oldest
}
