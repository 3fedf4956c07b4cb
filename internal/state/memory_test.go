package state

import "testing"

func TestMemory(t *testing.T) {
	runScript(t, Config{}, shell+`
100 mmap res=0 vm_size=1 vm_rss=2 vm_swap=3
= 100 vm=1:2:3
100 brk res=0 vm_size=4 vm_rss=5 vm_swap=6
= 100 vm=4:5:6
100 switch next=1 pgft_maj=7 pgft_min=8 vm_size=9 vm_rss=10 vm_swap=11
= 100 vm=9:10:11 faults=7:8
555 switch next=1 pgft_maj=7 pgft_min=8 vm_size=9 vm_rss=10 vm_swap=11
= event tid=none
= 555 gone`)
}
