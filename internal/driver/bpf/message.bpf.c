/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Calls that send and receive through sockets. Data is cut at the snaplen; a failed send is shown with what it tried to send. */
#include "socket.h"

INLINE s64 message_fd(const struct call *c) { return (s32)sock_arg(c, 0); }

/* sockaddr_len is what recvfrom stored at its last argument. */
INLINE u32 sockaddr_len(u64 p) { return p ? user_u32(p) : 0; }

/* ---------------------------------------------------------------- one buffer */

INLINE void push_send(struct call *c, struct event *e, u64 name, u32 name_len)
{
	u32 size = sock_arg(c, 2);
	s64 fd = message_fd(c);

	push_s64(e, c->ret);
	push_user_bytes(e, sock_arg(c, 1), c->ret > 0 ? c->ret : size);
	push_s64(e, fd);
	push_u32(e, size);
	if (c->ret >= 0)
		push_tuple(c, e, fd, OUTBOUND, name, name_len);
	else
		push_empty(e);
}

BUILT(sendto, SOCKET_SENDTO_X)
{
	push_send(c, e, sock_arg(c, 4), sock_arg(c, 5));
}

/* send and recv are calls of their own only through socketcall. */
BUILT(send, SOCKET_SEND_X)
{
	push_send(c, e, 0, 0);
}

BUILT(recvfrom, SOCKET_RECVFROM_X)
{
	s64 fd = message_fd(c);

	push_s64(e, c->ret);
	push_user_bytes(e, sock_arg(c, 1), c->ret);
	if (c->ret >= 0)
		push_tuple(c, e, fd, INBOUND, sock_arg(c, 4), sockaddr_len(sock_arg(c, 5)));
	else
		push_empty(e);
	push_s64(e, fd);
	push_u32(e, sock_arg(c, 2));
}

BUILT(recv, SOCKET_RECV_X)
{
	s64 fd = message_fd(c);

	push_s64(e, c->ret);
	push_user_bytes(e, sock_arg(c, 1), c->ret);
	push_s64(e, fd);
	push_u32(e, sock_arg(c, 2));
	if (c->ret >= 0)
		push_tuple(c, e, fd, INBOUND, 0, 0);
	else
		push_empty(e);
}

/* ---------------------------------------------------------------- one message */

BUILT(sendmsg, SOCKET_SENDMSG_X)
{
	struct message m;
	s64 fd = message_fd(c);

	push_s64(e, c->ret);
	if (!read_message(c, sock_arg(c, 1), &m)) {
		push_empty(e);
		push_s64(e, fd);
		push_empty(e);
		push_empty(e);
		return;
	}
	u32 size = push_iov(c, e, m.iov, m.count, c->ret > 0 ? c->ret : SNAPLEN_MAX);
	push_s64(e, fd);
	push_u32(e, size);
	if (c->ret >= 0)
		push_tuple(c, e, fd, OUTBOUND, m.name, m.name_len);
	else
		push_empty(e);
}

/* push_control appends the control data of a received message. */
INLINE void push_control(struct event *e, const struct message *m)
{
	took(e, user_bytes(e, m->control, m->control_len, SNAPLEN_MAX));
}

BUILT(recvmsg, SOCKET_RECVMSG_X)
{
	struct message m;
	s64 fd = message_fd(c);

	push_s64(e, c->ret);
	if (c->ret < 0 || !read_message(c, sock_arg(c, 1), &m)) {
		push_u32(e, 0);
		push_empty(e);
		push_empty(e);
		push_empty(e);
		push_s64(e, fd);
		return;
	}
	push_u32(e, c->ret);
	push_iov(c, e, m.iov, m.count, c->ret);
	push_tuple(c, e, fd, INBOUND, m.name, m.name_len);
	push_control(e, &m);
	push_s64(e, fd);
}

/* ---------------------------------------------------------------- many messages */

/* MESSAGES_MAX is how many messages of one call are sent, one event each, as many as Falco sends. */
#define MESSAGES_MAX 16

/*
 * Each message is one run of the program, which calls itself for the next: a loop over messages with their loops over
 * buffers is more than the verifiers of older kernels look at. Which message is next is kept in the CPU's scratch buffer, or
 * where the thread may be preempted between two runs with its turn; it is 0 whenever no such call is being looked at.
 */
INLINE u32 next_message(void)
{
	u32 slot = LANES * bpf_get_smp_processor_id() + LANE_SYSCALL;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &slot);
	if (preemptible) {
		u8 *turn = turn_of_thread();
		return turn ? *turn >> TURN_SHIFT : 0;
	}
	return s ? *(volatile u32 *)&s->next : 0;
}

INLINE void set_next_message(u32 i)
{
	u32 slot = LANES * bpf_get_smp_processor_id() + LANE_SYSCALL;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &slot);
	if (preemptible) {
		u8 *turn = turn_of_thread();
		if (turn)
			*turn = (*turn & TURN_COPY) | i << TURN_SHIFT;
		return;
	}
	if (s)
		*(volatile u32 *)&s->next = i;
}

/* again runs the program of system call sc for the message after i, if there is one that is to be sent. */
INLINE int again(struct call *c, u32 i, u32 sc)
{
	if (i + 1 < MESSAGES_MAX && (long)i + 1 < c->ret) {
		set_next_message(i + 1);
		go_on(); /* the program that is called stays again */
		bpf_tail_call(c->ctx, &handlers, sc);
		stay();
	}
	set_next_message(0);
	return 0;
}

/* read_message_at reads message i of a struct mmsghdr array, and its length, which follows the header. */
INLINE bool read_message_at(const struct call *c, u64 p, u32 i, struct message *m, u32 *len)
{
	p += i * (c->compat ? 32 : 64);
	*len = user_u32(p + (c->compat ? 28 : 56));
	return read_message(c, p, m);
}

SYSCALL(sendmmsg)
{
	struct event e;
	struct message m;
	s64 fd = message_fd(c);
	u32 i = next_message(), len;

	if (!begin(&e, EV_SOCKET_SENDMMSG_X, N_SOCKET_SENDMMSG_X))
		return 0;
	if (c->ret <= 0 || !read_message_at(c, sock_arg(c, 1), i, &m, &len)) {
		set_next_message(0);
		push_s64(&e, c->ret);
		push_s64(&e, fd);
		push_u32(&e, 0);
		push_empty(&e);
		push_empty(&e);
		return submit(&e);
	}
	push_s64(&e, len);
	push_s64(&e, fd);
	/* The size comes before the data, but is known only after it. */
	u32 *size = (u32 *)at(&e);
	push_u32(&e, 0);
	*size = push_iov(c, &e, m.iov, m.count, len ? len : SNAPLEN_MAX);
	push_tuple(c, &e, fd, OUTBOUND, m.name, m.name_len);
	submit(&e);
	return again(c, i, SC_SENDMMSG);
}

SYSCALL(recvmmsg)
{
	struct event e;
	struct message m;
	s64 fd = message_fd(c);
	u32 i = next_message(), len;

	if (!begin(&e, EV_SOCKET_RECVMMSG_X, N_SOCKET_RECVMMSG_X))
		return 0;
	if (c->ret <= 0 || !read_message_at(c, sock_arg(c, 1), i, &m, &len)) {
		set_next_message(0);
		push_s64(&e, c->ret);
		push_s64(&e, fd);
		push_u32(&e, 0);
		push_empty(&e);
		push_empty(&e);
		push_empty(&e);
		return submit(&e);
	}
	push_s64(&e, len);
	push_s64(&e, fd);
	push_u32(&e, len);
	push_iov(c, &e, m.iov, m.count, len);
	push_tuple(c, &e, fd, INBOUND, m.name, m.name_len);
	push_control(&e, &m);
	submit(&e);
	return again(c, i, SC_RECVMMSG);
}
