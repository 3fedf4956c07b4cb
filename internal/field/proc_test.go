package field_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// closing is a call of bash that changes nothing which the tests look at.
var closing = call{event.SyscallCloseX, bashTID, []any{-9, 99}}

func TestProcess(t *testing.T) {
	play(t, []scene{
		{"the process itself", []call{closing}, map[string]string{
			"proc.name": `"bash"`, "proc.exe": `"-bash"`, "proc.exepath": `"/usr/bin/bash"`, "proc.args": `"-c a b"`, "proc.args[1]": `"a b"`,
			"proc.args[2]": `""`, "proc.cmdline": `"bash -c a b"`, "proc.exeline": `"-bash -c a b"`, "proc.cmdnargs": `2`,
			"proc.cmdlenargs": `5`, "proc.env": `"HOME=/home/bash LANG= C "`, "proc.env[LANG]": `"C"`, "proc.env[NONE]": `""`,
			"proc.env[1]": `"HOME=/home/bash LANG= C "`, "proc.cwd": `"/srv/"`, "proc.pid": `20`, "proc.vpid": `20`, "proc.tty": `0`,
			"proc.sid": `20`, "proc.sname": `"bash"`, "proc.vpgid": `20`, "proc.vpgid.exe": `"-bash"`, "proc.pgid.exepath": `"/usr/bin/bash"`,
			"proc.is_sid_leader": `true`, "proc.is_vpgid_leader": `true`, "proc.is_pgid_leader": `true`, "proc.exe_ino": `null`,
			"proc.fdopencount": `6`, "proc.fdlimit": `1024`, "proc.fdusage": `0.5859375`, "proc.loginshellid": `20`, "proc.duration": `null`,
			"proc.stdin.name": `"/dev/pts/1"`, "proc.stdin.type": `"file"`, "proc.stdout.name": `null`, "proc.nthreads": `2`, "proc.nchilds": `1`,
		}},
		{"ancestors", []call{closing}, map[string]string{
			"proc.pname": `"sshd"`, "proc.pexe": `"sshd:"`, "proc.pexepath": `"/usr/bin/sshd"`, "proc.pcmdline": `"sshd -D"`, "proc.ppid": `10`,
			"proc.pvpid": `10`, "proc.aname": `"sshd systemd"`, "proc.aname[0]": `"bash"`, "proc.aname[2]": `"systemd"`, "proc.aname[3]": `null`,
			"proc.acmdline": `"sshd -D systemd"`, "proc.acmdline[1]": `"sshd -D"`, "proc.aargs": `"-D "`, "proc.aargs[1]": `"-D"`,
			"proc.apid": `20`, "proc.apid[1]": `10`, "proc.aenv": `"HOME=/home/bash LANG= C "`, "proc.aenv[1]": `"HOME=/home/sshd LANG= C "`,
			"proc.aenv[HOME]": `"/home/sshd"`, "proc.aenv[9]": `null`, "proc.aexepath[1]": `"/usr/bin/sshd"`, "proc.ppid.duration": `6`, "proc.ppid.ts": `0`,
		}},
		{"another thread of the process", []call{{event.SyscallCloseX, threadTID, []any{-9, 99}}}, map[string]string{
			"proc.name": `"bash"`, "thread.tid": `21`, "proc.pid": `20`, "thread.ismain": `false`, "proc.pname": `"sshd"`, "proc.cwd": `"/srv/"`,
			"proc.fdopencount": `6`, "thread.vmsize": `0`, "thread.nametid": `"bash21"`,
		}},
		{"a thread that nobody knows", []call{{event.SyscallCloseX, 999, []any{-9, 3}}}, map[string]string{
			"proc.name": `"<NA>"`, "proc.pid": `-1`, "proc.vpid": `null`, "thread.tid": `999`, "proc.ppid": `null`,
		}},
		{"no thread at all", []call{{event.ContainerJsonV2E, -1, []any{`{"container":{"id":"0123456789abcdef"}}`}}}, map[string]string{
			"proc.name": `null`, "proc.pid": `null`, "user.name": `null`, "fd.num": `null`, "thread.cgroups": `null`, "container.id": `"0123456789ab"`,
			"evt.is_async": `true`, "evt.asynctype": `"container"`, "syscall.type": `null`, "evt.category": `"process"`,
		}},
	})
}

// candidates are the values that a condition compares with.
func candidates(t *testing.T, cat *field.Catalogue, c *state.Ctx, name, arg string) []string {
	t.Helper()
	x, err := cat.Bind(name, arg, arg != "", true)
	if err != nil {
		t.Fatal(err)
	}
	values, ok := x.Multi(c, nil)
	if !ok {
		return nil
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = printedValue(x, v)
	}
	return list
}

// TestAncestorsInConditions looks at the fields whose meaning without index differs between conditions and outputs.
func TestAncestorsInConditions(t *testing.T) {
	cat := field.NewCatalogue()
	s := state.New(state.Config{})
	s.Load(machine())
	var e event.Event
	if err := e.Decode(encode(t, closing, start)); err != nil {
		t.Fatal(err)
	}
	c := s.Apply(&e)
	for name, want := range map[string][]string{
		"proc.aname":    {`"sshd"`, `"systemd"`},
		"proc.apid":     {`10`, `1`},
		"proc.aexepath": {`"/usr/bin/sshd"`, `"/usr/bin/systemd"`},
		"proc.acmdline": {`"sshd -D"`, `"systemd"`},
		"proc.aenv":     {`"HOME=/home/sshd LANG= C "`, `"HOME=/home/systemd LANG= C "`},
	} {
		got := candidates(t, cat, c, name, "")
		if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	x, err := cat.Bind("proc.aargs", "", false, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := printed(x, c); got != `"-D "` {
		t.Errorf("proc.aargs compares with %s", got)
	}
}

func TestThread(t *testing.T) {
	play(t, []scene{
		{"capabilities and groups", []call{closing}, map[string]string{
			"thread.cap_effective": `"CAP_CHOWN CAP_SYS_ADMIN"`, "thread.cap_permitted": `""`, "thread.cgroup.memory": `"/b"`, "thread.cgroup.pids": `null`,
			"thread.cgroups": `"cpuset=/a memory=/b"`, "thread.exectime": `0`, "thread.cpu": `null`, "thread.ismain": `true`,
		}},
		{"time on the CPU is not measured", []call{
			{event.SchedswitchV6E, bashTID, []any{21, 0, 0, 0, 0, 0}},
			{event.SchedswitchV6E, threadTID, []any{20, 0, 0, 0, 0, 0}},
		}, map[string]string{"thread.exectime": `0`, "thread.totexectime": `0`, "evt.category": `"scheduler"`}},
		{"time that the kernel counts", []call{{event.ProcinfoE, bashTID, []any{15, 40}}}, map[string]string{
			"thread.cpu": `0`, "thread.cpu.user": `0`, "evt.count.procinfo": `1`, "evt.count.threadinfo": `1`,
		}},
	})
}

func TestUserAndGroup(t *testing.T) {
	play(t, []scene{
		{"known", []call{closing}, map[string]string{
			"user.uid": `1000`, "user.name": `"ann"`, "user.homedir": `"/home/ann"`, "user.shell": `"/bin/zsh"`, "user.loginuid": `1000`,
			"user.loginname": `"ann"`, "group.gid": `1000`, "group.name": `"staff"`, "container.id": `"host"`,
		}},
		{"root, whom nobody described", []call{{event.SyscallCloseX, 1, []any{-9, 99}}}, map[string]string{
			"user.name": `"root"`, "user.homedir": `"/root"`, "user.shell": `"<NA>"`, "user.loginuid": `-1`, "user.loginname": `"<NA>"`, "group.name": `"root"`,
		}},
		{"unknown", []call{{event.SyscallSetresuidX, bashTID, []any{0, 7, 7, 7}}, closing}, map[string]string{
			"user.uid": `7`, "user.name": `"<NA>"`, "user.homedir": `"<NA>"`, "user.shell": `"<NA>"`,
		}},
		{"known with empty texts", []call{
			{event.UserAddedE, bashTID, []any{7, 7, "", "", "", ""}}, {event.SyscallSetresuidX, bashTID, []any{0, 7, 7, 7}}, closing,
		}, map[string]string{
			"user.uid": `7`, "user.name": `""`, "user.homedir": `""`, "user.shell": `""`,
		}},
	})
}

func TestCounter(t *testing.T) {
	play(t, []scene{{"three events", []call{closing, closing, closing}, map[string]string{"util.cnt": `3`}}})
}

// TestLoopOfAncestors asks for ancestors of processes that are each other's parents, as it may seem when ids were used again.
func TestLoopOfAncestors(t *testing.T) {
	snap := machine()
	for i := range snap.Processes {
		if p := &snap.Processes[i]; p.TID == 10 {
			p.PTID = 20
		}
	}
	s := state.New(state.Config{})
	s.Load(snap)
	var e event.Event
	if err := e.Decode(encode(t, using(3), start)); err != nil {
		t.Fatal(err)
	}
	c := s.Apply(&e)
	cat := field.NewCatalogue()
	for text, want := range map[string]string{
		"proc.aname[4]": `"bash"`, "proc.aname[5]": `"sshd"`, "proc.aname[4097]": `null`, "proc.aname[2000000001]": `null`, "proc.apid[2000000001]": `null`,
		"proc.aenv[1]": `"HOME=/home/sshd LANG= C "`, "proc.aenv[2000000001]": `null`, "proc.acmdline[2000000001]": `null`,
	} {
		if got := printed(bindOutput(t, cat, text), c); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	if got := candidates(t, cat, c, "proc.aname", ""); len(got) > 4 {
		t.Errorf("ancestors without end: %v", got)
	}
}
