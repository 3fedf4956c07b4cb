package state

import (
	"math/rand/v2"
	"testing"
)

func TestTIDTable(t *testing.T) {
	var h tidTable[int]
	h.init(4)
	want := map[int64]*int{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200000 {
		id := int64(r.IntN(500))
		if r.IntN(20) == 0 {
			id = r.Int64() // far away
		}
		switch r.IntN(3) {
		case 0:
			v := new(int)
			h.put(id, v)
			want[id] = v
		case 1:
			h.remove(id)
			delete(want, id)
		default:
			if h.get(id) != want[id] {
				t.Fatalf("%d is %p, want %p", id, h.get(id), want[id])
			}
		}
		if h.n != len(want) {
			t.Fatalf("%d entries, want %d", h.n, len(want))
		}
	}
	for id, v := range want {
		if h.get(id) != v {
			t.Errorf("%d is lost", id)
		}
	}
}
