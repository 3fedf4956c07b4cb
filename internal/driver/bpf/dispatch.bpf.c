/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The one program that is attached to the exit of every system call, and its copies where it may be preempted. */
#include "saker.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 512); /* by SC_ */
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
} handlers SEC(".maps");

/* The slot of handlers for calls without an event of their own: no system call has number 0. */
#define SC_GENERIC 0

INLINE u32 number_of_socketcall(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return (u32)regs->bx & 31;
#else
	return 0;
#endif
}

/* dispatch_as passes a wanted call to its program. */
INLINE int dispatch_as(unsigned long long *ctx, const u32 copy)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	u32 nr = call_number(regs);

	/* x32 calls have the native numbers with one bit set; -1 (no call) has an entry that is always 0. */
	if (!interest[nr & 511])
		return 0;
	u32 want = interest[nr & 511], sc;
	if ((nr & ~(u32)X32_SYSCALL_BIT) > 511)
		return 0;
	struct task_struct *task = current_task();
	nr &= 511;
	if (call_is_compat(task)) {
		if (!(want & 2))
			return 0;
		sc = sc_ia32[nr];
		if (nr == NR_IA32_SOCKETCALL) {
			sc = sc_socketcall[number_of_socketcall(regs)];
			if (!sc)
				return 0;
		}
	} else {
		if (!(want & 1))
			return 0;
		sc = sc_native[nr];
	}
	if (drop_failed && (long)ctx[1] < 0)
		return 0;
	/* The reader's own calls would be endless; chdir is what it shows with that events still come. */
	if (self && sc != SC_CHDIR && bpf_get_current_pid_tgid() >> 32 == self)
		return 0;
	if (!takes(copy))
		return 0;
	bpf_tail_call(ctx, &handlers, sc);
	bpf_tail_call(ctx, &handlers, SC_GENERIC);

	u32 cpu = bpf_get_smp_processor_id();
	struct counters *counters = bpf_map_lookup_elem(&cpus, &cpu);
	if (counters)
		counters->no_handler++;
	return 0;
}

#define DISPATCH(name, copy)                                                                                           \
	SEC("tp_btf/sys_exit")                                                                                         \
	int name(unsigned long long *ctx) { return dispatch_as(ctx, copy); }
DISPATCH(dispatch, 0)
DISPATCH(dispatch_1, 1)
DISPATCH(dispatch_2, 2)
DISPATCH(dispatch_3, 3)

/* A call that has no event of its own: its number, as SC_ and as the machine's. */
SYSCALL(generic)
{
	struct fixed e;
	u32 nr = call_number(c->regs) & 511;

	if (!begin_fixed(&e, EV_GENERIC_X, N_GENERIC_X, 2 + 2))
		return 0;
	push_u16(&e, c->compat ? sc_ia32[nr] : sc_native[nr]);
	push_u16(&e, call_number(c->regs));
	return submit_fixed(&e);
}
