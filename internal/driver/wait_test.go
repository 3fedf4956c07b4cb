package driver

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
)

// TestNapLetsOthersRun naps on a single processor, as a busy reader does, while others talk to each other over pipes.
func TestNapLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var heard atomic.Int32
	go func() {
		buf := make([]byte, 1)
		for {
			if _, err := r.Read(buf); err != nil {
				return
			}
			heard.Add(1)
		}
	}()
	const naps = 20
	reader := &waiter{}
	for range naps {
		if _, err := w.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		reader.nap(napTime)
	}
	w.Close()
	if n := heard.Load(); n < naps/2 {
		t.Errorf("%d of %d bytes were heard while the reader napped", n, naps)
	}
}
