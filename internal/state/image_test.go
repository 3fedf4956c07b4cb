package state

import (
	"fmt"
	"strings"
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

// TestLineageMemory lets many processes execute themselves again and again with all the arguments that there may be.
func TestLineageMemory(t *testing.T) {
	const most = 1 << 20
	args := strings.Repeat("x", 4000)
	var text strings.Builder
	text.WriteString(shell)
	for pid := 200; pid < 220; pid++ {
		fmt.Fprintf(&text, "%d clone res=0 exe=sh pid=%d ptid=100 vtid=%d vpid=%d comm=sh\n", pid, pid, pid, pid)
		for i := range 40 {
			fmt.Fprintf(&text, "%d execve res=0 exe=p%d comm=p%d pid=%d ptid=100 args=%s env=%s\n", pid, i, i, pid, args, args)
		}
	}
	s := runScript(t, Config{MaxImageBytes: most}, text.String())
	alive := 0
	s.EachThread(func(x *Thread) bool { alive += cap(x.Image.buf); return true })
	if s.imageBytes > most+alive+16<<10 {
		t.Errorf("images take %d bytes, those that run %d; at most %d more are allowed", s.imageBytes, alive, most)
	}
	if s.Thread(200).Image.Parent == nil {
		t.Error("nothing is remembered of what the first process ran before")
	}
}
