/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Addresses of sockets, in the encodings of events (scap-format.md §7: SOCKADDR, SOCKTUPLE). */
#pragma once

#include "iov.h"

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define UNIX_PATH 108 /* of sun_path */

/* The members of user memory's addresses: family, then port, address (inet); family, port, flow, address (inet6). */
#define SIN_PORT 2
#define SIN_ADDR 4
#define SIN6_ADDR 8

INLINE u16 host16(u16 v) { return __builtin_bswap16(v); }

/* sock_of returns the raw socket behind a descriptor of the current process, NULL when it is none. */
INLINE struct sock *sock_of(struct task_struct *task, s32 fd)
{
	struct file *f = file_of(task, fd);
	if (!f || (RD(RD(f, f_inode), i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	struct socket *s = RD(f, private_data);
	return s ? RD(s, sk) : NULL;
}

/* One end of an IPv4 or IPv6 connection, both members in network order. */
struct end {
	u64 addr[2]; /* IPv4: the low half of the first */
	u16 port;
};

INLINE void copy_in6(const void *raw, struct end *e)
{
	e->addr[0] = deref_u64(raw);
	e->addr[1] = deref_u64(raw + 8);
}

/* user_end reads an address of the given family in user memory; an address of another family is not used. */
INLINE void user_end(u64 p, u16 family, struct end *e)
{
	u16 f = 0;

	if (!p || bpf_probe_read_user(&f, sizeof(f), (void *)p) || f != family)
		return;
	bpf_probe_read_user(&e->port, sizeof(e->port), (void *)(p + SIN_PORT));
	if (family == AF_INET)
		bpf_probe_read_user(&e->addr[0], 4, (void *)(p + SIN_ADDR));
	else
		bpf_probe_read_user(e->addr, 16, (void *)(p + SIN6_ADDR));
}

/* socket_ends fills both ends from the kernel's socket; name is used as the other end where the socket has none. */
INLINE void socket_ends(struct sock *sk, u16 family, u64 name, struct end *here, struct end *there)
{
	struct inet_sock *inet = (void *)sk;

	here->port = RD(inet, inet_sport);
	there->port = RD(sk, __sk_common.skc_dport);
	if (family == AF_INET) {
		here->addr[0] = RD(inet, inet_saddr);
		there->addr[0] = RD(sk, __sk_common.skc_daddr);
	} else {
		struct ipv6_pinfo *six = RD(inet, pinet6);
		copy_in6(&six->saddr, here);
		copy_in6(&sk->__sk_common.skc_v6_daddr, there);
	}
	if (!there->port)
		user_end(name, family, there);
}

/* put_end writes an end as address and port; it returns the bytes written. */
INLINE u32 put_end(u8 *p, u16 family, const struct end *e)
{
	if (family == AF_INET) {
		*(u32 *)p = e->addr[0];
		*(u16 *)(p + 4) = host16(e->port);
		return 6;
	}
	*(u64 *)p = e->addr[0];
	*(u64 *)(p + 8) = e->addr[1];
	*(u16 *)(p + 16) = host16(e->port);
	return 18;
}

/*
 * kernel_unix_path writes the name a unix socket is bound to, with a NUL, and returns its length. The NUL that marks an
 * abstract name is left out. Names end where their address does: abstract ones have no NUL at the end.
 */
INLINE u32 kernel_unix_path(u8 *p, struct sock *sk)
{
	struct unix_sock *u = (void *)sk;
	struct unix_address *a = sk ? RD(u, addr) : NULL;
	s32 len = a ? RD(a, len) - 2 : 0;
	const char *name = (const char *)&a->name[0].sun_path;

	p[0] = 0;
	if (len <= 0 || len > UNIX_PATH)
		return 1;
	u64 first = deref_u64(name);
	if (!(first & 0xff)) {
		name++;
		len--;
	}
	u32 n = len;
	asm volatile("%0 &= 127" : "+r"(n));
	if (has_probe_read) {
		if (bpf_probe_read_kernel(p, n, name))
			n = 0;
	} else {
		for (int i = 0; i < UNIX_PATH / 8 + 1; i++)
			*(u64 *)(p + 8 * i) = deref_u64(name + 8 * i);
	}
	u32 last = n - 1;
	asm volatile("%0 &= 127" : "+r"(last));
	if (n && !p[last])
		return n;
	p[n] = 0;
	return n + 1;
}

/* user_unix_path is kernel_unix_path for an address of len bytes in user memory. */
INLINE u32 user_unix_path(u8 *p, u64 name, u32 len)
{
	u8 first = 0;

	name += 2;
	len = len > 2 ? len - 2 : 0;
	if (len > UNIX_PATH)
		len = UNIX_PATH;
	bpf_probe_read_user(&first, 1, (void *)name);
	if (!first && len) {
		name++;
		len--;
	}
	len++;
	asm volatile("%0 &= 127" : "+r"(len));
	long n = bpf_probe_read_user_str(p, len, (void *)name);
	if (n > 0)
		return n;
	p[0] = 0;
	return 1;
}

/* Which end of a tuple comes first: ours where we send or connect, theirs where we receive or accept. */
enum direction { OUTBOUND, INBOUND };

/*
 * push_tuple appends both ends of the socket behind fd, as the kernel knows them; empty when it is no socket of a known
 * family. name is an address in user memory, of name_len bytes, for datagrams of sockets that are not connected, or 0.
 */
INLINE void push_tuple(struct call *c, struct event *e, s32 fd, enum direction d, u64 name, u32 name_len)
{
	struct sock *sk = sock_of(c->task, fd);
	u16 family = sk ? RD(sk, __sk_common.skc_family) : 0;
	u8 *p = at(e);

	p[0] = family;
	if (family == AF_INET || family == AF_INET6) {
		struct end here = {}, there = {};
		socket_ends(sk, family, name, &here, &there);
		u32 n = put_end(p + 1, family, d == OUTBOUND ? &here : &there);
		return took(e, 1 + n + put_end(p + 1 + n, family, d == OUTBOUND ? &there : &here));
	}
	if (family != AF_UNIX)
		return took(e, 0);
	struct unix_sock *u = (void *)sk;
	struct sock *peer = RD(u, peer);
	*(u64 *)(p + 1) = (u64)(d == OUTBOUND ? peer : sk);
	*(u64 *)(p + 9) = (u64)(d == OUTBOUND ? sk : peer);
	if (d == OUTBOUND && !peer && name)
		return took(e, 17 + user_unix_path(p + 17, name, name_len));
	took(e, 17 + kernel_unix_path(p + 17, d == OUTBOUND ? peer : sk));
}

/* push_sockaddr appends an address in user memory; empty when it cannot be read or is of another family. */
INLINE void push_sockaddr(struct event *e, u64 name, u32 len)
{
	struct end end = {};
	u16 family = 0;
	u8 *p = at(e);

	if (len < 2 || bpf_probe_read_user(&family, sizeof(family), (void *)name))
		return took(e, 0);
	p[0] = family;
	if (family == AF_UNIX)
		return took(e, 1 + user_unix_path(p + 1, name, len));
	if (family != AF_INET && family != AF_INET6)
		return took(e, 0);
	user_end(name, family, &end);
	took(e, 1 + put_end(p + 1, family, &end));
}

/*
 * push_peer appends the address that a socket is connected to, from the kernel's socket; it is push_sockaddr that another
 * thread cannot deceive. False, with nothing appended, when the socket knows no peer.
 */
INLINE bool push_peer(struct call *c, struct event *e, s32 fd)
{
	struct sock *sk = sock_of(c->task, fd);
	u16 family = sk ? RD(sk, __sk_common.skc_family) : 0;
	u8 *p = at(e);

	p[0] = family;
	if (family == AF_INET || family == AF_INET6) {
		struct end here = {}, there = {};
		socket_ends(sk, family, 0, &here, &there);
		if (!there.port)
			return false;
		took(e, 1 + put_end(p + 1, family, &there));
		return true;
	}
	if (family != AF_UNIX)
		return false;
	struct unix_sock *u = (void *)sk;
	struct sock *peer = RD(u, peer);
	if (!peer)
		return false;
	took(e, 1 + kernel_unix_path(p + 1, peer));
	return true;
}
