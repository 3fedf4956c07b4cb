/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* close(2): int close(int fd) */
#include "saker.h"

SYSCALL(close)
{
	struct fixed e;

	if (!begin_fixed(&e, EV_SYSCALL_CLOSE_X, N_SYSCALL_CLOSE_X, 8 + 8))
		return 0;
	push_s64(&e, c->ret);
	push_s64(&e, (s32)arg(c, 0));
	return submit_fixed(&e);
}
