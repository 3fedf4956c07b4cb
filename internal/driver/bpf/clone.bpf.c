/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * clone(2), clone3(2), fork(2), vfork(2): one event from the caller and one from the child, whose result is 0. On amd64 the child passes the
 * exit of the system call too; on arm64 it does not, and the scheduler's tracepoint tells it in the child's name.
 */
#include "task.h"

#define CLONE_FLAG(f, name, bit)                                                                                       \
	(((f) & (bit)) ? PPM_CLONE_##name : 0)

/* clone_flags turns clone(2) flags (include/uapi/linux/sched.h) into those of an event. */
INLINE u32 clone_flags(u32 f)
{
	return CLONE_FLAG(f, VM, 0x100) | CLONE_FLAG(f, FS, 0x200) | CLONE_FLAG(f, FILES, 0x400) | CLONE_FLAG(f, SIGHAND, 0x800) |
	       CLONE_FLAG(f, PTRACE, 0x2000) | CLONE_FLAG(f, VFORK, 0x4000) | CLONE_FLAG(f, PARENT, 0x8000) |
	       CLONE_FLAG(f, THREAD, 0x10000) | CLONE_FLAG(f, NEWNS, 0x20000) | CLONE_FLAG(f, SYSVSEM, 0x40000) |
	       CLONE_FLAG(f, SETTLS, 0x80000) | CLONE_FLAG(f, PARENT_SETTID, 0x100000) | CLONE_FLAG(f, CHILD_CLEARTID, 0x200000) |
	       CLONE_FLAG(f, UNTRACED, 0x800000) | CLONE_FLAG(f, CHILD_SETTID, 0x1000000) | CLONE_FLAG(f, NEWCGROUP, 0x2000000) |
	       CLONE_FLAG(f, NEWUTS, 0x4000000) | CLONE_FLAG(f, NEWIPC, 0x8000000) | CLONE_FLAG(f, NEWUSER, 0x10000000) |
	       CLONE_FLAG(f, NEWPID, 0x20000000) | CLONE_FLAG(f, NEWNET, 0x40000000) | CLONE_FLAG(f, IO, 0x80000000);
}

/* child_in_pidns is the flag for a task in a pid namespace below the host's, or whose children will be in another than its own. */
INLINE u32 child_in_pidns(struct task_struct *task)
{
	struct pid_namespace *ns = pid_ns_of(GET(task, thread_pid));
	if (RD(ns, level) || GET(GET(task, nsproxy), pid_ns_for_children) != ns)
		return PPM_CLONE_CHILD_IN_PIDNS;
	return 0;
}

/* push_clone appends all parameters after the result; exe and args are empty when the call failed. The page faults are those of faults. */
INLINE void push_clone(struct event *e, struct task_struct *task, struct task_struct *faults, s64 ret, u32 flags)
{
	struct cred *cred = GET(task, cred);
	struct pid *tgid = TASK_TGID(task);

	if (ret >= 0) {
		push_image_args(e, GET(task, mm));
	} else {
		push_empty(e);
		push_empty(e);
	}
	push_ids(e, task);
	push_memory(e, faults, task);
	push_comm(e, task);
	push_cgroups(e, task);
	push_u32(e, flags);
	push_u32(e, GET(cred, euid.val));
	push_u32(e, GET(cred, egid.val));
	push_s64(e, pid_inner(GET(task, thread_pid)));
	push_s64(e, pid_inner(tgid));
	push_u64(e, ret == 0 ? RD(RD(pid_ns_of(tgid), child_reaper), start_time) : 0);
}

#define CLONE_SYSCALL(name, code, nparams, flags)                                                                      \
	SYSCALL(name)                                                                                                  \
	{                                                                                                              \
		struct event e;                                                                                        \
		if (CHILD_BY_TRACEPOINT && c->ret == 0)                                                                \
			return 0;                                                                                      \
		if (!begin(&e, code, nparams))                                                                         \
			return 0;                                                                                      \
		push_s64(&e, c->ret);                                                                                  \
		push_clone(&e, c->task, c->task, c->ret, clone_flags(flags) | child_in_pidns(c->task));                \
		return submit(&e);                                                                                     \
	}

#if defined(__TARGET_ARCH_arm64)
#define CHILD_BY_TRACEPOINT 1
#else
#define CHILD_BY_TRACEPOINT 0
#endif

/* clone3_flags reads the flags of struct clone_args, its first member. */
INLINE u32 clone3_flags(struct call *c)
{
	u64 flags = 0;
	bpf_probe_read_user(&flags, sizeof(flags), (void *)arg(c, 0));
	return flags;
}

CLONE_SYSCALL(clone, EV_SYSCALL_CLONE_20_X, N_SYSCALL_CLONE_20_X, arg(c, 0))
CLONE_SYSCALL(clone3, EV_SYSCALL_CLONE3_X, N_SYSCALL_CLONE3_X, clone3_flags(c))
CLONE_SYSCALL(fork, EV_SYSCALL_FORK_20_X, N_SYSCALL_FORK_20_X, 0)
CLONE_SYSCALL(vfork, EV_SYSCALL_VFORK_20_X, N_SYSCALL_VFORK_20_X, 0)

#if CHILD_BY_TRACEPOINT
/* Runs in the parent. The flags are what can be told from the two tasks. */
TRACEPOINT(sched_process_fork)
{
	struct task_struct *parent = current_task(), *child = (void *)ctx[1];
	struct event e;
	u32 flags = 0;

	if (GET(parent, flags) & PF_KTHREAD)
		return 0;
	if (!begin_in(&e, EV_SYSCALL_CLONE_20_X, N_SYSCALL_CLONE_20_X, LANE_FORK))
		return 0;
	*(u64 *)(e.s->buf + PREFIX + 8) = child->pid;
	if (child->tgid != child->pid)
		flags |= PPM_CLONE_THREAD | PPM_CLONE_SIGHAND | PPM_CLONE_VM;
	if (child->files == GET(parent, files))
		flags |= PPM_CLONE_FILES;
	if (RD(pid_ns_of(child->thread_pid), level))
		flags |= PPM_CLONE_CHILD_IN_PIDNS;
	push_s64(&e, 0);
	push_clone(&e, child, parent, 0, flags);
	return submit(&e);
}
#endif
