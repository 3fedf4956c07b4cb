package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

// TestRoom reads bodies of all lengths, whether they say how long they are or not, and gives back what they took.
func TestRoom(t *testing.T) {
	for _, n := range []int{0, 1, 1000, 1 << 10, smallBody - 1, smallBody, smallBody + 1, 100_000, 1 << 20} {
		for name, length := range map[string]int64{"as it says": int64(n), "unknown": -1, "shorter than it says": int64(n) + 1000, "far shorter": 1 << 40} {
			var r room
			body := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
			text, held, err := r.read(iotest.HalfReader(bytes.NewReader(body)), length)
			if err != nil || !bytes.Equal(text, body) || held != r.bytes.Load() || n < smallBody && held != 0 || held > 4*int64(n) {
				t.Errorf("%d bytes, %s: %d are read, %d are held, %v", n, name, len(text), held, err)
			}
		}
	}
	var r room
	if _, held, err := r.read(io.MultiReader(bytes.NewReader(make([]byte, 100_000)), iotest.ErrReader(io.ErrUnexpectedEOF)), 1<<20); err == nil || held != 128<<10 || held != r.bytes.Load() {
		t.Errorf("a body that breaks off: %d held, %v", held, err)
	}
	if _, _, err := r.read(bytes.NewReader(make([]byte, largeBodies)), -1); !errors.Is(err, errBusy) {
		t.Errorf("more than there is room for: %v", err)
	}
}

// TestBusy has many slow senders of large alerts hold all the room: small alerts are taken nevertheless, others are to be sent again.
func TestBusy(t *testing.T) {
	k := &kept{}
	h := handler(t, k, TransformConfig{})
	h.cfg.Limit = DefaultLimit
	large := with("lab", strings.Repeat("x", 100_000))
	if code, text := ask(h, "POST", "/", large); code != http.StatusOK || h.room.bytes.Load() != 0 {
		t.Errorf("a large alert: %d %s, and %d bytes are held after it", code, text, h.room.bytes.Load())
	}
	h.room.bytes.Store(largeBodies)
	for _, c := range []struct {
		body string
		want string
	}{{good, "200 "}, {large, "503 the alert is not taken, send it again later: too many alerts are being taken at the moment\n"}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(c.body)))
		if got := fmt.Sprint(w.Code, " ", w.Body.String()); got != c.want || w.Code != 200 && w.Header().Get("Retry-After") == "" {
			t.Errorf("%d bytes: %s, want %s", len(c.body), got, c.want)
		}
	}
	h.room.requests.Store(mostRequests)
	if code, _ := ask(h, "POST", "/", good); code != http.StatusServiceUnavailable || h.room.requests.Load() != mostRequests || h.room.bytes.Load() != largeBodies {
		t.Errorf("too many requests: %d, with %d and %d bytes after it", code, h.room.requests.Load(), h.room.bytes.Load())
	}
	if accepted, rejected := h.cfg.Metrics.Totals(); accepted != 2 || rejected != 2 {
		t.Errorf("%d are accepted and %d rejected", accepted, rejected)
	}
}

// BenchmarkRead reads an alert of a usual size: two allocations, the reader's and ours.
func BenchmarkRead(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1000)
	for b.Loop() {
		var r room
		if _, _, err := r.read(bytes.NewReader(body), 1000); err != nil {
			b.Fatal(err)
		}
	}
}
