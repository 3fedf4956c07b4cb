package state

import (
	"fmt"
	"testing"
)

// TestLineage executes more programs in a row than are remembered.
func TestLineage(t *testing.T) {
	text := shell
	for i := range 300 {
		text += fmt.Sprintf("100 execve res=0 exe=p%d comm=p%d pid=100 ptid=1\n", i, i)
	}
	s := runScript(t, Config{}, text)
	n, oldest := 0, ""
	for i := s.Thread(100).Image; i != nil; i = i.Parent {
		n++
		oldest = i.Comm
	}
	if n > maxLineage+1 || oldest != "init" {
		t.Errorf("%d generations down to %s", n, oldest)
	}
}
