package ingest

import (
	"errors"
	"io"
	"sync/atomic"
)

// The bounds of what is under way: whoever sends however much, it takes no more than a few hundred MiB of memory.
const (
	mostConnections = 4096
	mostRequests    = 4096     // at once: HTTP/2 has several in a connection
	smallBody       = 16 << 10 // such bodies are bounded by mostRequests alone
	largeBodies     = 64 << 20 // bytes of all larger ones
	largestBody     = largeBodies / 4
)

// errBusy is the answer to what there is no room for now.
var errBusy = errors.New("too many alerts are being taken at the moment")

// room is the memory for requests that are under way.
type room struct {
	requests atomic.Int64
	bytes    atomic.Int64 // of large bodies
}

// enter takes the place of a request. Leave is to be called after success.
func (r *room) enter() bool {
	if r.requests.Add(1) > mostRequests {
		r.requests.Add(-1)
		return false
	}
	return true
}

func (r *room) leave() { r.requests.Add(-1) }

// take takes bytes, if there are so many.
func (r *room) take(n int64) bool {
	if r.bytes.Add(n) > largeBodies {
		r.bytes.Add(-n)
		return false
	}
	return true
}

// read reads a body. Of its length only what has come takes room, for who says that much is to come may never send it. What is held is to be
// given back when the body is not needed any more.
func (r *room) read(body io.Reader, length int64) (text []byte, held int64, err error) {
	size := int64(1 << 10)
	if length >= 0 {
		size = min(length+1, smallBody) // one more, so that its end is found without more room
	}
	text = make([]byte, 0, size)
	for {
		n, err := body.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err == io.EOF {
			return text, held, nil
		}
		if err != nil {
			return nil, held, err
		}
		if len(text) < cap(text) {
			continue
		}
		if size *= 2; size > smallBody {
			if !r.take(size - held) {
				return nil, held, errBusy
			}
			held = size
		}
		text = append(make([]byte, 0, size), text...)
	}
}
