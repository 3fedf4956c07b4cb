package state

import "testing"

func TestAnonymous(t *testing.T) {
	for name, text := range map[string]string{
		"pipe": `
100 pipe res=0 fd1=4 fd2=5 ino=77
= event fd=5 type=pipe ino=77 name="" changed=false
= 100/4 type=pipe char=p
100 pipe2 res=0 fd1=6 fd2=7 ino=78 flags=0x1000
= 100/6 flags=0x1000`,
		"kinds": `
100 eventfd2 res=4 flags=0x1000 initval=0
= event type=event char=e flags=0x1000
100 signalfd4 res=4 flags=0x1000 fd=-1 mask=0
= event type=signalfd char=s
100 timerfd_create res=4 clockid=1 flags=0
= event type=timerfd char=t
100 inotify_init1 res=4 flags=0x1000
= event type=inotify char=i
100 epoll_create1 res=4 flags=1
= event type=eventpoll char=l flags=0x1000
100 userfaultfd res=4 flags=0
= event type=userfaultfd
100 io_uring_setup res=4 entries=1
= event type=io_uring char=r
100 bpf fd=4 cmd=5
= event type=bpf char=b
100 bpf fd=0 cmd=1
= 100/0 name=/dev/null`,
		"memfd": `
100 memfd_create fd=4 name=x flags=0
= event type=memfd char=m name=x changed=true
100 memfd_create fd=-12 name=x flags=0
= 100 fds=3`,
		"pidfd": `
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
101 openat fd=9 dirfd=-100 name=secret flags=1
100 pidfd_open fd=4 pid=101 flags=0
= event type=pidfd char=P name=/proc/101 pid=101
100 pidfd_getfd fd=5 pid_fd=4 target_fd=9 flags=0
= event fd=5 name=/home/secret flags=0x1000
100 pidfd_getfd fd=6 pid_fd=3 target_fd=9 flags=0
= 100/6 none`,
		"failed": `
100 eventfd2 res=-24 flags=0 initval=0
= event fd=-1
100 pipe res=-24
= 100 fds=2`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, shell+text) })
	}
}

// TestPidfdInPidNS copies a descriptor of the process that a pid namespace numbers 1, which is another one on the host.
func TestPidfdInPidNS(t *testing.T) {
	const text = `
proc tid=1 ptid=0 comm=init fd.3=/etc/shadow
proc tid=100 ptid=1 comm=sh cwd=/home fd.3=/etc/x
101 clone res=0 exe=sh pid=101 ptid=100 vtid=5 vpid=5 comm=sh flags=0x20000000
101 pidfd_open fd=7 pid=1 flags=0
101 pidfd_getfd fd=8 pid_fd=7 target_fd=3 flags=0
100 pidfd_open fd=7 pid=1 flags=0
100 pidfd_getfd fd=8 pid_fd=7 target_fd=3 flags=0
= 100/8 name=/etc/shadow
`
	runScript(t, Config{FollowAll: true}, text+"= 101/8 none")
	runScript(t, Config{}, text+"= 101/8 name=/etc/shadow")
}
