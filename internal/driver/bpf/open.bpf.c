/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* open(2), creat(2), openat2(2), open_by_handle_at(2). The name is read after the kernel used it; device and inode are those of the file itself. */
#include "calls.h"
#include "names.h"

/* open(path, flags, mode) */
BUILT(open, SYSCALL_OPEN_X)
{
	struct fdinfo i;
	u32 flags = arg(c, 1);

	describe(c->task, c->ret, &i);
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, open_flags(flags) | i.flags);
	push_u32(e, open_mode(flags, arg(c, 2)));
	push_u32(e, i.dev);
	push_u64(e, i.ino);
}

/* creat(path, mode) */
BUILT(creat, SYSCALL_CREAT_X)
{
	struct fdinfo i;

	describe(c->task, c->ret, &i);
	push_s64(e, c->ret);
	push_user_str(e, arg(c, 0));
	push_u32(e, open_mode(O_CREAT, arg(c, 1)));
	push_u32(e, i.dev);
	push_u64(e, i.ino);
	push_u16(e, pick(i.flags, PPM_FD_UPPER_LAYER, PPM_FD_UPPER_LAYER_CREAT) |
			    pick(i.flags, PPM_FD_LOWER_LAYER, PPM_FD_LOWER_LAYER_CREAT));
}

/* include/uapi/linux/openat2.h */
struct open_how {
	u64 flags, mode, resolve;
};
#define RESOLVE_NO_XDEV 0x01
#define RESOLVE_NO_MAGICLINKS 0x02
#define RESOLVE_NO_SYMLINKS 0x04
#define RESOLVE_BENEATH 0x08
#define RESOLVE_IN_ROOT 0x10
#define RESOLVE_CACHED 0x20

/* openat2(dirfd, path, how, size) */
BUILT(openat2, SYSCALL_OPENAT2_X)
{
	struct fdinfo i;
	struct open_how how = {};

	describe(c->task, c->ret, &i);
	bpf_probe_read_user(&how, sizeof(how), (void *)arg(c, 2));
	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_user_str(e, arg(c, 1));
	push_u32(e, open_flags(how.flags) | i.flags);
	push_u32(e, open_mode(how.flags, how.mode));
	push_u32(e, pick(how.resolve, RESOLVE_NO_XDEV, PPM_RESOLVE_NO_XDEV) |
			    pick(how.resolve, RESOLVE_NO_MAGICLINKS, PPM_RESOLVE_NO_MAGICLINKS) |
			    pick(how.resolve, RESOLVE_NO_SYMLINKS, PPM_RESOLVE_NO_SYMLINKS) |
			    pick(how.resolve, RESOLVE_BENEATH, PPM_RESOLVE_BENEATH) |
			    pick(how.resolve, RESOLVE_IN_ROOT, PPM_RESOLVE_IN_ROOT) |
			    pick(how.resolve, RESOLVE_CACHED, PPM_RESOLVE_CACHED));
	push_u32(e, i.dev);
	push_u64(e, i.ino);
}

/* open_by_handle_at(mountfd, handle, flags): the path is the kernel's, there is no other */
BUILT(open_by_handle_at, SYSCALL_OPEN_BY_HANDLE_AT_X)
{
	struct fdinfo i;

	describe(c->task, c->ret, &i);
	push_s64(e, c->ret);
	push_s64(e, dirfd_of(arg(c, 0)));
	push_u32(e, open_flags(arg(c, 2)) | i.flags);
	push_file_path(e, file_of(c->task, c->ret));
	push_u32(e, i.dev);
	push_u64(e, i.ino);
}
