package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// lookup looks up one host.
func lookup(h *hosts, host string) []netip.Addr { return h.lookup([]string{host})[0] }

// TestHosts looks up a host that answers at once, one that takes long, and one that does not exist: loading waits half a second
// at most for all of them, and the slow answer comes later.
func TestHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		addr := netip.MustParseAddr("192.0.2.1")
		var learned []string
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		h := newHosts(ctx, func(hosts []string) { learned = append(learned, hosts...) })
		h.resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			switch host {
			case "fast":
				return []netip.Addr{addr}, nil
			case "slow":
				<-time.After(3 * time.Second)
				return []netip.Addr{addr}, nil
			}
			return nil, errors.New("no such host")
		}
		begin := time.Now()
		if got := lookup(h, "fast"); len(got) != 1 || got[0] != addr {
			t.Errorf("fast: %v", got)
		}
		for _, host := range []string{"slow", "none", "slow", "other"} {
			if got := lookup(h, host); len(got) != 0 {
				t.Errorf("%s: %v", host, got)
			}
		}
		if took := time.Since(begin); took > patience {
			t.Errorf("loading was held up for %v", took)
		}
		<-time.After(4 * time.Second)
		synctest.Wait()
		if len(learned) != 1 || learned[0] != "slow" {
			t.Errorf("learned later: %v", learned)
		}
		if got := lookup(h, "slow"); len(got) != 1 {
			t.Errorf("slow, asked again: %v", got)
		}
	})
}

// TestHostsAgain looks up a host that is not known at first, then moves, and then cannot be looked up any more.
func TestHostsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var learned int
		h := newHosts(ctx, func([]string) { learned++ })
		first, second := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		asked := 0
		h.resolve = func(context.Context, string) ([]netip.Addr, error) {
			switch asked++; asked {
			case 3: // after 10 s and 20 s
				return []netip.Addr{first}, nil
			case 4:
				return []netip.Addr{second, first}, nil
			}
			return nil, errors.New("no such host")
		}
		if got := lookup(h, "x"); len(got) != 0 {
			t.Errorf("at first: %v", got)
		}
		for _, step := range []struct {
			after time.Duration
			want  []netip.Addr
		}{
			{29 * time.Second, nil},
			{2 * time.Second, []netip.Addr{first}},
			{refreshHost, []netip.Addr{first, second}},
			{10 * refreshHost, []netip.Addr{first, second}},
		} {
			<-time.After(step.after)
			synctest.Wait()
			if got := lookup(h, "x"); !slices.Equal(got, step.want) {
				t.Errorf("after %v: %v, want %v", step.after, got, step.want)
			}
		}
		if learned != 2 {
			t.Errorf("learned %d times, want 2", learned)
		}
		if asked < 10 || asked > 20 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// TestHostsForgotten ends the looking up of a host that the rules do not name any more.
func TestHostsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		h := newHosts(ctx, func([]string) {})
		asked := map[string]int{}
		h.resolve = func(_ context.Context, host string) ([]netip.Addr, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			asked[host]++
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		}
		lookup(h, "old")
		lookup(h, "both")
		h.mark()
		lookup(h, "both")
		lookup(h, "new")
		if unused := h.sweep(); !slices.Equal(unused, []string{"old"}) {
			t.Errorf("not used are %v", unused)
		}
		<-time.After(10 * refreshHost)
		synctest.Wait()
		if asked["old"] != 1 || asked["both"] < 10 || asked["new"] < 10 {
			t.Errorf("asked %v times", asked)
		}
	})
}

// TestManyHosts looks up many hosts that take a second each: no more than maxAsking at a time, loading does not wait for all, and what comes
// late is told together where it comes together.
func TestManyHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		const n = 1000
		var told, calls int
		h := newHosts(ctx, func(hosts []string) {
			told, calls = told+len(hosts), calls+1
			<-time.After(100 * time.Millisecond) // as a large catalogue takes time
		})
		var asking, most int
		h.resolve = func(context.Context, string) ([]netip.Addr, error) {
			h.mu.Lock()
			asking++
			most = max(most, asking)
			h.mu.Unlock()
			<-time.After(time.Second)
			h.mu.Lock()
			defer h.mu.Unlock()
			asking--
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		}
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprint("host", i)
		}
		begin := time.Now()
		if got := h.lookup(names); len(got) != n {
			t.Errorf("%d answers", len(got))
		}
		if took := time.Since(begin); took > patience {
			t.Errorf("loading was held up for %v", took)
		}
		<-time.After(30 * time.Second)
		synctest.Wait()
		if most != maxAsking || told != n || calls > 2*(n/maxAsking+1) {
			t.Errorf("%d at a time, %d told in %d calls", most, told, calls)
		}
	})
}
