/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Calls that make, copy, close or ask about descriptors. */
#include "calls.h"

/* ---------------------------------------------------------------- copy and close */

FIXED(dup, SYSCALL_DUP_1_X, 8 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
}

FIXED(dup2, SYSCALL_DUP2_X, 8 + 8 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_s64(e, fd_arg(c, 1));
}

FIXED(dup3, SYSCALL_DUP3_X, 8 + 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_s64(e, fd_arg(c, 1));
	push_u32(e, pick(arg(c, 2), O_CLOEXEC, PPM_O_CLOEXEC));
}

FIXED(close_range, SYSCALL_CLOSE_RANGE_X, 8 + 4 + 4 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, arg(c, 0));
	push_u32(e, arg(c, 1));
	push_u32(e, arg(c, 2) & (PPM_CLOSE_RANGE_UNSHARE | PPM_CLOSE_RANGE_CLOEXEC));
}

/* fcntl_command numbers a command as events do (include/uapi/asm-generic/fcntl.h, include/uapi/linux/fcntl.h). */
INLINE u8 fcntl_command(u32 cmd)
{
	switch (cmd) {
	case 0: return PPM_F_DUPFD;
	case 1: return PPM_F_GETFD;
	case 2: return PPM_F_SETFD;
	case 3: return PPM_F_GETFL;
	case 4: return PPM_F_SETFL;
	case 5: return PPM_F_GETLK;
	case 6: return PPM_F_SETLK;
	case 7: return PPM_F_SETLKW;
	case 8: return PPM_F_SETOWN;
	case 9: return PPM_F_GETOWN;
	case 10: return PPM_F_SETSIG;
	case 11: return PPM_F_GETSIG;
	case 12: return PPM_F_GETLK64;
	case 13: return PPM_F_SETLK64;
	case 14: return PPM_F_SETLKW64;
	case 15: return PPM_F_SETOWN_EX;
	case 16: return PPM_F_GETOWN_EX;
	case 36: return PPM_F_OFD_GETLK;
	case 37: return PPM_F_OFD_SETLK;
	case 38: return PPM_F_OFD_SETLKW;
	case 1024: return PPM_F_SETLEASE;
	case 1025: return PPM_F_GETLEASE;
	case 1026: return PPM_F_NOTIFY;
	case 1029: return PPM_F_CANCELLK;
	case 1030: return PPM_F_DUPFD_CLOEXEC;
	case 1031: return PPM_F_SETPIPE_SZ;
	case 1032: return PPM_F_GETPIPE_SZ;
	}
	return 0;
}

FIXED(fcntl, SYSCALL_FCNTL_X, 8 + 8 + 1 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u8(e, fcntl_command(arg(c, 1)));
	push_u64(e, arg(c, 2));
}

/* ---------------------------------------------------------------- pipes */

struct pair {
	s32 fd[2];
	u64 ino;
};

/* read_pair reads the two descriptors that a successful call stored at p, with the inode of the first. */
INLINE void read_pair(const struct call *c, u64 p, struct pair *r)
{
	r->fd[0] = r->fd[1] = -1;
	r->ino = 0;
	if (c->ret)
		return;
	if (bpf_probe_read_user(r->fd, sizeof(r->fd), (void *)p)) {
		r->fd[0] = r->fd[1] = -1;
		return;
	}
	struct file *f = file_of(c->task, r->fd[0]);
	if (f)
		r->ino = RD(RD(f, f_inode), i_ino);
}

FIXED(pipe, SYSCALL_PIPE_X, 8 + 8 + 8 + 8)
{
	struct pair p;

	read_pair(c, arg(c, 0), &p);
	push_s64(e, c->ret);
	push_s64(e, p.fd[0]);
	push_s64(e, p.fd[1]);
	push_u64(e, p.ino);
}

FIXED(pipe2, SYSCALL_PIPE2_X, 8 + 8 + 8 + 8 + 4)
{
	struct pair p;
	u32 flags = arg(c, 1);

	read_pair(c, arg(c, 0), &p);
	push_s64(e, c->ret);
	push_s64(e, p.fd[0]);
	push_s64(e, p.fd[1]);
	push_u64(e, p.ino);
	push_u32(e, cloexec_flags(flags) | pick(flags, O_DIRECT, PPM_O_DIRECT));
}

/* ---------------------------------------------------------------- descriptors without a file */

FIXED(eventfd, SYSCALL_EVENTFD_X, 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_u64(e, (u32)arg(c, 0));
	push_u32(e, 0);
}

FIXED(eventfd2, SYSCALL_EVENTFD2_X, 8 + 2 + 8)
{
	push_s64(e, c->ret);
	push_u16(e, cloexec_flags(arg(c, 1)));
	push_u64(e, (u32)arg(c, 0));
}

FIXED(signalfd, SYSCALL_SIGNALFD_X, 8 + 8 + 4 + 1)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u32(e, user_u32(arg(c, 1)));
	push_u8(e, 0);
}

/* Of the set of signals the first 32 are sent, as many as the parameter holds. */
FIXED(signalfd4, SYSCALL_SIGNALFD4_X, 8 + 2 + 8 + 4)
{
	push_s64(e, c->ret);
	push_u16(e, cloexec_flags(arg(c, 3)));
	push_s64(e, fd_arg(c, 0));
	push_u32(e, user_u32(arg(c, 1)));
}

/* The parameter for flags has 8 bits, which do not hold PPM_O_CLOEXEC. */
FIXED(timerfd_create, SYSCALL_TIMERFD_CREATE_X, 8 + 1 + 1)
{
	push_s64(e, c->ret);
	push_u8(e, arg(c, 0));
	push_u8(e, cloexec_flags(arg(c, 1)));
}

FIXED(inotify_init, SYSCALL_INOTIFY_INIT_X, 8 + 1)
{
	push_s64(e, c->ret);
	push_u8(e, 0);
}

FIXED(inotify_init1, SYSCALL_INOTIFY_INIT1_X, 8 + 2)
{
	push_s64(e, c->ret);
	push_u16(e, cloexec_flags(arg(c, 0)));
}

FIXED(epoll_create, SYSCALL_EPOLL_CREATE_X, 8 + 4)
{
	push_s64(e, c->ret);
	push_s32(e, arg(c, 0));
}

FIXED(epoll_create1, SYSCALL_EPOLL_CREATE1_X, 8 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, pick(arg(c, 0), O_CLOEXEC, PPM_EPOLL_CLOEXEC));
}

FIXED(userfaultfd, SYSCALL_USERFAULTFD_X, 8 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, cloexec_flags(arg(c, 0)));
}

FIXED(pidfd_open, SYSCALL_PIDFD_OPEN_X, 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u32(e, pick(arg(c, 1), O_NONBLOCK, PPM_PIDFD_NONBLOCK));
}

FIXED(pidfd_getfd, SYSCALL_PIDFD_GETFD_X, 8 + 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_s64(e, fd_arg(c, 1));
	push_u32(e, arg(c, 2));
}

BUILT(memfd_create, SYSCALL_MEMFD_CREATE_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, arg(c, 1) & (PPM_MFD_CLOEXEC | PPM_MFD_ALLOW_SEALING | PPM_MFD_HUGETLB));
}

/* ---------------------------------------------------------------- asking and changing */

FIXED(fchdir, SYSCALL_FCHDIR_X, 8 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
}

FIXED(fchmod, SYSCALL_FCHMOD_X, 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u32(e, arg(c, 1) & 07777);
}

FIXED(fchown, SYSCALL_FCHOWN_X, 8 + 8 + 4 + 4)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u32(e, id_arg(c, 1));
	push_u32(e, id_arg(c, 2));
}

FIXED(fstat, SYSCALL_FSTAT_X, 8 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
}

FIXED(fstat64, SYSCALL_FSTAT64_X, 8)
{
	push_s64(e, c->ret);
}

FIXED(getdents, SYSCALL_GETDENTS_X, 8 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
}

FIXED(getdents64, SYSCALL_GETDENTS64_X, 8 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
}

FIXED(flock, SYSCALL_FLOCK_X, 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u32(e, arg(c, 1) & (PPM_LOCK_SH | PPM_LOCK_EX | PPM_LOCK_NB | PPM_LOCK_UN));
}

/* whence_of numbers lseek's third argument; SEEK_DATA and SEEK_HOLE have no name in events. */
INLINE u8 whence_of(u32 whence) { return whence <= 2 ? whence : PPM_SEEK_SET; }

FIXED(lseek, SYSCALL_LSEEK_X, 8 + 8 + 8 + 1)
{
	s64 offset = c->compat ? (s32)arg(c, 1) : (s64)arg(c, 1);

	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u64(e, offset);
	push_u8(e, whence_of(arg(c, 2)));
}

FIXED(_llseek, SYSCALL_LLSEEK_X, 8 + 8 + 8 + 1)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u64(e, arg(c, 1) << 32 | (u32)arg(c, 2));
	push_u8(e, whence_of(arg(c, 4)));
}

FIXED(ioctl, SYSCALL_IOCTL_3_X, 8 + 8 + 8 + 8)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u64(e, arg(c, 1));
	push_u64(e, arg(c, 2));
}
