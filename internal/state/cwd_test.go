package state

import (
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

func TestWorkingDirectory(t *testing.T) {
	for name, text := range map[string]string{
		"chdir": `
100 chdir res=0 path=/var/log
= 100 cwd=/var/log/
100 chdir res=0 path=../tmp/.
= 100 cwd=/var/tmp/
100 chdir res=-2 path=/nowhere
= 100 cwd=/var/tmp/
100 chdir res=0 path=/
= 100 cwd=/`,
		"fchdir": `
100 openat fd=4 dirfd=-100 name=/opt flags=0x401
100 fchdir res=0 fd=4
= 100 cwd=/opt/
100 fchdir res=0 fd=99
= 100 cwd=/opt/`,
		"getcwd": `
100 getcwd res=5 path=/srv
= 100 cwd=/srv/
100 getcwd res=5 path=(unreachable)/srv/x
= 100 cwd=/srv/
100 getcwd res=5
= 100 cwd=/srv/`,
		"chdir to a name that could not be read": `
100 chdir res=0
= 100 cwd=<UNKNOWN>
100 openat fd=4 dirfd=-100 name=shadow flags=1
= event name=<UNKNOWN>shadow
100 chdir res=0 path=/opt
= 100 cwd=/opt/`,
		"chroot": `
100 chroot res=0 path=jail
= 100 root=/home/jail
100 chroot res=0 path=/jail
= 100 root=/jail
100 chroot res=-1 path=/other
= 100 root=/jail
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
= 101 root=/jail`,
		"unknown process": `
900 chdir res=0 path=/x
= 900 cwd=./`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, shell+text) })
	}
}

func TestLostDirectory(t *testing.T) {
	p := &fakeProc{threads: map[int64]*event.Process{}, cwds: map[int64]string{100: "/etc"}}
	runScript(t, Config{Proc: p}, shell+`
100 chdir res=0
= 100 cwd=/etc/
100 openat fd=4 dirfd=-100 name=shadow flags=1
= event name=/etc/shadow`)
}
