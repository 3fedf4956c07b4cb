package route

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/saker-sec/saker/internal/alert"
)

// encoding is a form that alerts are sent in.
type encoding struct {
	json  bool
	style alert.Style
}

func (e encoding) append(dst []byte, a *alert.Alert) []byte {
	if e.json {
		return a.AppendJSON(dst, e.style)
	}
	return a.AppendText(dst, e.style)
}

// message is an alert on its way. All outputs share it; the last one that is done with it returns it to the pool.
type message struct {
	alert *alert.Alert
	at    time.Time // of Publish
	size  int       // bytes of memory, as estimated
	refs  atomic.Int32
	nodes []node // where it is in the queue of each output

	mu    sync.Mutex
	lines []line // one for each encoding
	pool  *sync.Pool
}

type line struct {
	made bool
	text []byte
}

// line returns the alert in the given encoding; the first caller makes it.
func (m *message) line(i int, e encoding) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &m.lines[i]
	if !l.made {
		if l.text == nil {
			l.text = make([]byte, 0, m.size)
		}
		l.text, l.made = e.append(l.text[:0], m.alert), true
	}
	return l.text
}

// maxKept bounds the buffers that stay in the pool.
const maxKept = 64 << 10

// release says that one output is done with the message.
func (m *message) release() {
	if m.refs.Add(-1) > 0 {
		return
	}
	m.alert = nil
	for i := range m.lines {
		m.lines[i].made = false
		if cap(m.lines[i].text) > maxKept {
			m.lines[i].text = nil
		}
	}
	m.pool.Put(m)
}

// size estimates the memory of an alert with one encoded line.
func size(a *alert.Alert) int {
	text := len(a.Rule) + len(a.Source) + len(a.Hostname) + 2*len(a.Message)
	fixed := int(unsafe.Sizeof(*a)) + int(unsafe.Sizeof(message{}))
	for i := range a.Fields {
		text += len(a.Fields[i].Key) + sizeOf(&a.Fields[i].Value)
	}
	fixed += len(a.Fields) * int(unsafe.Sizeof(alert.Field{}))
	for _, t := range a.Tags {
		text += len(t)
	}
	return fixed + 2*text
}

func sizeOf(v *alert.Value) int {
	n := len(v.Text)
	for i := range v.Elems {
		n += int(unsafe.Sizeof(*v)) + sizeOf(&v.Elems[i])
	}
	return n
}
