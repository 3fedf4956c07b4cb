/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The end of a thread, with its status and the task that its children are given to. */
#include "task.h"

#define REAPER_THREADS 30
#define REAPER_ANCESTORS 60

#define SIGNAL_BIT(signal, member)                                                                                     \
	(has_rdonly_cast ? BPF_CORE_READ_BITFIELD(AS(struct signal_struct, signal), member)                            \
			 : has_probe_read ? BPF_CORE_READ_BITFIELD_PROBED(signal, member) : 0)

/* alive_thread is a thread of the group that is not ending: its tid, 0 when there is none, -1 when there are too many to look. */
INLINE s32 alive_thread(struct signal_struct *signal)
{
	void *head = (void *)signal + bpf_core_field_offset(struct signal_struct, thread_head);
	void *node = deref(head);
	u32 i = 0;
	ROUNDS (i, REAPER_THREADS) {
		if (node == head || !node)
			return 0;
		struct task_struct *t = node - bpf_core_field_offset(struct task_struct, thread_node);
		if (!(RD(t, flags) & PF_EXITING))
			return RD(t, pid);
		node = deref(node);
	}
	return -1;
}

/*
 * reaper_of is the tid of the task that the children of an ending task go to: a thread of its group, the nearest subreaper above, or the
 * init of its pid namespace (kernel/exit.c, find_new_reaper). 0: the namespace ends with it; -1: not found within the limits.
 */
INLINE s32 reaper_of(struct task_struct *task)
{
	s32 tid = alive_thread(GET(task, signal));
	if (tid)
		return tid;
	struct pid *pid = GET(task, thread_pid);
	u32 level = RD(pid, level);
	struct task_struct *init = RD(pid_ns_of(pid), child_reaper);
	if (init == task)
		return 0;
	if (!SIGNAL_BIT(GET(task, signal), has_child_subreaper))
		return RD(init, pid);
	struct task_struct *t = GET(task, real_parent);
	u32 i = 0;
	ROUNDS (i, REAPER_ANCESTORS) {
		if (t == init || RD(RD(t, thread_pid), level) != level)
			return RD(init, pid);
		struct signal_struct *signal = RD(t, signal);
		if (SIGNAL_BIT(signal, is_child_subreaper) && (tid = alive_thread(signal)))
			return tid;
		t = RD(t, real_parent);
	}
	return -1;
}

TRACEPOINT(sched_process_exit)
{
	struct task_struct *task = current_task();
	struct fixed e;
	u32 code = GET(task, exit_code), sig = code & 0x7f;
	s32 reaper = 0;
	void *children = (void *)task + bpf_core_field_offset(struct task_struct, children);

	if (deref(children) != children)
		reaper = reaper_of(task);
	if (!begin_fixed(&e, EV_PROCEXIT_1_E, N_PROCEXIT_1_E, 8 + 8 + 1 + 1 + 8))
		return 0;
	push_s64(&e, (s32)code);
	push_s64(&e, (code >> 8) & 0xff);
	push_u8(&e, sig == 0x7f ? 0 : sig);
	push_u8(&e, (code & 0x80) != 0);
	push_s64(&e, reaper);
	return submit_fixed(&e);
}
