/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * Paths that the kernel keeps as chains from the leaf to the root (dentries across mounts, kernfs nodes). The chain is walked
 * once, its names noted in the unused end of the scratch buffer, and written from the root down.
 */
#pragma once

#include "saker.h"

#define PATH_NAMES 96   /* components of a path; a deeper one loses those next to the root */
#define CGROUP_NAMES 32 /* components of a cgroup */
#define NAME_MAX 256    /* bytes of a component with its NUL */
#define PATH_BYTES 16384 /* bytes of a path with its NUL, as many as are kept of one in user space */
#define CGROUP_BYTES PATH_MAX /* bytes of a cgroup with its NUL */
#define NAMES_AT (96 * 1024)

struct name {
	const unsigned char *p;
};

INLINE void names_clear(struct event *e) { *(volatile u32 *)&e->s->names = 0; }

INLINE u32 names_count(struct event *e) { return *(volatile u32 *)&e->s->names; }

/* names_add notes a component. */
INLINE void names_add(struct event *e, const unsigned char *p)
{
	u32 n = names_count(e);
	u32 i = n;
	asm volatile("%0 &= 127" : "+r"(i));
	((struct name *)(e->s->buf + NAMES_AT))[i].p = p;
	*(volatile u32 *)&e->s->names = n + 1;
}

/* put_char appends one byte. */
INLINE void put_char(struct event *e, char c)
{
	*at(e) = c;
	moved(e, 1);
}

/*
 * names_write appends the noted components, each after a slash, and a NUL; max is the constant given to the walk. It ends where another one
 * may go beyond so many bytes: an exec event has six paths, and with all the components that there may be it would be too large to be sent.
 */
INLINE void names_write(struct event *e, const u32 max, const u32 bytes)
{
	u32 k = 0, start = e->pos;
	if (!names_count(e))
		put_char(e, '/');
	ROUNDS (k, max) {
		u32 i = names_count(e);
		if (!i)
			break;
		if (e->pos - start > bytes - NAME_MAX - 1) {
			e->flags |= PREFIX_TRUNCATED;
			e->cpu->truncated_path++;
			break;
		}
		i--;
		*(volatile u32 *)&e->s->names = i;
		asm volatile("%0 &= 127" : "+r"(i));
		const unsigned char *p = ((struct name *)(e->s->buf + NAMES_AT))[i].p;
		put_char(e, '/');
		long len = kernel_str(e, p, NAME_MAX);
		if (len > 1)
			moved(e, len - 1);
	}
	put_char(e, 0);
}

/* walk_path notes the components of a path, up to the root of the mount namespace; it returns where it ended. */
INLINE struct dentry *walk_path(struct event *e, struct vfsmount *vfs, struct dentry *d)
{
	struct mount *m = (void *)vfs - bpf_core_field_offset(struct mount, mnt);
	struct dentry *root = RD(m, mnt.mnt_root);

	u32 i = 0;
	names_clear(e);
	ROUNDS (i, PATH_NAMES) {
		struct dentry *parent = RD(d, d_parent);
		if (d == root || d == parent) {
			struct mount *up = RD(m, mnt_parent);
			if (d != root || up == m)
				return d;
			d = RD(m, mnt_mountpoint);
			m = up;
			root = RD(m, mnt.mnt_root);
			continue;
		}
		names_add(e, RD(d, d_name.name));
		d = parent;
	}
	e->flags |= PREFIX_TRUNCATED;
	e->cpu->truncated_path++;
	return d;
}

/*
 * push_path appends a path as the host's mount namespace of the file sees it. What has no place in a file system (memfd) is its bare name;
 * NULL is empty.
 */
INLINE void push_path(struct event *e, struct vfsmount *vfs, struct dentry *d)
{
	u32 start = e->pos;
	if (d && has_probe_read) { /* by typed loads alone the two walks are more than the verifier looks at */
		struct dentry *end = walk_path(e, vfs, d);
		if (end == d && RD(RD(vfs, mnt_root), d_parent) != d) {
			long n = kernel_str(e, RD(d, d_name.name), NAME_MAX);
			moved(e, n > 0 ? n : 0);
		} else {
			names_write(e, PATH_NAMES, PATH_BYTES);
		}
	}
	took_since(e, start);
}

/* push_file_path appends the path of a file, which may be raw or NULL. */
INLINE void push_file_path(struct event *e, struct file *f)
{
	push_path(e, f ? RD(f, f_path.mnt) : NULL, f ? RD(f, f_path.dentry) : NULL);
}

/*
 * put_cgroup appends "<controller>=<path>" and a NUL for the controller with the given index in css_set.subsys. For a controller of
 * the unified hierarchy, whose root is top, the path is the task's own there, as /proc/<pid>/cgroup has it, and not that of the
 * nearest ancestor for which the controller is switched on: a container that has none switched on would not be seen otherwise.
 */
INLINE void put_cgroup(struct event *e, struct css_set *set, struct cgroup *unified, struct cgroup_root *top, u32 index, const char *label,
		       const u32 label_len)
{
	struct cgroup_subsys_state *css = deref((void *)set + bpf_core_field_offset(struct css_set, subsys) + 8 * index);
	if (!css)
		return;
	struct cgroup *group = RD(css, cgroup);
	struct kernfs_node *kn = RD(RD(group, root) == top ? unified : group, kn);
	u32 i = 0;
	names_clear(e);
	ROUNDS (i, CGROUP_NAMES) {
		struct kernfs_node *parent = NULL;
		if (bpf_core_field_exists(kn->parent))
			parent = RD(kn, parent);
		else
			parent = RD(kn, __parent);
		if (!parent) /* the root has no name */
			break;
		names_add(e, (const unsigned char *)RD(kn, name));
		kn = parent;
	}
	u8 *p = at(e);
#pragma unroll
	for (u32 i = 0; i < label_len; i++)
		p[i] = label[i];
	moved(e, label_len);
	names_write(e, CGROUP_NAMES, CGROUP_BYTES);
}

#define PUT_CGROUP(e, set, unified, top, controller)                                                                   \
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, controller##_cgrp_id))                                   \
		put_cgroup(e, set, unified, top, bpf_core_enum_value(enum cgroup_subsys_id, controller##_cgrp_id), #controller "=",    \
			   sizeof(#controller))

/* push_cgroups appends the task's cgroups, v1 or v2, one string for each controller that users know containers by. */
INLINE void push_cgroups(struct event *e, struct task_struct *task)
{
	u32 start = e->pos;
	struct css_set *set = GET(task, cgroups);
	struct cgroup *unified = RD(set, dfl_cgrp);
	struct cgroup_root *top = RD(unified, root);
	PUT_CGROUP(e, set, unified, top, cpuset);
	PUT_CGROUP(e, set, unified, top, cpu);
	PUT_CGROUP(e, set, unified, top, cpuacct);
	PUT_CGROUP(e, set, unified, top, io);
	PUT_CGROUP(e, set, unified, top, memory);
	took_since(e, start);
}
