/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* What events say of the file a process runs. */
#pragma once

#include "task.h"

#define SB_RDONLY 1
#define S_IMMUTABLE 8
#define S_IFMT 0170000
#define CAP_DAC_OVERRIDE 1
#define CAP_FOWNER 3

/* INODE_TIME is a time of an inode in ns since the epoch; its place changed in 6.6 and 6.11. The two top bits of the
 * nanoseconds are flags. */
#define INODE_TIME(inode, which)                                                                                       \
	({                                                                                                             \
		u64 _s, _n;                                                                                            \
		if (bpf_core_field_exists((inode)->i_##which##_sec))                                                   \
			_s = RD(inode, i_##which##_sec), _n = RD(inode, i_##which##_nsec);                             \
		else if (bpf_core_field_exists((inode)->__i_##which))                                                  \
			_s = RD(inode, __i_##which.tv_sec), _n = RD(inode, __i_##which.tv_nsec);                       \
		else                                                                                                   \
			_s = RD(inode, i_##which.tv_sec), _n = RD(inode, i_##which.tv_nsec);                           \
		_s * 1000000000ULL + (_n & 0x3fffffff);                                                                \
	})

/* in_groups tells whether gid is among the supplementary groups, which the kernel keeps sorted. */
INLINE bool in_groups(struct event *e, struct cred *cred, u32 gid)
{
	struct group_info *g = GET(cred, group_info);
	u32 lo = 0, hi = RD(g, ngroups), i = 0;
	ROUNDS (i, 17) { /* NGROUPS_MAX is 65536 */
		if (lo >= hi)
			return false;
		u32 mid = (lo + hi) / 2;
		kgid_t *p = (void *)g + bpf_core_field_offset(struct group_info, gid) + 4 * (u64)(mid & 0xffff);
		u32 v = deref_u64(p);
		if (v == gid)
			return true;
		if (v < gid)
			lo = mid + 1;
		else
			hi = mid;
		lo = forget(e, lo);
		hi = forget(e, hi);
	}
	return false;
}

/* mapped tells whether an id of the host has a number in a user namespace. More than five ranges are taken to cover it. */
#define MAPPED(ns, map, id)                                                                                            \
	({                                                                                                             \
		bool _m = GET(ns, map.nr_extents) > 5;                                                                 \
		_Pragma("unroll") for (int _i = 0; _i < 5; _i++)                                                       \
			_m |= _i < GET(ns, map.nr_extents) && (id) - GET(ns, map.extent[_i].lower_first) < GET(ns, map.extent[_i].count); \
		_m;                                                                                                    \
	})

/* exe_writable tells whether the process may write the file it runs: by its owner, group or other bits, or a capability (the order of
 * fs/namei.c, acl_permission_check; access control lists are not looked at). */
INLINE bool exe_writable(struct event *e, struct cred *cred, struct inode *inode)
{
	u32 uid = RD(inode, i_uid.val), gid = RD(inode, i_gid.val), mode = RD(inode, i_mode);
	if (RD(RD(inode, i_sb), s_flags) & SB_RDONLY || RD(inode, i_flags) & S_IMMUTABLE)
		return false;
	if (uid == -1 || gid == -1)
		return false;
	if (GET(cred, fsuid.val) == uid)
		return true;
	if (GET(cred, fsgid.val) == gid || in_groups(e, cred, gid))
		mode >>= 3;
	if (mode & 2)
		return true;
	u64 caps = CAPS(cred, cap_effective);
	if (!(caps & (1 << CAP_DAC_OVERRIDE | 1 << CAP_FOWNER)))
		return false;
	struct user_namespace *ns = GET(cred, user_ns);
	if (!MAPPED(ns, uid_map, uid))
		return false;
	return caps & 1 << CAP_FOWNER || MAPPED(ns, gid_map, gid);
}

/* exe_from_memfd tells whether the file is anonymous memory: a dentry without a parent whose name begins with memfd: */
INLINE bool exe_from_memfd(struct file *f)
{
	struct dentry *d = RD(f, f_path.dentry);
	if (RD(d, d_parent) != d)
		return false;
	u64 head = deref_u64(RD(d, d_name.name));
	return (head & 0xffffffffffffULL) == 0x3a64666d656dULL; /* "memfd:" */
}

/* exe_flags is the flags parameter of an exec event. */
INLINE u32 exe_flags(struct event *e, struct cred *cred, struct file *f)
{
	u32 r = 0;
	if (!f)
		return 0;
	if (exe_writable(e, cred, RD(f, f_inode)))
		r |= PPM_EXE_WRITABLE;
	enum layer l = overlay_layer(f);
	if (l == LAYER_UPPER)
		r |= PPM_EXE_UPPER_LAYER;
	else if (l == LAYER_LOWER)
		r |= PPM_EXE_LOWER_LAYER;
	if (exe_from_memfd(f))
		r |= PPM_EXE_FROM_MEMFD;
	return r;
}
