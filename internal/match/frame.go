package match

import (
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// Frame is what is computed while one event is matched: values that are dear to extract, and buffers of transformers.
// It belongs to one goroutine and is reused from event to event.
type Frame struct {
	Ctx *state.Ctx

	epoch uint64 // number of the event; a memo with an older one is void
	texts []textMemo
	nums  []numMemo
	lists []listMemo
	bufs  [][]byte

	looked  []lookedAt
	options optionScan
}

type textMemo struct {
	epoch uint64
	text  string
	ok    bool
}

type numMemo struct {
	epoch uint64
	num   uint64
	ok    bool
}

// listMemo is a list of values. Those that transformers make are not remembered, only their memory is kept.
type listMemo struct {
	epoch uint64
	vals  []field.Value
	ok    bool
}

// frameSize counts the slots that compiled checks use.
type frameSize struct{ texts, nums, lists, bufs int }

func newFrame(n frameSize) *Frame {
	return &Frame{
		texts: make([]textMemo, n.texts),
		nums:  make([]numMemo, n.nums),
		lists: make([]listMemo, n.lists),
		bufs:  make([][]byte, n.bufs),
	}
}

// Begin makes the frame ready for the next event.
func (f *Frame) Begin(c *state.Ctx) {
	f.Ctx = c
	f.epoch++
}

// Epoch is the number of Begin calls: it is different for every event, and never 0 within one.
func (f *Frame) Epoch() uint64 { return f.epoch }
