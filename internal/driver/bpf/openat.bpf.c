/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* openat(2): int openat(int dirfd, const char *path, int flags, mode_t mode) */
#include "open.h"

SYSCALL(openat)
{
	struct event e;
	struct fdinfo i;
	u32 flags = arg(c, 2);

	if (!begin(&e, EV_SYSCALL_OPENAT_2_X, N_SYSCALL_OPENAT_2_X))
		return 0;
	describe(c->task, c->ret, &i);
	push_s64(&e, c->ret);
	push_s64(&e, dirfd_of(arg(c, 0)));
	push_user_str(&e, arg(c, 1));
	push_u32(&e, open_flags(flags) | i.flags);
	push_u32(&e, open_mode(flags, arg(c, 3)));
	push_u32(&e, i.dev);
	push_u64(&e, i.ino);
	return submit(&e);
}
