package wire

import (
	"context"
	"net"
	"sync"
	"time"
)

// Datagrams sends datagrams over UDP. Nobody tells whether one has arrived; only that nobody listens is told sometimes, when
// the next one is sent. Send returns that as an error, and the one that it was called with is not lost.
type Datagrams struct {
	address string
	since   time.Time

	mu   sync.Mutex // of what HangUp uses beside Send
	conn net.Conn
}

// resolveEvery is how often the name of the server is looked up anew: nothing else would show that it has moved.
const resolveEvery = time.Minute

// DialDatagrams looks an address of a host and a port up.
func DialDatagrams(ctx context.Context, address string) (*Datagrams, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	return &Datagrams{address: address, conn: conn, since: time.Now()}, nil
}

// Send sends a datagram.
func (d *Datagrams) Send(ctx context.Context, p []byte) error {
	if time.Since(d.since) > resolveEvery {
		fresh, err := (&net.Dialer{}).DialContext(ctx, "udp", d.address)
		if err != nil {
			return err
		}
		d.HangUp()
		d.mu.Lock()
		d.conn, d.since = fresh, time.Now()
		d.mu.Unlock()
	}
	_, err := d.conn.Write(p)
	return err
}

// HangUp closes the socket.
func (d *Datagrams) HangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.conn.Close() // nothing waits in it
}
