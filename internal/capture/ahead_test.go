package capture

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/saker-sec/saker/internal/event"
)

// TestAhead reads streams of several lengths, with and without an error at their end, in a bubble, which fails when the
// goroutine does not end.
func TestAhead(t *testing.T) {
	broken := errors.New("the disk broke")
	for _, size := range []int{0, 1, aheadSize - 1, aheadSize, aheadSize + 1, 5*aheadSize + 7} {
		for _, end := range []error{io.EOF, broken} {
			synctest.Test(t, func(t *testing.T) {
				want := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
				a := newAhead(io.MultiReader(bytes.NewReader(want), iotest.ErrReader(end)))
				defer a.close()
				got, err := io.ReadAll(a)
				if !bytes.Equal(got, want) {
					t.Errorf("%d bytes: read %d others", size, len(got))
				}
				if end == io.EOF && err != nil || end == broken && err != broken {
					t.Errorf("%d bytes: ended with %v, want %v", size, err, end)
				}
				if n, err := a.Read(make([]byte, 1)); n != 0 || err != end {
					t.Errorf("%d bytes: after the end %d, %v", size, n, err)
				}
			})
		}
	}
}

// TestAheadCloses stops before the end of a stream.
func TestAheadCloses(t *testing.T) {
	for _, read := range []int{0, 1, 3 * aheadSize} {
		synctest.Test(t, func(t *testing.T) {
			a := newAhead(bytes.NewReader(make([]byte, 10*aheadSize)))
			if _, err := io.ReadFull(a, make([]byte, read)); err != nil {
				t.Error(err)
			}
			a.close()
		})
	}
}

// TestOpenReadsAhead checks that a compressed file that is cut off gives the same events and the same error with Open, which
// reads ahead, as with NewReader.
func TestOpenReadsAhead(t *testing.T) {
	plain, err := os.ReadFile(filepath.Join(shared, "captures/lab/quiet.scap"))
	if err != nil {
		t.Skipf("the capture is not there: %v", err)
	}
	if z, err := gzip.NewReader(bytes.NewReader(plain)); err == nil {
		if plain, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{0, 1, packed.Len() / 3} {
		data := packed.Bytes()[:packed.Len()-cut]
		path := filepath.Join(t.TempDir(), "cut.scap")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		want, err := NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		n, ended := untilError(want)
		m, endedAhead := untilError(got)
		if n != m || ended.Error() != endedAhead.Error() {
			t.Errorf("cut by %d: %d events and %v, want %d and %v", cut, m, endedAhead, n, ended)
		}
		if err := got.Close(); err != nil {
			t.Error(err)
		}
	}
}

// untilError counts the events of a capture and returns what ended it.
func untilError(r *Reader) (int, error) {
	var e event.Event
	for n := 0; ; n++ {
		if err := r.Next(&e); err != nil {
			return n, err
		}
	}
}
