/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Short forms for programs that do nothing but put parameters one after another. The block gets the call c and the event
 * e, and pushes the parameters:
 *
 *     FIXED(dup, SYSCALL_DUP_1_X, 8 + 8)        parameters of constant size, with their bytes
 *     {
 *         push_s64(e, c->ret);
 *         push_s64(e, fd_arg(c, 0));
 *     }
 *
 *     BUILT(unlink, SYSCALL_UNLINK_2_X)         anything else
 */
#pragma once

#include "saker.h"
#include "open.h"

#define FIXED(name, code, bytes)                                                                                       \
	INLINE void fill_##name(struct call *c, struct fixed *e);                                                      \
	SYSCALL(name)                                                                                                  \
	{                                                                                                              \
		struct fixed e;                                                                                        \
		if (!begin_fixed(&e, EV_##code, N_##code, bytes))                                                      \
			return 0;                                                                                      \
		fill_##name(c, &e);                                                                                    \
		return submit_fixed(&e);                                                                               \
	}                                                                                                              \
	INLINE void fill_##name(struct call *c, struct fixed *e)

#define BUILT(name, code)                                                                                              \
	INLINE void fill_##name(struct call *c, struct event *e);                                                      \
	SYSCALL(name)                                                                                                  \
	{                                                                                                              \
		struct event e;                                                                                        \
		if (!begin(&e, EV_##code, N_##code))                                                                   \
			return 0;                                                                                      \
		fill_##name(c, &e);                                                                                    \
		return submit(&e);                                                                                     \
	}                                                                                                              \
	INLINE void fill_##name(struct call *c, struct event *e)

/* fd_arg is a descriptor, pid or other int argument, extended to the 64 bits it has in events. */
INLINE s64 fd_arg(const struct call *c, int n) { return (s32)arg(c, n); }

/* pick returns to when any bit of from is set in flags. */
#define pick(flags, from, to) ((flags) & (from) ? (to) : 0)

/* cloexec_flags are the two flags that most calls which make a descriptor take, as PPM_O_ bits. */
INLINE u32 cloexec_flags(u32 f)
{
	return pick(f, O_NONBLOCK, PPM_FILE_FLAGS_O_NONBLOCK) | pick(f, O_CLOEXEC, PPM_O_CLOEXEC);
}

/* old_call: an ia32 call from before the kernel had 32-bit user and group ids; the newer ones begin at 198 (lchown32). */
INLINE bool old_call(const struct call *c)
{
#if defined(__TARGET_ARCH_x86)
	return c->compat && call_number(c->regs) < 198;
#else
	return false;
#endif
}

/* id_arg is a user or group id. Old ia32 calls pass 16 bits, of which all ones mean -1 (include/linux/highuid.h). */
INLINE u32 id_arg(const struct call *c, int n)
{
	u32 id = arg(c, n);
	if (!old_call(c))
		return id;
	return (u16)id == 0xffff ? (u32)-1 : (u16)id;
}

/* user_u32 reads an int or unsigned in user memory, 0 when it cannot be read. */
INLINE u32 user_u32(u64 p)
{
	u32 v = 0;
	bpf_probe_read_user(&v, sizeof(v), (void *)p);
	return v;
}

/* user_time reads a timespec in user memory (of 32-bit members for a 32-bit caller) in ns, 0 when it cannot be read. */
INLINE u64 user_time(const struct call *c, u64 p)
{
	return user_word(c, p, 0) * 1000000000ULL + user_word(c, p, 1);
}
