/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Calls that act on names: link, symlink, rename, unlink, directories, modes, owners, status. */
#include "calls.h"

#define MODE_BITS 07777
#define TYPE_BITS 0170000
#define AT_SYMLINK_NOFOLLOW 0x100

/* ---------------------------------------------------------------- one path */

BUILT(unlink, SYSCALL_UNLINK_2_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
}

BUILT(rmdir, SYSCALL_RMDIR_2_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
}

BUILT(chdir, SYSCALL_CHDIR_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
}

BUILT(chroot, SYSCALL_CHROOT_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
}

BUILT(stat, SYSCALL_STAT_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
}

BUILT(lstat, SYSCALL_LSTAT_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
}

BUILT(stat64, SYSCALL_STAT64_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
}

BUILT(lstat64, SYSCALL_LSTAT64_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
}

BUILT(access, SYSCALL_ACCESS_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, arg(c, 1) & (PPM_R_OK | PPM_W_OK | PPM_X_OK));
}

BUILT(mkdir, SYSCALL_MKDIR_2_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, arg(c, 1));
}

/* mknod's device is encoded as stat encodes it, which is also the form of events. */
BUILT(mknod, SYSCALL_MKNOD_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, arg(c, 1) & (TYPE_BITS | MODE_BITS));
	push_u32(e, arg(c, 2));
}

BUILT(chmod, SYSCALL_CHMOD_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, arg(c, 1) & MODE_BITS);
}

BUILT(chown, SYSCALL_CHOWN_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, id_arg(c, 1));
	push_u32(e, id_arg(c, 2));
}

BUILT(lchown, SYSCALL_LCHOWN_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, id_arg(c, 1));
	push_u32(e, id_arg(c, 2));
}

BUILT(getcwd, SYSCALL_GETCWD_X)
{
	push_s64(e, c->ret);
	if (c->ret >= 0)
		push_user_str(e, arg(c, 0));
	else
		push_empty(e);
}

/* ---------------------------------------------------------------- one path relative to a directory */

BUILT(unlinkat, SYSCALL_UNLINKAT_2_X)
{
	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_user_str(e, arg(c, 1));
	push_u32(e, arg(c, 2) & PPM_AT_REMOVEDIR);
}

BUILT(mkdirat, SYSCALL_MKDIRAT_X)
{
	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_user_str(e, arg(c, 1));
	push_u32(e, arg(c, 2));
}

BUILT(mknodat, SYSCALL_MKNODAT_X)
{
	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_user_str(e, arg(c, 1));
	push_u32(e, arg(c, 2) & (TYPE_BITS | MODE_BITS));
	push_u32(e, arg(c, 3));
}

BUILT(fchmodat, SYSCALL_FCHMODAT_X)
{
	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_user_str(e, arg(c, 1));
	push_u32(e, arg(c, 2) & MODE_BITS);
}

/* The table of the event calls the bit of AT_SYMLINK_FOLLOW, which fchownat does not take, AT_SYMLINK_NOFOLLOW. */
BUILT(fchownat, SYSCALL_FCHOWNAT_X)
{
	u32 flags = arg(c, 4);

	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_user_str(e, arg(c, 1));
	push_u32(e, arg(c, 2));
	push_u32(e, arg(c, 3));
	push_u32(e, pick(flags, AT_SYMLINK_NOFOLLOW, PPM_FCHOWNAT_FLAGS_AT_SYMLINK_NOFOLLOW) |
			    (flags & PPM_FCHOWNAT_FLAGS_AT_EMPTY_PATH));
}

BUILT(newfstatat, SYSCALL_NEWFSTATAT_X)
{
	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_user_str(e, arg(c, 1));
	push_u32(e, arg(c, 3) & (PPM_NEWFSTATAT_FLAGS_AT_EMPTY_PATH | PPM_AT_NO_AUTOMOUNT |
				 PPM_NEWFSTATAT_FLAGS_AT_SYMLINK_NOFOLLOW));
}

/* ---------------------------------------------------------------- two paths */

BUILT(link, SYSCALL_LINK_2_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_user_str(e, arg(c, 1));
}

BUILT(rename, SYSCALL_RENAME_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_user_str(e, arg(c, 1));
}

BUILT(symlink, SYSCALL_SYMLINK_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_user_str(e, arg(c, 1));
}

BUILT(symlinkat, SYSCALL_SYMLINKAT_X)
{
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_s64(e, dirfd_of(arg(c, 1)));
	push_user_str(e, arg(c, 2));
}

BUILT(renameat, SYSCALL_RENAMEAT_X)
{
	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_user_str(e, arg(c, 1));
	push_s64(e, dirfd_of(arg(c, 2)));
	push_user_str(e, arg(c, 3));
}

BUILT(renameat2, SYSCALL_RENAMEAT2_X)
{
	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_user_str(e, arg(c, 1));
	push_s64(e, dirfd_of(arg(c, 2)));
	push_user_str(e, arg(c, 3));
	push_u32(e, arg(c, 4));
}

BUILT(linkat, SYSCALL_LINKAT_2_X)
{
	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_user_str(e, arg(c, 1));
	push_s64(e, dirfd_of(arg(c, 2)));
	push_user_str(e, arg(c, 3));
	push_u32(e, arg(c, 4) & (PPM_AT_SYMLINK_FOLLOW | PPM_LINKAT_FLAGS_AT_EMPTY_PATH));
}
