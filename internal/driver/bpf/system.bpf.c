/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Calls that change the machine: mounts, quotas, kernel modules, BPF, keys, io_uring, System V semaphores. */
#include "calls.h"

/* ---------------------------------------------------------------- mounts */

#define MS_MGC_VAL 0xC0ED0000 /* include/uapi/linux/mount.h: callers of the last century mark their flags with it */
#define MS_MGC_MSK 0xffff0000

BUILT(mount, SYSCALL_MOUNT_X)
{
	u32 flags = arg(c, 3);

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~MS_MGC_MSK;
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_user_str(e, arg(c, 1));
	push_user_str(e, arg(c, 2));
	push_u32(e, flags);
}

/* The old umount of 32-bit callers, which has no flags. */
BUILT(umount, SYSCALL_UMOUNT_1_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
}

BUILT(umount2, SYSCALL_UMOUNT2_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, arg(c, 1) & (PPM_FORCE | PPM_DETACH | PPM_EXPIRE | PPM_NOFOLLOW));
}

BUILT(fsconfig, SYSCALL_FSCONFIG_X)
{
	u32 cmd = arg(c, 1);
	s32 aux = arg(c, 4);

	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u32(e, cmd);
	push_user_str(e, arg(c, 2));
	if (c->ret >= 0 && cmd == PPM_FSCONFIG_SET_BINARY)
		push_user_bytes(e, arg(c, 3), aux);
	else
		push_empty(e);
	if (c->ret >= 0 && (cmd == PPM_FSCONFIG_SET_STRING || cmd == PPM_FSCONFIG_SET_PATH || cmd == PPM_FSCONFIG_SET_PATH_EMPTY))
		push_user_str(e, arg(c, 3));
	else
		push_empty(e);
	push_s32(e, aux);
}

/* ---------------------------------------------------------------- quotas */

/* include/uapi/linux/quota.h; what 32-bit callers pass has the same offsets. */
struct dqblk {
	u64 bhardlimit, bsoftlimit, curspace, ihardlimit, isoftlimit, curinodes, btime, itime;
	u32 valid;
};
#define QIF_BLIMITS 1
#define QIF_SPACE 2
#define QIF_ILIMITS 4
#define QIF_BTIME 16
#define QIF_ITIME 32

struct dqinfo {
	u64 bgrace, igrace;
	u32 flags, valid;
};
#define IIF_BGRACE 1
#define IIF_IGRACE 2
#define IIF_FLAGS 4

/* quota_command numbers the command above the type's byte. */
INLINE u16 quota_command(u32 cmd)
{
	switch (cmd >> 8) {
	case 0x800001: return PPM_Q_SYNC;
	case 0x800002: return PPM_Q_QUOTAON;
	case 0x800003: return PPM_Q_QUOTAOFF;
	case 0x800004: return PPM_Q_GETFMT;
	case 0x800005: return PPM_Q_GETINFO;
	case 0x800006: return PPM_Q_SETINFO;
	case 0x800007: return PPM_Q_GETQUOTA;
	case 0x800008: return PPM_Q_SETQUOTA;
	case 0x5801: return PPM_Q_XQUOTAON;
	case 0x5802: return PPM_Q_XQUOTAOFF;
	case 0x5803: return PPM_Q_XGETQUOTA;
	case 0x5804: return PPM_Q_XSETQLIM;
	case 0x5805: return PPM_Q_XGETQSTAT;
	case 0x5806: return PPM_Q_XQUOTARM;
	case 0x5807: return PPM_Q_XQUOTASYNC;
	}
	return 0;
}

INLINE u8 quota_format(u32 f)
{
	switch (f) {
	case 1: return PPM_QFMT_VFS_OLD;
	case 2: return PPM_QFMT_VFS_V0;
	case 4: return PPM_QFMT_VFS_V1;
	}
	return PPM_QFMT_NOT_USED;
}

BUILT(quotactl, SYSCALL_QUOTACTL_X)
{
	struct dqblk b = {};
	struct dqinfo i = {};
	u16 cmd = quota_command(arg(c, 0));
	u32 type = arg(c, 0) & 0xff, id = arg(c, 2);
	u64 p = arg(c, 3);

	if (cmd == PPM_Q_GETQUOTA || cmd == PPM_Q_SETQUOTA)
		bpf_probe_read_user(&b, sizeof(b), (void *)p);
	if (cmd == PPM_Q_GETINFO || cmd == PPM_Q_SETINFO)
		bpf_probe_read_user(&i, sizeof(i), (void *)p);
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 1));
	if (cmd == PPM_Q_QUOTAON)
		push_user_str(e, p);
	else
		push_empty(e);
	push_u64(e, pick(b.valid, QIF_BLIMITS, b.bhardlimit));
	push_u64(e, pick(b.valid, QIF_BLIMITS, b.bsoftlimit));
	push_u64(e, pick(b.valid, QIF_SPACE, b.curspace));
	push_u64(e, pick(b.valid, QIF_ILIMITS, b.ihardlimit));
	push_u64(e, pick(b.valid, QIF_ILIMITS, b.isoftlimit));
	push_u64(e, pick(b.valid, QIF_BTIME, b.btime));
	push_u64(e, pick(b.valid, QIF_ITIME, b.itime));
	push_u64(e, pick(i.valid, IIF_BGRACE, i.bgrace));
	push_u64(e, pick(i.valid, IIF_IGRACE, i.igrace));
	push_u8(e, pick(i.valid, IIF_FLAGS, i.flags));
	push_u8(e, cmd == PPM_Q_GETFMT ? quota_format(user_u32(p)) : PPM_QFMT_NOT_USED);
	push_u16(e, cmd);
	push_u8(e, type == 0 ? PPM_USRQUOTA : type == 1 ? PPM_GRPQUOTA : 0);
	push_u32(e, cmd & (PPM_Q_GETQUOTA | PPM_Q_SETQUOTA | PPM_Q_XGETQUOTA | PPM_Q_XSETQLIM) ? id : 0);
	push_u8(e, cmd == PPM_Q_QUOTAON ? quota_format(id) : PPM_QFMT_NOT_USED);
}

/* ---------------------------------------------------------------- modules and BPF */

BUILT(init_module, SYSCALL_INIT_MODULE_X)
{
	push_s64(e, c->ret);
	push_user_bytes(e, arg(c, 0), arg(c, 1));
	push_u64(e, arg(c, 1));
	push_user_str(e, arg(c, 2));
}

BUILT(finit_module, SYSCALL_FINIT_MODULE_X)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_user_str(e, arg(c, 1));
	push_u32(e, arg(c, 2) & (PPM_MODULE_INIT_IGNORE_MODVERSIONS | PPM_MODULE_INIT_IGNORE_VERMAGIC |
				 PPM_MODULE_INIT_COMPRESSED_FILE));
}

/* PPM_O_NONBLOCK and PPM_O_TRUNC are the flags of this event; those of files have other numbers. */
BUILT(delete_module, SYSCALL_DELETE_MODULE_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, pick(arg(c, 1), O_NONBLOCK, PPM_O_NONBLOCK) | pick(arg(c, 1), O_TRUNC, PPM_O_TRUNC));
}

FIXED(bpf, SYSCALL_BPF_2_X, 8 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, arg(c, 0));
}

/* ---------------------------------------------------------------- io_uring */

/* include/uapi/linux/io_uring.h: the part of struct io_uring_params that events carry. */
struct uring_params {
	u32 sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features;
};

INLINE u32 uring_setup_flags(u32 f)
{
	return pick(f, 1 << 0, PPM_IORING_SETUP_IOPOLL) | pick(f, 1 << 1, PPM_IORING_SETUP_SQPOLL) |
	       pick(f, 1 << 2, PPM_IORING_SETUP_SQ_AFF) | pick(f, 1 << 3, PPM_IORING_SETUP_CQSIZE) |
	       pick(f, 1 << 4, PPM_IORING_SETUP_CLAMP) | pick(f, 1 << 5, PPM_IORING_SETUP_ATTACH_RW) |
	       pick(f, 1 << 6, PPM_IORING_SETUP_R_DISABLED);
}

FIXED(io_uring_setup, SYSCALL_IO_URING_SETUP_X, 8 + 7 * 4)
{
	struct uring_params p = {};

	bpf_probe_read_user(&p, sizeof(p), (void *)arg(c, 1));
	push_s64(e, c->ret);
	push_u32(e, arg(c, 0));
	push_u32(e, p.sq_entries);
	push_u32(e, p.cq_entries);
	push_u32(e, uring_setup_flags(p.flags));
	push_u32(e, p.sq_thread_cpu);
	push_u32(e, p.sq_thread_idle);
	push_u32(e, p.features & (2 * PPM_IORING_FEAT_RSRC_TAGS - 1));
}

FIXED(io_uring_enter, SYSCALL_IO_URING_ENTER_X, 8 + 8 + 4 * 4)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u32(e, arg(c, 1));
	push_u32(e, arg(c, 2));
	push_u32(e, arg(c, 3) & (2 * PPM_IORING_ENTER_EXT_ARG - 1));
	push_u32(e, arg(c, 4));
}

FIXED(io_uring_register, SYSCALL_IO_URING_REGISTER_X, 8 + 8 + 2 + 8 + 4)
{
	push_s64(e, c->ret);
	push_s64(e, fd_arg(c, 0));
	push_u16(e, arg(c, 1));
	push_u64(e, arg(c, 2));
	push_u32(e, arg(c, 3));
}

/* ---------------------------------------------------------------- keys */

/* The types of keyctl's dynamic parameters, by index (keyctl_dynamic_param). */
enum { KEYCTL_DYN_INT64, KEYCTL_DYN_STRING };

/* What each argument of an operation is, two bits for each from the second on: nothing, a number, a string. */
#define KEYCTL_SHAPE(a2, a3, a4, a5) ((a2) | (a3) << 2 | (a4) << 4 | (a5) << 6)
enum { KEYCTL_NONE, KEYCTL_NUMBER, KEYCTL_TEXT };

/* keyctl_shape follows keyctl(2). */
INLINE u32 keyctl_shape(u32 op)
{
	enum { _ = KEYCTL_NONE, N = KEYCTL_NUMBER, S = KEYCTL_TEXT };

	switch (op) {
	case PPM_KEYCTL_JOIN_SESSION_KEYRING:
		return KEYCTL_SHAPE(S, _, _, _);
	case PPM_KEYCTL_REVOKE:
	case PPM_KEYCTL_CLEAR:
	case PPM_KEYCTL_SET_REQKEY_KEYRING:
	case PPM_KEYCTL_ASSUME_AUTHORITY:
	case PPM_KEYCTL_INVALIDATE:
		return KEYCTL_SHAPE(N, _, _, _);
	case PPM_KEYCTL_GET_KEYRING_ID:
	case PPM_KEYCTL_SETPERM:
	case PPM_KEYCTL_LINK:
	case PPM_KEYCTL_UNLINK:
	case PPM_KEYCTL_SET_TIMEOUT:
	case PPM_KEYCTL_GET_PERSISTENT:
	case PPM_KEYCTL_CAPABILITIES:
		return KEYCTL_SHAPE(N, N, _, _);
	case PPM_KEYCTL_UPDATE:
	case PPM_KEYCTL_CHOWN:
	case PPM_KEYCTL_DESCRIBE:
	case PPM_KEYCTL_READ:
	case PPM_KEYCTL_NEGATE:
	case PPM_KEYCTL_GET_SECURITY:
	case PPM_KEYCTL_WATCH_KEY:
		return KEYCTL_SHAPE(N, N, N, _);
	case PPM_KEYCTL_RESTRICT_KEYRING:
		return KEYCTL_SHAPE(N, S, S, _);
	case PPM_KEYCTL_PKEY_QUERY:
		return KEYCTL_SHAPE(N, N, S, _);
	case PPM_KEYCTL_SEARCH:
		return KEYCTL_SHAPE(N, S, S, N);
	case PPM_KEYCTL_INSTANTIATE:
	case PPM_KEYCTL_REJECT:
	case PPM_KEYCTL_INSTANTIATE_IOV:
	case PPM_KEYCTL_DH_COMPUTE:
	case PPM_KEYCTL_MOVE:
		return KEYCTL_SHAPE(N, N, N, N);
	case PPM_KEYCTL_PKEY_ENCRYPT:
	case PPM_KEYCTL_PKEY_DECRYPT:
	case PPM_KEYCTL_PKEY_SIGN:
	case PPM_KEYCTL_PKEY_VERIFY:
		return KEYCTL_SHAPE(N, S, N, N);
	}
	return 0;
}

INLINE void push_keyctl(struct event *e, u32 shape, u64 v)
{
	u8 *p = at(e);

	if ((shape & 3) != KEYCTL_TEXT) {
		p[0] = KEYCTL_DYN_INT64;
		*(u64 *)(p + 1) = (shape & 3) == KEYCTL_NUMBER ? v : 0;
		return took(e, 9);
	}
	p[0] = KEYCTL_DYN_STRING;
	long n = bpf_probe_read_user_str(p + 1, PATH_MAX, (void *)v);
	took(e, n > 0 ? 1 + n : 1);
}

BUILT(keyctl, SYSCALL_KEYCTL_X)
{
	u32 op = arg(c, 0);
	u32 shape = keyctl_shape(op);

	push_s64(e, c->ret);
	push_u32(e, op);
	push_keyctl(e, shape, arg(c, 1));
	push_keyctl(e, shape >> 2, arg(c, 2));
	push_keyctl(e, shape >> 4, arg(c, 3));
	push_keyctl(e, shape >> 6, arg(c, 4));
}

/* ---------------------------------------------------------------- semaphores */

#define IPC_CREAT 01000
#define IPC_EXCL 02000
#define IPC_NOWAIT 04000
#define SEM_UNDO 0x1000

FIXED(semget, SYSCALL_SEMGET_X, 8 + 4 + 4 + 4)
{
	push_s64(e, c->ret);
	push_s32(e, arg(c, 0));
	push_s32(e, arg(c, 1));
	push_u32(e, pick(arg(c, 2), IPC_CREAT, PPM_IPC_CREAT) | pick(arg(c, 2), IPC_EXCL, PPM_IPC_EXCL));
}

struct sembuf {
	u16 num;
	s16 op;
	s16 flags;
};

INLINE u16 sem_flags(s16 f) { return pick(f, IPC_NOWAIT, PPM_IPC_NOWAIT) | pick(f, SEM_UNDO, PPM_SEM_UNDO); }

FIXED(semop, SYSCALL_SEMOP_X, 8 + 4 + 6 * 2 + 4)
{
	struct sembuf s[2] = {};
	u32 n = arg(c, 2);
	void *p = (void *)arg(c, 1);

	if (!c->ret && n == 1)
		bpf_probe_read_user(s, sizeof(s[0]), p);
	else if (!c->ret && n > 1)
		bpf_probe_read_user(s, sizeof(s), p);
	push_s64(e, c->ret);
	push_u32(e, n);
	push_u16(e, s[0].num);
	push_u16(e, s[0].op);
	push_u16(e, sem_flags(s[0].flags));
	push_u16(e, s[1].num);
	push_u16(e, s[1].op);
	push_u16(e, sem_flags(s[1].flags));
	push_s32(e, arg(c, 0));
}

/* sem_command numbers a command as events do (include/uapi/linux/ipc.h, sem.h). */
INLINE u16 sem_command(u32 cmd)
{
	switch (cmd) {
	case 0: return PPM_IPC_RMID;
	case 1: return PPM_IPC_SET;
	case 2: return PPM_IPC_STAT;
	case 3: return PPM_IPC_INFO;
	case 11: return PPM_GETPID;
	case 12: return PPM_GETVAL;
	case 13: return PPM_GETALL;
	case 14: return PPM_GETNCNT;
	case 15: return PPM_GETZCNT;
	case 16: return PPM_SETVAL;
	case 17: return PPM_SETALL;
	case 18: return PPM_SEM_STAT;
	case 19: return PPM_SEM_INFO;
	}
	return 0;
}

FIXED(semctl, SYSCALL_SEMCTL_X, 8 + 4 + 4 + 2 + 4)
{
	u16 cmd = sem_command(arg(c, 2));

	push_s64(e, c->ret);
	push_s32(e, arg(c, 0));
	push_s32(e, arg(c, 1));
	push_u16(e, cmd);
	push_s32(e, cmd == PPM_SETVAL ? arg(c, 3) : 0);
}
