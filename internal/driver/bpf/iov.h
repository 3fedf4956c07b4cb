/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Vectors of buffers in user memory: readv, sendmsg and their like. */
#pragma once

#include "calls.h"

/* IOV_MAX_READ is how many buffers of one call are looked at, as many as Falco looks at. */
#define IOV_MAX_READ 32

/*
 * push_iov appends the first bytes of the buffers, at most limit and the snaplen, as one parameter. It returns the bytes of
 * all buffers together.
 */
INLINE u32 push_iov(const struct call *c, struct event *e, u64 iov, u64 count, u64 limit)
{
	u32 left = limit < snaplen ? limit : snaplen, size = 0, total = 0;
	/* Without branches, both for the two shapes of struct iovec and below: each would double what the verifier looks at. */
	const u64 old = c->compat ? ~0ULL : 0;
	const u32 stride = c->compat ? 8 : 16;
	u32 i = 0;

	ROUNDS (i, IOV_MAX_READ) {
		if (i >= count)
			break;
		/* The masks let the verifier see that one turn of the loop is like another; none of the values is ever larger. */
		asm volatile("%0 &= 0xffff" : "+r"(left));
		asm volatile("%0 &= 0xffff" : "+r"(size));
		u64 raw[2] = {};
		bpf_probe_read_user(raw, stride, (void *)(iov + i * stride));
		u64 base = raw[0] & ~(old << 32), n = (raw[0] >> 32 & old) | (raw[1] & ~old);
		s64 more = (s64)(n & 0x7fffffff) - left; /* below 0: the buffer is smaller than what is left */
		u32 len = left + (more & more >> 63), off = e->pos + size;
		asm volatile("%0 &= 0xffff" : "+r"(len));
		asm volatile("%0 &= 0xffff" : "+r"(off));
		total += n;
		s64 failed = bpf_probe_read_user(e->s->buf + off, len, (void *)base);
		failed >>= 63; /* all ones if so */
		len &= ~failed;
		left = (left - len) & ~failed;
		size += len;
	}
	took(e, size);
	return total;
}

/* struct user_msghdr and struct compat_msghdr (include/linux/socket.h, include/net/compat.h) as far as events need them. */
struct message {
	u64 name, iov, count, control;
	u32 control_len;
	u32 name_len;
};

/* read_message reads a message header in user memory; false when it cannot be read. */
INLINE bool read_message(const struct call *c, u64 p, struct message *m)
{
	u64 native[6];
	u32 old[6];

	if (c->compat) {
		if (bpf_probe_read_user(old, sizeof(old), (void *)p))
			return false;
		m->name = old[0];
		m->name_len = old[1];
		m->iov = old[2];
		m->count = old[3];
		m->control = old[4];
		m->control_len = old[5];
		return true;
	}
	if (bpf_probe_read_user(native, sizeof(native), (void *)p))
		return false;
	m->name = native[0];
	m->name_len = native[1];
	m->iov = native[2];
	m->count = native[3];
	m->control = native[4];
	m->control_len = native[5];
	return true;
}
