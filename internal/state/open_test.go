package state

import "testing"

func TestOpen(t *testing.T) {
	for name, text := range map[string]string{
		"absolute, relative to the working directory, to a directory": `
100 open fd=4 name=/etc/../etc/./passwd flags=1 mode=0 dev=7 ino=9
= event fd=4 name=/etc/passwd raw=/etc/../etc/./passwd type=file changed=true dev=7 ino=9
100 openat fd=5 dirfd=-100 name=../x//y flags=1
= event fd=5 name=/x/y
100 openat fd=6 dirfd=-100 name=/opt flags=0x401
= event fd=6 name=/opt type=directory
100 openat2 fd=7 dirfd=6 name=a/b flags=1 resolve=0 dev=3 ino=4
= event fd=7 name=/opt/a/b dev=3 ino=4`,
		"unknown directory": `
100 openat fd=5 dirfd=77 name=x flags=1
= event name=<UNKNOWN>x
100 openat fd=6 dirfd=77 name=/x flags=1
= event name=/x`,
		"creat and layers": `
100 creat fd=4 name=n mode=0 creat_flags=1
= event name=/home/n layer=upper
100 openat fd=5 dirfd=-100 name=l flags=0x10001
= event layer=lower
100 openat fd=6 dirfd=-100 name=u flags=0x8001
= event layer=upper`,
		"by handle": `
100 open_by_handle_at fd=4 mountfd=3 flags=1 path=/etc/shadow
= event fd=4 name=/etc/shadow`,
		"failed": `
100 openat fd=-2 dirfd=-100 name=x flags=1
= event fd=-1 name=none tid=100
= 100 fds=2`,
		"replaces what a lost close left open": `
100 openat fd=3 dirfd=-100 name=z flags=1
= 100/3 name=/home/z
= 100 fds=2`,
		"the name when the call began wins": `
100 >openat dirfd=-100 name=/etc/shadow flags=1 mode=0
100 openat fd=4 dirfd=-100 name=/tmp/harmless flags=0x4001 mode=0
= event name=/etc/shadow raw=/etc/shadow flags=0x4001 raced=true`,
		"an unreadable name when the call began does not": `
100 >open name=<NA> flags=1 mode=0
100 open fd=4 name=/tmp/x flags=3 mode=0
= event name=/tmp/x flags=0x3 raced=false
100 open fd=5 name=/tmp/y flags=3 mode=0
= event name=/tmp/y`,
		"another call's beginning does not count": `
100 >open name=/a flags=1 mode=0
100 openat fd=4 dirfd=-100 name=/b flags=1
= event name=/b`,
		"long names are kept": longOpen(),
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, shell+text) })
	}
}

// longOpen spells a file with so many components that Falco gives up on the name.
func longOpen() string {
	spelled := "/etc"
	for range 1500 {
		spelled += "/."
	}
	return "100 openat fd=4 dirfd=-100 name=" + spelled + "/shadow flags=1\n= event name=/etc/shadow"
}
