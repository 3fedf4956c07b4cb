package match

import (
	"fmt"
	"testing"
)

func TestTextSet(t *testing.T) {
	for _, n := range []int{0, 1, 4, 5, 63, 64, 65, 1000} {
		var texts []string
		for i := range n {
			texts = append(texts, fmt.Sprintf("%[2]*[1]d", i, i%90), fmt.Sprint(i))
		}
		s := newTextSet(texts)
		for _, v := range texts {
			if !s.has(v) {
				t.Errorf("set of %d: %q is missing", n, v)
			}
			if s.has(v+"x") || s.has("x"+v) {
				t.Errorf("set of %d: holds %q with an x", n, v)
			}
		}
		if s.has("") {
			t.Errorf("set of %d holds the empty text", n)
		}
	}
	if !newTextSet([]string{"", "a"}).has("") {
		t.Error("the empty text is missing")
	}
}

func BenchmarkTextSet(b *testing.B) {
	var texts []string
	for i := range 200 {
		texts = append(texts, fmt.Sprintf("/usr/bin/program-%d", i))
	}
	s := newTextSet(texts)
	for b.Loop() {
		s.has("/usr/bin/program-x")
	}
}
