/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Calls that move data through descriptors, or wait for them. Data is cut at the snaplen. */
#include "iov.h"

/* sent is how much of a buffer of size bytes a writing call used; a failed one is shown with what it tried to write. */
INLINE s64 sent(const struct call *c, u64 size) { return c->ret > 0 ? c->ret : (s64)size; }

/* position is the file offset of pread64 and its like, which ia32 passes as two halves from argument n on. */
INLINE u64 position(const struct call *c, int n)
{
	if (!c->compat)
		return arg(c, n);
	return n == 3 ? (u32)arg(c, 3) | arg(c, 4) << 32 : 0;
}

/* ---------------------------------------------------------------- one buffer */

BUILT(read, SYSCALL_READ_X)
{
	push_s64(e, c->ret);
	push_user_bytes(e, arg(c, 1), c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u32(e, arg(c, 2));
}

BUILT(write, SYSCALL_WRITE_X)
{
	push_s64(e, c->ret);
	push_user_bytes(e, arg(c, 1), sent(c, arg(c, 2)));
	push_s64(e, fd_arg(c, 0));
	push_u32(e, arg(c, 2));
}

BUILT(pread64, SYSCALL_PREAD_X)
{
	push_s64(e, c->ret);
	push_user_bytes(e, arg(c, 1), c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u32(e, arg(c, 2));
	push_u64(e, position(c, 3));
}

BUILT(pwrite64, SYSCALL_PWRITE_X)
{
	push_s64(e, c->ret);
	push_user_bytes(e, arg(c, 1), sent(c, arg(c, 2)));
	push_s64(e, fd_arg(c, 0));
	push_u32(e, arg(c, 2));
	push_u64(e, position(c, 3));
}

/* ---------------------------------------------------------------- many buffers */

BUILT(readv, SYSCALL_READV_X)
{
	push_s64(e, c->ret);
	push_u32(e, c->ret > 0 ? c->ret : 0);
	push_iov(c, e, arg(c, 1), arg(c, 2), c->ret > 0 ? c->ret : 0);
	push_s64(e, fd_arg(c, 0));
}

BUILT(preadv, SYSCALL_PREADV_X)
{
	push_s64(e, c->ret);
	push_u32(e, c->ret > 0 ? c->ret : 0);
	push_iov(c, e, arg(c, 1), arg(c, 2), c->ret > 0 ? c->ret : 0);
	push_s64(e, fd_arg(c, 0));
	push_u64(e, position(c, 3));
}

BUILT(writev, SYSCALL_WRITEV_X)
{
	push_s64(e, c->ret);
	u32 size = push_iov(c, e, arg(c, 1), arg(c, 2), sent(c, SNAPLEN_MAX));
	push_s64(e, fd_arg(c, 0));
	push_u32(e, size);
}

BUILT(pwritev, SYSCALL_PWRITEV_X)
{
	push_s64(e, c->ret);
	u32 size = push_iov(c, e, arg(c, 1), arg(c, 2), sent(c, SNAPLEN_MAX));
	push_s64(e, fd_arg(c, 0));
	push_u32(e, size);
	push_u64(e, position(c, 3));
}

/* The data of the two process_vm calls is in the caller's own buffers, the second and third argument of both. */
BUILT(process_vm_readv, SYSCALL_PROCESS_VM_READV_X)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_iov(c, e, arg(c, 1), arg(c, 2), c->ret > 0 ? c->ret : 0);
}

BUILT(process_vm_writev, SYSCALL_PROCESS_VM_WRITEV_X)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_iov(c, e, arg(c, 1), arg(c, 2), c->ret > 0 ? c->ret : 0);
}

/* ---------------------------------------------------------------- between descriptors */

FIXED(sendfile, SYSCALL_SENDFILE_X, 8 + 8 + 8 + 8 + 8)
{
	u64 offset = 0;

	/* Only sendfile of ia32 (187), not its sendfile64, has a 32-bit offset. */
	if (old_call(c))
		offset = user_u32(arg(c, 2));
	else
		bpf_probe_read_user(&offset, sizeof(offset), (void *)arg(c, 2));
	push_s64(e, c->ret);
	push_u64(e, offset);
	push_s64(e, fd_arg(c, 0));
	push_s64(e, fd_arg(c, 1));
	push_u64(e, arg(c, 3));
}

FIXED(splice, SYSCALL_SPLICE_X, 8 + 8 + 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_s64(e, fd_arg(c, 2));
	push_u64(e, arg(c, 4));
	push_u32(e, arg(c, 5) & (PPM_SPLICE_F_MOVE | PPM_SPLICE_F_NONBLOCK | PPM_SPLICE_F_MORE | PPM_SPLICE_F_GIFT));
}

FIXED(copy_file_range, SYSCALL_COPY_FILE_RANGE_X, 8 + 8 + 8 + 8 + 8 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 2));
	push_u64(e, arg(c, 3));
	push_s64(e, fd_arg(c, 0));
	push_u64(e, arg(c, 1));
	push_u64(e, arg(c, 4));
}

/* ---------------------------------------------------------------- waiting */

/* POLL_MAX is how many descriptors of a poll are sent, as many as Falco sends. */
#define POLL_MAX 16

struct pollfd {
	s32 fd;
	u16 events, revents;
};

/* poll_events numbers the bits as events do: POLLRDHUP moves down, the others make room (falco-param-flags.tsv has no table). */
INLINE u16 poll_events(u16 f)
{
	return (f & 0x0007) | pick(f, 0x2000, 1 << 3) | (f & 0x03f8) << 1;
}

/* push_polled appends the list of descriptors with the events that came. */
INLINE void push_polled(struct event *e, u64 p, u32 count)
{
	u8 *out = at(e);
	u32 n = 0;

	for (u32 i = 0; i < POLL_MAX; i++) {
		struct pollfd f;
		if (i >= count || bpf_probe_read_user(&f, sizeof(f), (void *)(p + i * sizeof(f))))
			break;
		*(s64 *)(out + 2 + 10 * i) = f.fd;
		*(u16 *)(out + 10 + 10 * i) = poll_events(f.revents);
		n++;
	}
	*(u16 *)out = n;
	took(e, 2 + 10 * n);
}

BUILT(poll, SYSCALL_POLL_X)
{
	push_s64(e, c->ret);
	push_polled(e, arg(c, 0), arg(c, 1));
	push_s64(e, fd_arg(c, 2));
}

BUILT(ppoll, SYSCALL_PPOLL_X)
{
	push_s64(e, c->ret);
	push_polled(e, arg(c, 0), arg(c, 1));
	push_u64(e, user_time(c, arg(c, 2)));
	push_u32(e, user_u32(arg(c, 3)));
}

FIXED(select, SYSCALL_SELECT_X, 8)
{
	push_s64(e, c->ret);
}

FIXED(epoll_wait, SYSCALL_EPOLLWAIT_X, 8 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 2));
}
