/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * execve(2), execveat(2). A call that succeeds is told by the scheduler's tracepoint, always as execve: on the exit of the system call the
 * registers are those of the new image. A call that fails is told by the system call's exit.
 */
#include "exe.h"

/* push_exec appends what follows res, exe and args, up to gid. failed is the call when it failed: the environment is then read from envp
 * instead of the image. */
INLINE void push_exec(struct event *e, struct task_struct *task, struct call *failed, u64 envp)
{
	struct mm_struct *mm = GET(task, mm);
	struct cred *cred = GET(task, cred);
	struct file *f = GET(mm, exe_file);
	struct inode *inode = f ? RD(f, f_inode) : NULL;

	push_ids(e, task);
	push_memory(e, task, task);
	push_comm(e, task);
	if (has_probe_read) /* by typed loads alone it is more than the verifier looks at; clone tells them */
		push_cgroups(e, task);
	else
		push_empty(e);
	if (failed) {
		push_argv(e, failed, envp, 0);
	} else {
		u64 start = GET(mm, env_start), end = GET(mm, env_end);
		push_strings(e, start, end > start ? end - start : 0);
	}
	push_u32(e, tty_of(task));
	push_s64(e, pid_inner(TASK_PGID(task)));
	push_u32(e, loginuid_of(task));
	push_u32(e, exe_flags(e, cred, f));
	push_u64(e, CAPS(cred, cap_inheritable));
	push_u64(e, CAPS(cred, cap_permitted));
	push_u64(e, CAPS(cred, cap_effective));
	push_u64(e, inode ? RD(inode, i_ino) : 0);
	push_u64(e, inode ? INODE_TIME(inode, ctime) : 0);
	push_u64(e, inode ? INODE_TIME(inode, mtime) : 0);
	push_u32(e, GET(cred, euid.val));
	push_file_path(e, f);
	push_s64(e, RD(TASK_PGID(task), numbers[0].nr));
	push_u32(e, GET(cred, egid.val));
}

TRACEPOINT(sched_process_exec)
{
	struct task_struct *task = current_task();
	struct linux_binprm *bprm = (void *)ctx[2];
	struct event e;

	if (GET(task, flags) & PF_KTHREAD)
		return 0;
	if (!begin_in(&e, EV_SYSCALL_EXECVE_19_X, N_SYSCALL_EXECVE_19_X, LANE_EXEC))
		return 0;
	push_s64(&e, 0);
	push_image_args(&e, GET(task, mm));
	push_exec(&e, task, NULL, 0);
	if (has_probe_read)
		push_kernel_str(&e, bprm->filename, PATH_MAX);
	else
		push_empty(&e);
	return submit(&e);
}

/* push_failed_args appends exe and args from the argv of a call that failed. */
INLINE void push_failed_args(struct event *e, struct call *c, u64 argv)
{
	if (!argv) {
		push_u8(e, 0); /* an empty string: exec without arguments is not unknown arguments */
		push_empty(e);
		return;
	}
	u64 first = user_word(c, argv, 0);
	push_user_str(e, first);
	if (first)
		push_argv(e, c, argv, 1);
	else
		push_empty(e);
}

SYSCALL(execve)
{
	struct event e;

	if (c->ret == 0 || !begin(&e, EV_SYSCALL_EXECVE_19_X, N_SYSCALL_EXECVE_19_X))
		return 0;
	push_s64(&e, c->ret);
	push_failed_args(&e, c, arg(c, 1));
	push_exec(&e, c->task, c, arg(c, 2));
	push_user_str(&e, arg(c, 0));
	return submit(&e);
}

SYSCALL(execveat)
{
	struct event e;

	if (c->ret == 0 || !begin(&e, EV_SYSCALL_EXECVEAT_X, N_SYSCALL_EXECVEAT_X))
		return 0;
	push_s64(&e, c->ret);
	push_failed_args(&e, c, arg(c, 2));
	push_exec(&e, c->task, c, arg(c, 3));
	return submit(&e);
}
