/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Events that are no system calls, attached only when they are wanted: they are frequent. */
#include "task.h"

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGKILL 9
#define SIGTERM 15
#define SIGCHLD 17
#define SIGTSTP 20
#define SIGRTMIN 32
#define SI_KERNEL 0x80

/* sender_of is the pid that a signal comes from, 0 where the signal carries none. The pid is at the same place for all kinds of signal. */
INLINE s64 sender_of(int sig, struct kernel_siginfo *info)
{
	switch (sig) {
	case SIGHUP:
	case SIGINT:
	case SIGQUIT:
	case SIGTERM:
	case SIGTSTP:
		if (RD(info, si_code) >= SI_KERNEL)
			return 0;
	case SIGKILL:
	case SIGCHLD:
		return RD(info, _sifields._kill._pid);
	}
	return sig >= SIGRTMIN ? RD(info, _sifields._kill._pid) : 0;
}

SEC("tp_btf/signal_deliver")
int signal_deliver(unsigned long long *ctx)
{
	struct fixed e;
	int sig = ctx[0];

	if (!begin_fixed(&e, EV_SIGNALDELIVER_E, N_SIGNALDELIVER_E, 8 + 8 + 1))
		return 0;
	push_s64(&e, sender_of(sig, (void *)ctx[1]));
	push_s64(&e, (u32)bpf_get_current_pid_tgid());
	push_u8(&e, sig);
	return submit_fixed(&e);
}

SEC("tp_btf/sched_switch")
int sched_switch(unsigned long long *ctx)
{
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	struct mm_struct *mm = prev->mm;
	struct fixed e;

	if (!begin_fixed(&e, EV_SCHEDSWITCH_6_E, N_SCHEDSWITCH_6_E, 8 + 8 + 8 + 4 + 4 + 4))
		return 0;
	push_s64(&e, next->pid);
	push_u64(&e, prev->maj_flt);
	push_u64(&e, prev->min_flt);
	push_u32(&e, GET(mm, total_vm) * page_kb);
	push_u32(&e, (MM_PAGES(mm, 0) + MM_PAGES(mm, 1) + MM_PAGES(mm, 3)) * page_kb);
	push_u32(&e, MM_PAGES(mm, 2) * page_kb);
	return submit_fixed(&e);
}

#if defined(__TARGET_ARCH_x86)
/* page_fault sends the address, the instruction, and the processor's error code, whose bits say what is wrong and what is not. */
INLINE int page_fault(unsigned long long *ctx)
{
	struct pt_regs *regs = (void *)ctx[1];
	u32 code = ctx[2], flags = 0;
	struct fixed e;

	if (!begin_fixed(&e, EV_PAGE_FAULT_E, N_PAGE_FAULT_E, 8 + 8 + 4))
		return 0;
	flags |= code & 1 ? PPM_PROTECTION_VIOLATION : PPM_PAGE_NOT_PRESENT;
	flags |= code & 2 ? PPM_WRITE_ACCESS : PPM_READ_ACCESS;
	flags |= code & 4 ? PPM_USER_FAULT : PPM_SUPERVISOR_FAULT;
	if (code & 8)
		flags |= PPM_RESERVED_PAGE;
	if (code & 16)
		flags |= PPM_INSTRUCTION_FETCH;
	push_u64(&e, ctx[0]);
	push_u64(&e, regs->ip);
	push_u32(&e, flags);
	return submit_fixed(&e);
}

SEC("tp_btf/page_fault_user")
int page_fault_user(unsigned long long *ctx) { return page_fault(ctx); }

SEC("tp_btf/page_fault_kernel")
int page_fault_kernel(unsigned long long *ctx) { return page_fault(ctx); }
#endif
