package servertest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and a server. Frozen, it accepts connections and takes bytes, and passes nothing on.
type Proxy struct {
	Addr string

	listener net.Listener
	mu       sync.Mutex
	free     chan struct{} // closed when it is not frozen
	conns    map[net.Conn]bool
	over     bool
	running  sync.WaitGroup
}

// NewProxy starts a proxy in front of an address.
func NewProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), listener: l, free: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(p.free)
	p.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.serve(client, server) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		p.over = true
		p.mu.Unlock()
		p.Reset()
		p.Thaw()
		p.running.Wait()
	})
	return p
}

func (p *Proxy) serve(client net.Conn, server string) {
	if !p.keep(client) {
		return
	}
	<-p.gate()
	conn, err := net.Dial("tcp", server)
	if err != nil {
		client.Close()
		return
	}
	if !p.keep(conn) {
		client.Close()
		return
	}
	p.running.Go(func() { p.copy(conn, client) })
	p.copy(client, conn)
}

// keep notes a connection to be reset.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) gate() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.free
}

func (p *Proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		<-p.gate()
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil && err != io.EOF {
			return
		}
		if err != nil {
			return
		}
	}
}

// Freeze stops all traffic.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = make(chan struct{})
}

// Thaw lets traffic flow again.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.free:
	default:
		close(p.free)
	}
}

// Reset closes all connections.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
		delete(p.conns, c)
	}
}
