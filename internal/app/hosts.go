package app

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// hosts resolves the names of hosts that rules compare with (fd.sip.name). Names are looked up side by side when rules load,
// never for an event, and again from time to time: learned is called with a name whose addresses came later than patience
// allows, or changed. A name that cannot be looked up any more keeps its addresses.
type hosts struct {
	ctx     context.Context // ends the looking up
	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	learned func(host string)

	mu      sync.Mutex
	known   map[string]*hostAnswer
	used    map[string]bool // names that were looked up since mark; nil before
	started time.Time       // when the first name was looked up
}

// hostAnswer is what is known of a host; done is closed after it was looked up for the first time.
type hostAnswer struct {
	done  chan struct{}
	end   context.CancelFunc // ends the looking up
	addrs []netip.Addr       // sorted; guarded by the mu of hosts
}

const (
	// patience is how long all look-ups together may hold up the loading of rules.
	patience = 500 * time.Millisecond
	// hostTimeout ends a look-up.
	hostTimeout = 30 * time.Second
	// A name is looked up again after retryHost; after a failure first, then after twice the time, up to refreshHost, and after
	// that time once it is known (Falco's times, falco-core.md §6.2).
	retryHost, refreshHost = 10 * time.Second, 320 * time.Second
)

// newHosts returns a resolver that asks the machine's name servers.
func newHosts(ctx context.Context, learned func(host string)) *hosts {
	return &hosts{
		ctx: ctx, known: map[string]*hostAnswer{}, learned: learned,
		resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
	}
}

// mark begins to take note of the names that are used.
func (h *hosts) mark() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.used = map[string]bool{}
}

// sweep ends the looking up of the names that were not used since mark, and returns them.
func (h *hosts) sweep() (unused []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for host, a := range h.known {
		if !h.used[host] {
			a.end()
			delete(h.known, host)
			unused = append(unused, host)
		}
	}
	h.used = nil
	return unused
}

// lookup returns the addresses of a host; none when it cannot be resolved, or not yet.
func (h *hosts) lookup(host string) []netip.Addr {
	h.mu.Lock()
	if h.started.IsZero() {
		h.started = time.Now()
	}
	left := patience - time.Since(h.started)
	if h.used != nil {
		h.used[host] = true
	}
	a := h.known[host]
	if a == nil {
		ctx, cancel := context.WithCancel(h.ctx)
		a = &hostAnswer{done: make(chan struct{}), end: cancel}
		h.known[host] = a
		go h.ask(ctx, host, a)
	}
	h.mu.Unlock()
	if left > 0 {
		select {
		case <-a.done:
		case <-time.After(left):
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return a.addrs
}

// ask looks one host up, again and again until the context is done.
func (h *hosts) ask(ctx context.Context, host string, a *hostAnswer) {
	again := retryHost
	for first := true; ; first = false {
		addrs, err := h.query(ctx, host)
		h.mu.Lock()
		changed := err == nil && !slices.Equal(addrs, a.addrs)
		if changed {
			a.addrs = addrs
		}
		late := time.Since(h.started) > patience
		h.mu.Unlock()
		if first {
			close(a.done)
		}
		if changed && (late || !first) && ctx.Err() == nil {
			h.learned(host)
		}
		pause := refreshHost
		if err != nil {
			pause = again
			again = min(2*again, refreshHost)
		} else {
			again = retryHost
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// query asks for the addresses of a host once.
func (h *hosts) query(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	addrs, err := h.resolve(ctx, host)
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs, err
}
