package state

// tidTable maps thread or process ids to entries: open addressing with linear probing, at most half full, deletion by
// shifting back, so that it neither degrades nor allocates while its size does not change.
type tidTable[T any] struct {
	slots []tidSlot[T]
	shift uint8
	n     int
}

type tidSlot[T any] struct {
	id  int64
	val *T
}

func (h *tidTable[T]) init(size int) {
	bits := uint8(4)
	for 1<<bits < size {
		bits++
	}
	h.slots = make([]tidSlot[T], 1<<bits)
	h.shift = 64 - bits
	h.n = 0
}

func (h *tidTable[T]) home(id int64) int {
	return int((uint64(id) * 0x9e3779b97f4a7c15) >> h.shift)
}

func (h *tidTable[T]) get(id int64) *T {
	for i := h.home(id); ; i = (i + 1) & (len(h.slots) - 1) {
		s := &h.slots[i]
		if s.val == nil {
			return nil
		}
		if s.id == id {
			return s.val
		}
	}
}

// put adds or replaces the entry of id; val must not be nil.
func (h *tidTable[T]) put(id int64, val *T) {
	if 2*(h.n+1) > len(h.slots) {
		h.grow()
	}
	for i := h.home(id); ; i = (i + 1) & (len(h.slots) - 1) {
		s := &h.slots[i]
		if s.val == nil {
			s.id, s.val = id, val
			h.n++
			return
		}
		if s.id == id {
			s.val = val
			return
		}
	}
}

func (h *tidTable[T]) grow() {
	old := h.slots
	h.init(2 * len(old))
	for i := range old {
		if old[i].val != nil {
			h.put(old[i].id, old[i].val)
		}
	}
}

func (h *tidTable[T]) remove(id int64) {
	mask := len(h.slots) - 1
	i := h.home(id)
	for h.slots[i].val == nil || h.slots[i].id != id {
		if h.slots[i].val == nil {
			return
		}
		i = (i + 1) & mask
	}
	h.n--
	for j := i; ; {
		h.slots[i] = tidSlot[T]{}
		for {
			j = (j + 1) & mask
			if h.slots[j].val == nil {
				return
			}
			// The entry at j may move to the hole at i unless its home lies cyclically in (i, j].
			if k := h.home(h.slots[j].id); (j-k)&mask >= (j-i)&mask {
				break
			}
		}
		h.slots[i] = h.slots[j]
		i = j
	}
}
