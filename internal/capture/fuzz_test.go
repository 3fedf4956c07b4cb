package capture

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// FuzzReader feeds the reader with damaged captures: it must end with io.EOF or an error that says where, and must not ask
// for much more memory than the file has.
func FuzzReader(f *testing.F) {
	f.Add(sample(f))
	f.Add(zipped(f))
	f.Add(join(block(blockProcesses1, processFields(1)), block(blockProcesses9, entry(processFields(9)))))
	f.Add(append(join(), sample(f)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fuzzed(t, data)
		runtime.ReadMemStats(&after)
		gzip := len(data) > 1 && data[0] == 0x1f
		if n := after.TotalAlloc - before.TotalAlloc; !gzip && n > 8<<20+uint64(len(data))*400 {
			t.Errorf("%d bytes allocated for a file of %d", n, len(data))
		}
	})
}

func fuzzed(t *testing.T, data []byte) {
	r, err := NewReader(bytes.NewReader(data))
	for n := 0; ; n++ {
		var damage *DamageError
		switch {
		case err == nil || errors.Is(err, ErrSection):
		case errors.Is(err, io.EOF):
			return
		case !errors.As(err, &damage):
			t.Fatalf("%v does not say where", err)
		default:
			return
		}
		var e event.Event
		err = r.Next(&e)
		if err == nil && (int(e.Code) >= event.NumCodes || e.Type().Flags&event.FlagUnused != 0) {
			t.Fatalf("event of type %d", e.Code)
		}
	}
}
