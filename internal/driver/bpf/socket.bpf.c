/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Socket calls. 32-bit callers may make them through socketcall(2), so arguments are taken with sock_arg. */
#include "socket.h"

#define EINPROGRESS 115

INLINE s64 sock_fd(const struct call *c, int n) { return (s32)sock_arg(c, n); }

/* family_of keeps the families that events have names for (AF_NFC is the last). */
INLINE u32 family_of(u32 f) { return f <= PPM_AF_NFC ? f : PPM_AF_UNSPEC; }

/* ---------------------------------------------------------------- making and naming */

FIXED(socket, SOCKET_SOCKET_X, 8 + 4 + 4 + 4 + 4)
{
	u32 type = sock_arg(c, 1);

	push_s64(e, c->ret);
	push_u32(e, family_of(sock_arg(c, 0)));
	push_u32(e, type);
	push_u32(e, sock_arg(c, 2));
	push_u32(e, cloexec_flags(type));
}

FIXED(socketpair, SOCKET_SOCKETPAIR_X, 8 + 8 + 8 + 8 + 8 + 4 + 4 + 4)
{
	s32 fd[2] = {-1, -1};
	struct sock *sk = NULL, *peer = NULL;

	if (!c->ret && bpf_probe_read_user(fd, sizeof(fd), (void *)sock_arg(c, 3)))
		fd[0] = fd[1] = -1;
	if (fd[0] >= 0) {
		sk = sock_of(c->task, fd[0]);
		struct unix_sock *u = (void *)sk;
		peer = sk ? RD(u, peer) : NULL;
	}
	push_s64(e, c->ret);
	push_s64(e, fd[0]);
	push_s64(e, fd[1]);
	push_u64(e, (u64)sk);
	push_u64(e, (u64)peer);
	push_u32(e, family_of(sock_arg(c, 0)));
	push_u32(e, sock_arg(c, 1));
	push_u32(e, sock_arg(c, 2));
}

BUILT(bind, SOCKET_BIND_X)
{
	push_s64(e, c->ret);
	push_sockaddr(e, sock_arg(c, 1), sock_arg(c, 2));
	push_s64(e, sock_fd(c, 0));
}

/* The tuple of a successful connect is the socket's own; so is the address, as long as the socket has a peer. */
BUILT(connect, SOCKET_CONNECT_X)
{
	s64 fd = sock_fd(c, 0);
	u64 name = sock_arg(c, 1);
	u32 len = sock_arg(c, 2);
	bool connected = !c->ret || c->ret == -EINPROGRESS;

	push_s64(e, c->ret);
	if (connected)
		push_tuple(c, e, fd, OUTBOUND, name, len);
	else
		push_empty(e);
	push_s64(e, fd);
	if (!connected || !push_peer(c, e, fd))
		push_sockaddr(e, name, len);
}

FIXED(listen, SOCKET_LISTEN_X, 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_s64(e, sock_fd(c, 0));
	push_s32(e, sock_arg(c, 1));
}

/* push_accepted appends the tuple of the new connection and how full the queue of the listening socket is. */
INLINE void push_accepted(struct call *c, struct event *e)
{
	u32 length = 0, max = 0;

	push_s64(e, c->ret);
	if (c->ret >= 0) {
		struct sock *sk = sock_of(c->task, sock_fd(c, 0));
		push_tuple(c, e, c->ret, INBOUND, 0, 0);
		length = sk ? RD(sk, sk_ack_backlog) : 0;
		max = sk ? RD(sk, sk_max_ack_backlog) : 0;
	} else {
		push_empty(e);
	}
	push_u8(e, max ? (u64)length * 100 / max : 0);
	push_u32(e, length);
	push_u32(e, max);
}

BUILT(accept, SOCKET_ACCEPT_5_X)
{
	push_accepted(c, e);
}

BUILT(accept4, SOCKET_ACCEPT4_6_X)
{
	push_accepted(c, e);
	push_s32(e, cloexec_flags(sock_arg(c, 3)));
}

FIXED(shutdown, SOCKET_SHUTDOWN_X, 8 + 8 + 1)
{
	u32 how = sock_arg(c, 1);

	push_s64(e, c->ret);
	push_s64(e, sock_fd(c, 0));
	push_u8(e, how <= PPM_SHUT_RDWR ? how : (u8)PPM_SHUT_UNKNOWN);
}

FIXED(getsockname, SOCKET_GETSOCKNAME_X, 0) {}
FIXED(getpeername, SOCKET_GETPEERNAME_X, 0) {}

/* ---------------------------------------------------------------- options */

#define SOL_SOCKET 1
#define SOL_TCP 6

/* The kernel's numbers of options that events number otherwise (include/uapi/asm-generic/socket.h). */
#define SO_ERROR 4
#define SO_LINGER 13
#define SO_PEERCRED 17
#define SO_RCVTIMEO 20
#define SO_SNDTIMEO 21
#define SO_ATTACH_FILTER 26
#define SO_PEERNAME 28
#define SO_INCOMING_CPU 49
#define SO_ATTACH_BPF 50
#define SO_MEMINFO 55
#define SO_COOKIE 57
#define SO_PEERGROUPS 59
#define SO_TIMESTAMP_NEW 63
#define SO_TIMESTAMPNS_NEW 64
#define SO_TIMESTAMPING_NEW 65
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67

INLINE u8 option_level(u32 level)
{
	return level == SOL_SOCKET ? PPM_SOL_SOCKET : level == SOL_TCP ? PPM_SOL_TCP : 0;
}

INLINE u8 option_name(u32 level, u32 name)
{
	if (level != SOL_SOCKET)
		return 0;
	switch (name) {
	case SO_MEMINFO: return PPM_SO_MEMINFO;
	case SO_COOKIE: return PPM_SO_COOKIE;
	case SO_PEERGROUPS: return PPM_SO_PEERGROUPS;
	case SO_TIMESTAMP_NEW: return PPM_SO_TIMESTAMP;
	case SO_TIMESTAMPNS_NEW: return PPM_SO_TIMESTAMPNS;
	case SO_TIMESTAMPING_NEW: return PPM_SO_TIMESTAMPING;
	case SO_RCVTIMEO_NEW: return PPM_SO_RCVTIMEO;
	case SO_SNDTIMEO_NEW: return PPM_SO_SNDTIMEO;
	}
	return name <= SO_ATTACH_BPF ? name : 0;
}

/* The types of the value, by index (sockopt_dynamic_param). */
enum { OPTION_BYTES, OPTION_ERRNO, OPTION_UINT32, OPTION_UINT64, OPTION_TIME };

/* option_type says how an option's value is sent: most are ints, structures and unknown ones go as they are. */
INLINE u8 option_type(u32 level, u32 name)
{
	if (level != SOL_SOCKET)
		return OPTION_BYTES;
	switch (name) {
	case SO_ERROR:
		return OPTION_ERRNO;
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
	case SO_RCVTIMEO_NEW:
	case SO_SNDTIMEO_NEW:
		return OPTION_TIME;
	case SO_COOKIE:
		return OPTION_UINT64;
	case SO_LINGER:
	case SO_PEERCRED:
	case SO_ATTACH_FILTER:
	case SO_PEERNAME:
		return OPTION_BYTES;
	}
	return name && name <= SO_INCOMING_CPU ? OPTION_UINT32 : OPTION_BYTES;
}

/* push_option appends the value of an option at p; a value that cannot be read leaves only its type. */
INLINE void push_option(struct call *c, struct event *e, u32 level, u32 name, u64 p, u32 len)
{
	u8 type = option_type(level, name), *out = at(e);
	u64 v = 0;

	out[0] = type;
	switch (type) {
	case OPTION_ERRNO:
		*(s64 *)(out + 1) = -(s64)(s32)user_u32(p);
		return took(e, 9);
	case OPTION_UINT32:
		*(u32 *)(out + 1) = user_u32(p);
		return took(e, 5);
	case OPTION_UINT64:
		bpf_probe_read_user(&v, sizeof(v), (void *)p);
		*(u64 *)(out + 1) = v;
		return took(e, 9);
	case OPTION_TIME:
		*(u64 *)(out + 1) = user_word(c, p, 0) * 1000000000ULL + user_word(c, p, 1) * 1000;
		return took(e, 9);
	}
	if (len > snaplen)
		len = snaplen;
	asm volatile("%0 &= 0xffff" : "+r"(len));
	if (!p || !len || bpf_probe_read_user(out + 1, len, (void *)p))
		len = 0;
	took(e, 1 + len);
}

BUILT(setsockopt, SOCKET_SETSOCKOPT_X)
{
	u32 level = sock_arg(c, 1), name = sock_arg(c, 2), len = sock_arg(c, 4);

	push_s64(e, c->ret);
	push_s64(e, sock_fd(c, 0));
	push_u8(e, option_level(level));
	push_u8(e, option_name(level, name));
	push_option(c, e, level, name, sock_arg(c, 3), len);
	push_u32(e, len);
}

BUILT(getsockopt, SOCKET_GETSOCKOPT_X)
{
	u32 level = sock_arg(c, 1), name = sock_arg(c, 2), len = user_u32(sock_arg(c, 4));

	push_s64(e, c->ret);
	push_s64(e, sock_fd(c, 0));
	push_u8(e, option_level(level));
	push_u8(e, option_name(level, name));
	push_option(c, e, level, name, sock_arg(c, 3), len);
	push_u32(e, len);
}
