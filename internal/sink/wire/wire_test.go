package wire_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// peer counts what becomes of connections.
type peer struct {
	dialled, hung int
	fail          error
}

func (p *peer) link() *wire.Link[int] {
	return wire.New(wire.Config{Name: "pigeon", Where: "loft:1", Secrets: []string{"s3cret"}, Timeout: time.Minute}, func(context.Context) (int, error) {
		p.dialled++
		return p.dialled, p.fail
	}, func(int) { p.hung++ })
}

// TestLink keeps a connection over what is refused for good, and makes another after anything else.
func TestLink(t *testing.T) {
	p := &peer{}
	l := p.link()
	use := func(err error) error {
		return l.Do(t.Context(), func(_ context.Context, conn int) error {
			if conn != p.dialled {
				t.Errorf("connection %d is used, %d was made last", conn, p.dialled)
			}
			return err
		})
	}
	steps := []struct {
		err            error
		dialled, hung  int
		permanent, nil bool
	}{
		{nil, 1, 0, false, true},
		{wire.Oversized(10, 5), 1, 0, true, false},
		{nil, 1, 0, false, true},
		{errors.New("broken with s3cret\n\tin it"), 1, 1, false, false},
		{nil, 2, 1, false, true},
	}
	for i, s := range steps {
		err := use(s.err)
		if (err == nil) != s.nil || route.Permanent(err) != s.permanent || p.dialled != s.dialled || p.hung != s.hung {
			t.Errorf("step %d: %v, %+v", i, err, p)
		}
		if err != nil && (strings.Contains(err.Error(), "s3cret") || !strings.HasPrefix(err.Error(), "pigeon: sending to loft:1: ") || !errors.Is(err, s.err)) {
			t.Errorf("step %d: %v", i, err)
		}
	}
	byes := 0
	l.Bye = func(_ context.Context, conn int) {
		if byes++; conn != 2 || p.hung != 1 {
			t.Errorf("good-bye to connection %d, %+v", conn, p)
		}
	}
	for range 2 {
		if err := l.Close(t.Context()); err != nil || p.hung != 2 || byes != 1 {
			t.Errorf("%v, %d good-byes, %+v", err, byes, p)
		}
	}
	p.fail = errors.New("nobody there")
	if err := use(nil); err == nil || route.Permanent(err) || err.Error() != "pigeon: sending to loft:1: nobody there" {
		t.Error(err)
	}
}

// TestEach gives each alert its own error.
func TestEach(t *testing.T) {
	p := &peer{}
	errs := p.link().DoAll(t.Context(), 3, func(context.Context, int) []error {
		return []error{nil, wire.Refuse("too blue"), nil}
	})
	if len(errs) != 3 || errs[0] != nil || !route.Permanent(errs[1]) || errs[2] != nil || p.hung != 0 {
		t.Errorf("%v, %+v", errs, p)
	}
}

// TestTime ends what does not look at its context, and who waits for the connection meanwhile.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		l := wire.New(wire.Config{Name: "pigeon", Where: "loft:1"}, func(context.Context) (int, error) { return 0, nil }, func(int) {
			select {
			case <-hung:
			default:
				close(hung)
			}
		})
		done := make(chan error)
		go func() {
			done <- l.Do(t.Context(), func(context.Context, int) error {
				<-hung
				return errors.New("connection closed")
			})
		}()
		synctest.Wait()
		over, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Do(over, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := l.Close(over); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		begin := time.Now()
		if err := <-done; err == nil || !strings.HasSuffix(err.Error(), "no answer within 10s") {
			t.Error(err)
		}
		if d := time.Since(begin); d != 9*time.Second {
			t.Errorf("it has taken %v more", d)
		}
	})
}

// late is a context whose time is over and which does not know it yet.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }

// TestLate fails because the time is over, and says so, whatever the connection says.
func TestLate(t *testing.T) {
	err := (&peer{}).link().Do(late{t.Context()}, func(context.Context, int) error { return errors.New("i/o timeout") })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	list, err := wire.Addresses("pigeon", " a:1 , air://user:s3cret@[::1]:2, air://tok3n@c?key=val1", "air")
	if err != nil {
		t.Fatal(err)
	}
	if got := wire.Where(list); got != "air://a:1,air://[::1]:2,air://c" {
		t.Error(got)
	}
	if got := strings.Join(wire.Secrets(list), " "); got != "user:s3cret s3cret tok3n  tok3n val1" {
		t.Error(got)
	}
	if got := wire.WithPort(list[2], "3") + " " + wire.WithPort(list[1], "3"); got != "c:3 [::1]:2" {
		t.Error(got)
	}
	for _, bad := range []string{"", " , ", "sea://s3cret", "air://", "air://s3cret:x", "a:1,%zz"} {
		if _, err := wire.Addresses("pigeon", bad, "air"); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.HasPrefix(err.Error(), "pigeon: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestID(t *testing.T) {
	a, b := &alert.Alert{Rule: "a"}, &alert.Alert{Rule: "b"}
	one, two := wire.ID(a), wire.ID(b)
	if one == two || one != wire.ID(&alert.Alert{Rule: "a"}) || len(one) != 36 || one[14] != '8' || !strings.ContainsRune("89ab", rune(one[19])) {
		t.Error(one, two)
	}
	if a.UUID = "x"; wire.ID(a) != "x" {
		t.Error("the alert's own uuid is not used")
	}
}
