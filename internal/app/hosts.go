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
// never for an event, and again from time to time: learned is called with names whose addresses came later than patience
// allows, or changed. A name that cannot be looked up any more keeps its addresses.
type hosts struct {
	ctx     context.Context // ends the looking up
	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	learned func(hosts []string)
	asking  chan struct{} // has an element for each look-up that is under way

	mu      sync.Mutex
	known   map[string]*hostAnswer
	used    map[string]bool // names that were looked up since mark; nil before
	started time.Time       // when the first name was looked up
	news    []string        // names that learned is not called with yet
	telling bool            // a goroutine is calling learned
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
	// maxAsking bounds the look-ups at one time: each has sockets of its own.
	maxAsking = 64
	// A name is looked up again after retryHost; after a failure first, then after twice the time, up to refreshHost, and after
	// that time once it is known (Falco's times, falco-core.md §6.2).
	retryHost, refreshHost = 10 * time.Second, 320 * time.Second
)

// newHosts returns a resolver that asks the machine's name servers.
func newHosts(ctx context.Context, learned func(hosts []string)) *hosts {
	return &hosts{
		ctx: ctx, known: map[string]*hostAnswer{}, learned: learned, asking: make(chan struct{}, maxAsking),
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

// lookup returns the addresses of each host; none of one that cannot be resolved, or not yet.
func (h *hosts) lookup(names []string) [][]netip.Addr {
	h.mu.Lock()
	if h.started.IsZero() {
		h.started = time.Now()
	}
	late := time.After(patience - time.Since(h.started))
	answers := make([]*hostAnswer, len(names))
	for i, host := range names {
		if h.used != nil {
			h.used[host] = true
		}
		a := h.known[host]
		if a == nil {
			ctx, cancel := context.WithCancel(h.ctx)
			a = &hostAnswer{done: make(chan struct{}), end: cancel}
			h.known[host] = a
			go h.ask(ctx, host, a, retryHost)
		}
		answers[i] = a
	}
	h.mu.Unlock()
	for _, a := range answers {
		select {
		case <-a.done:
			continue
		case <-late:
		}
		break
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	addrs := make([][]netip.Addr, len(answers))
	for i, a := range answers {
		addrs[i] = a.addrs
	}
	return addrs
}

// ask looks one host up and sees to it that it is looked up again, after the given time if it fails, until the context is done.
func (h *hosts) ask(ctx context.Context, host string, a *hostAnswer, again time.Duration) {
	addrs, err := h.query(ctx, host)
	if ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	changed := err == nil && !slices.Equal(addrs, a.addrs)
	if changed {
		a.addrs = addrs
	}
	late := time.Since(h.started) >= patience
	h.mu.Unlock()
	first := true
	select {
	case <-a.done:
		first = false
	default:
		close(a.done)
	}
	if changed && (late || !first) {
		h.tell(host)
	}
	pause, next := refreshHost, retryHost
	if err != nil {
		pause, next = again, min(2*again, refreshHost)
	}
	time.AfterFunc(pause, func() { h.ask(ctx, host, a, next) }) // which does nothing once the context is done
}

// query asks for the addresses of a host once.
func (h *hosts) query(ctx context.Context, host string) ([]netip.Addr, error) {
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	if ctx.Err() != nil { // it may be done as well
		return nil, ctx.Err()
	}
	addrs, err := h.resolve(ctx, host)
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs, err
}

// tell calls learned with the host, together with others of which that is due.
func (h *hosts) tell(host string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.news = append(h.news, host)
	if h.telling {
		return
	}
	h.telling = true
	for len(h.news) > 0 {
		news := h.news
		h.news = nil
		h.mu.Unlock()
		h.learned(news)
		h.mu.Lock()
	}
	h.telling = false
}
