package web

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is a PEM file with a key and certificates. It is read again when it was changed, so that a renewed one is used
// without a restart.
type certificate struct {
	path string

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time
	size    int64
}

// current returns what the file holds. Where a changed file cannot be used, what was read before stays in use: the file may
// be half written.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.path)
	if err == nil && c.pair != nil && info.ModTime().Equal(c.changed) && info.Size() == c.size {
		return c.pair, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.path, c.path)
	}
	switch {
	case err == nil:
		c.pair, c.changed, c.size = &pair, info.ModTime(), info.Size()
	case c.pair == nil:
		return nil, fmt.Errorf("reading the key and the certificate from %s (webserver.ssl_certificate): %w", c.path, err)
	}
	return c.pair, nil
}
