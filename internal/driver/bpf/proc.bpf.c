/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Calls that change or ask about the process itself: ids, capabilities, limits, sessions, namespaces, signals, tracing. */
#include "calls.h"
#include "task.h"

/* ---------------------------------------------------------------- user and group ids */

FIXED(setuid, SYSCALL_SETUID_X, 8 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, id_arg(c, 0));
}

FIXED(setgid, SYSCALL_SETGID_X, 8 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, id_arg(c, 0));
}

FIXED(setreuid, SYSCALL_SETREUID_X, 8 + 4 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, id_arg(c, 0));
	push_u32(e, id_arg(c, 1));
}

FIXED(setregid, SYSCALL_SETREGID_X, 8 + 4 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, id_arg(c, 0));
	push_u32(e, id_arg(c, 1));
}

FIXED(setresuid, SYSCALL_SETRESUID_X, 8 + 4 + 4 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, id_arg(c, 0));
	push_u32(e, id_arg(c, 1));
	push_u32(e, id_arg(c, 2));
}

FIXED(setresgid, SYSCALL_SETRESGID_X, 8 + 4 + 4 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, id_arg(c, 0));
	push_u32(e, id_arg(c, 1));
	push_u32(e, id_arg(c, 2));
}

FIXED(getuid, SYSCALL_GETUID_X, 4) { push_u32(e, c->ret); }
FIXED(geteuid, SYSCALL_GETEUID_X, 4) { push_u32(e, c->ret); }
FIXED(getgid, SYSCALL_GETGID_X, 4) { push_u32(e, c->ret); }
FIXED(getegid, SYSCALL_GETEGID_X, 4) { push_u32(e, c->ret); }

/* user_id reads an id that a successful call stored at p; -1 when it cannot be read. */
INLINE u32 user_id(const struct call *c, u64 p)
{
	u32 id;
	u16 old;

	if (!old_call(c))
		return bpf_probe_read_user(&id, sizeof(id), (void *)p) ? (u32)-1 : id;
	if (bpf_probe_read_user(&old, sizeof(old), (void *)p) || old == 0xffff)
		return -1;
	return old;
}

FIXED(getresuid, SYSCALL_GETRESUID_X, 8 + 4 + 4 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, user_id(c, arg(c, 0)));
	push_u32(e, user_id(c, arg(c, 1)));
	push_u32(e, user_id(c, arg(c, 2)));
}

FIXED(getresgid, SYSCALL_GETRESGID_X, 8 + 4 + 4 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, user_id(c, arg(c, 0)));
	push_u32(e, user_id(c, arg(c, 1)));
	push_u32(e, user_id(c, arg(c, 2)));
}

/* ---------------------------------------------------------------- capabilities and limits */

/* The capabilities are those the thread has after the call, from its credentials, whatever the caller's memory says. */
FIXED(capset, SYSCALL_CAPSET_X, 8 + 8 + 8 + 8)
{
	struct cred *cred = (struct cred *)GET(c->task, cred);

	push_s64(e, c->ret);
	push_u64(e, CAPS(cred, cap_inheritable));
	push_u64(e, CAPS(cred, cap_permitted));
	push_u64(e, CAPS(cred, cap_effective));
}

struct limit {
	s64 cur, max;
};

/* read_limit reads a struct rlimit (of 32-bit members, all ones for no limit, for a 32-bit caller); -1 when it cannot. */
INLINE void read_limit(const struct call *c, u64 p, struct limit *l)
{
	u32 old[2];

	l->cur = l->max = -1;
	if (!c->compat) {
		if (bpf_probe_read_user(l, sizeof(*l), (void *)p))
			l->cur = l->max = -1;
		return;
	}
	if (bpf_probe_read_user(old, sizeof(old), (void *)p))
		return;
	l->cur = old[0] == (u32)-1 ? -1 : (s64)old[0];
	l->max = old[1] == (u32)-1 ? -1 : (s64)old[1];
}

INLINE u8 resource_of(u32 r) { return r <= PPM_RLIMIT_RTTIME ? r : PPM_RLIMIT_UNKNOWN; }

FIXED(setrlimit, SYSCALL_SETRLIMIT_X, 8 + 8 + 8 + 1)
{
	struct limit l;

	read_limit(c, arg(c, 1), &l);
	push_s64(e, c->ret);
	push_s64(e, l.cur);
	push_s64(e, l.max);
	push_u8(e, resource_of(arg(c, 0)));
}

FIXED(getrlimit, SYSCALL_GETRLIMIT_X, 8 + 8 + 8 + 1)
{
	struct limit l = {-1, -1};

	if (!c->ret)
		read_limit(c, arg(c, 1), &l);
	push_s64(e, c->ret);
	push_s64(e, l.cur);
	push_s64(e, l.max);
	push_u8(e, resource_of(arg(c, 0)));
}

/* prlimit64 has 64-bit limits for every caller. Without a new limit the new values are 0, as Falco sends them. */
FIXED(prlimit64, SYSCALL_PRLIMIT_X, 8 + 8 + 8 + 8 + 8 + 8 + 1)
{
	struct limit new = {0, 0}, old = {-1, -1};
	u64 p = arg(c, 3);

	bpf_probe_read_user(&new, sizeof(new), (void *)arg(c, 2));
	if (!c->ret && p && bpf_probe_read_user(&old, sizeof(old), (void *)p))
		old.cur = old.max = -1;
	push_s64(e, c->ret);
	push_s64(e, new.cur);
	push_s64(e, new.max);
	push_s64(e, old.cur);
	push_s64(e, old.max);
	push_s64(e, fd_arg(c, 0));
	push_u8(e, resource_of(arg(c, 1)));
}

/* include/uapi/linux/prctl.h */
#define PR_SET_NAME 15
#define PR_GET_NAME 16
#define PR_GET_CHILD_SUBREAPER 37

BUILT(prctl, SYSCALL_PRCTL_X)
{
	u32 option = arg(c, 0);

	push_s64(e, c->ret);
	push_u32(e, option);
	switch (option) {
	case PR_SET_NAME:
	case PR_GET_NAME:
		push_user_str(e, arg(c, 1));
		push_s64(e, 0);
		break;
	case PR_GET_CHILD_SUBREAPER:
		push_empty(e);
		push_s64(e, (s32)user_u32(arg(c, 1)));
		break;
	default:
		push_empty(e);
		push_s64(e, arg(c, 1));
	}
}

/* ---------------------------------------------------------------- sessions and namespaces */

FIXED(setsid, SYSCALL_SETSID_X, 8)
{
	push_s64(e, c->ret);
}

FIXED(setpgid, SYSCALL_SETPGID_X, 8 + 8 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_s64(e, fd_arg(c, 1));
}

/* namespace_flags turns the flags of unshare(2) and setns(2) into those of events (include/uapi/linux/sched.h). */
INLINE u32 namespace_flags(u32 f)
{
	return pick(f, 0x00000100, PPM_CLONE_VM) | pick(f, 0x00000200, PPM_CLONE_FS) |
	       pick(f, 0x00000400, PPM_CLONE_FILES) | pick(f, 0x00000800, PPM_CLONE_SIGHAND) |
	       pick(f, 0x00010000, PPM_CLONE_THREAD) | pick(f, 0x00020000, PPM_CLONE_NEWNS) |
	       pick(f, 0x00040000, PPM_CLONE_SYSVSEM) | pick(f, 0x02000000, PPM_CLONE_NEWCGROUP) |
	       pick(f, 0x04000000, PPM_CLONE_NEWUTS) | pick(f, 0x08000000, PPM_CLONE_NEWIPC) |
	       pick(f, 0x10000000, PPM_CLONE_NEWUSER) | pick(f, 0x20000000, PPM_CLONE_NEWPID) |
	       pick(f, 0x40000000, PPM_CLONE_NEWNET) | pick(f, 0x80000000, PPM_CLONE_IO);
}

FIXED(unshare, SYSCALL_UNSHARE_X, 8 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, namespace_flags(arg(c, 0)));
}

FIXED(setns, SYSCALL_SETNS_X, 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u32(e, namespace_flags(arg(c, 1)));
}

FIXED(seccomp, SYSCALL_SECCOMP_X, 8 + 8 + 8)
{
	push_s64(e, c->ret);
	push_u64(e, (u32)arg(c, 0));
	push_u64(e, (u32)arg(c, 1));
}

/* ---------------------------------------------------------------- signals and waiting */

FIXED(kill, SYSCALL_KILL_X, 8 + 8 + 1)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u8(e, arg(c, 1));
}

FIXED(tkill, SYSCALL_TKILL_X, 8 + 8 + 1)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u8(e, arg(c, 1));
}

FIXED(tgkill, SYSCALL_TGKILL_X, 8 + 8 + 8 + 1)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_s64(e, fd_arg(c, 1));
	push_u8(e, arg(c, 2));
}

FIXED(nanosleep, SYSCALL_NANOSLEEP_X, 8 + 8)
{
	push_s64(e, c->ret);
	push_u64(e, user_time(c, arg(c, 0)));
}

/* futex_op keeps the operation and the two flags, whose numbers are the same in events. */
INLINE u16 futex_op(u32 op)
{
	u32 f = op & (PPM_FUTEX_PRIVATE_FLAG | PPM_FUTEX_CLOCK_REALTIME);
	return f | ((op & 127) <= PPM_FUTEX_CMP_REQUEUE_PI ? op & 127 : 0);
}

FIXED(futex, SYSCALL_FUTEX_X, 8 + 8 + 2 + 8)
{
	push_s64(e, c->ret);
	push_u64(e, arg(c, 0));
	push_u16(e, futex_op(arg(c, 1)));
	push_u64(e, arg(c, 2));
}

/* ---------------------------------------------------------------- ptrace */

/* ptrace_request numbers a request as events do (include/uapi/linux/ptrace.h, arch/x86/include/uapi/asm/ptrace-abi.h). */
INLINE u16 ptrace_request(u64 r)
{
	if (r <= 9)
		return PPM_PTRACE_TRACEME + r;
	if (r >= 0x4200 && r <= 0x420b)
		return PPM_PTRACE_SETOPTIONS + r - 0x4200;
	switch (r) {
	case 12: return PPM_PTRACE_GETREGS;
	case 13: return PPM_PTRACE_SETREGS;
	case 14: return PPM_PTRACE_GETFPREGS;
	case 15: return PPM_PTRACE_SETFPREGS;
	case 16: return PPM_PTRACE_ATTACH;
	case 17: return PPM_PTRACE_DETACH;
	case 18: return PPM_PTRACE_GETFPXREGS;
	case 19: return PPM_PTRACE_SETFPXREGS;
	case 21: return PPM_PTRACE_OLDSETOPTIONS;
	case 24: return PPM_PTRACE_SYSCALL;
	case 25: return PPM_PTRACE_GET_THREAD_AREA;
	case 26: return PPM_PTRACE_SET_THREAD_AREA;
	case 30: return PPM_PTRACE_ARCH_PRCTL;
	case 31: return PPM_PTRACE_SYSEMU;
	case 32: return PPM_PTRACE_SYSEMU_SINGLESTEP;
	case 33: return PPM_PTRACE_SINGLEBLOCK;
	}
	return PPM_PTRACE_UNKNOWN;
}

/* The types of ptrace's two dynamic parameters, by index (ptrace_dynamic_param). */
enum { PTRACE_DYN_UINT64, PTRACE_DYN_SIGTYPE };

/* dyn_u64 appends a dynamic parameter of an index and 8 bytes. */
INLINE void push_dyn_u64(struct event *e, u8 index, u64 v)
{
	u8 *p = at(e);
	p[0] = index;
	*(u64 *)(p + 1) = v;
	took(e, 9);
}

INLINE void push_ptrace_data(struct call *c, struct event *e, u16 request)
{
	u64 v = c->ret < 0 ? 0 : arg(c, 3);

	if (c->ret < 0)
		return push_dyn_u64(e, PTRACE_DYN_UINT64, 0);
	switch (request) {
	case PPM_PTRACE_PEEKTEXT:
	case PPM_PTRACE_PEEKDATA:
	case PPM_PTRACE_PEEKUSR:
		return push_dyn_u64(e, PTRACE_DYN_UINT64, user_word(c, v, 0));
	case PPM_PTRACE_CONT:
	case PPM_PTRACE_SINGLESTEP:
	case PPM_PTRACE_DETACH:
	case PPM_PTRACE_SYSCALL: {
		u8 *p = at(e);
		p[0] = PTRACE_DYN_SIGTYPE;
		p[1] = v;
		return took(e, 2);
	}
	}
	push_dyn_u64(e, PTRACE_DYN_UINT64, v);
}

BUILT(ptrace, SYSCALL_PTRACE_X)
{
	u16 request = ptrace_request(arg(c, 0));

	push_s64(e, c->ret);
	push_dyn_u64(e, PTRACE_DYN_UINT64, c->ret < 0 ? 0 : arg(c, 2));
	push_ptrace_data(c, e, request);
	push_u16(e, request);
	push_s64(e, fd_arg(c, 1));
}
