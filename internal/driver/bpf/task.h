/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* What events say of a process: ids, limits, memory, credentials, the executable. */
#pragma once

#include "names.h"

const volatile u32 page_kb; /* KiB of a page, set by user space */

#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000
#define ARGS_MAX 4096 /* bytes of an argument list or environment */
#define ARGV_MAX 32   /* entries of an argv or envp that is followed pointer by pointer */

/* upid_inner is where a pid keeps its number in its own, innermost namespace; they nest 32 deep at most (include/linux/pid_namespace.h). */
INLINE struct upid *upid_inner(struct pid *pid)
{
	u64 off = (RD(pid, level) & 63) * bpf_core_type_size(struct upid);
	asm volatile("%0 &= 0xfff" : "+r"(off));
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) + off;
}

/* pid_inner is the number of a pid in its own, innermost namespace. */
INLINE s64 pid_inner(struct pid *pid)
{
	return RD(upid_inner(pid), nr);
}

/* pid_ns_of is the innermost namespace of a pid. */
INLINE struct pid_namespace *pid_ns_of(struct pid *pid)
{
	return RD(upid_inner(pid), ns);
}

#define TASK_TGID(task) GET(GET(task, signal), pids[PIDTYPE_TGID])
#define TASK_PGID(task) GET(GET(task, signal), pids[PIDTYPE_PGID])

/* mm_pages is one of the mm's counters of pages (enum: file 0, anonymous 1, swap 2, shared 3). */
#define MM_PAGES(mm, i)                                                                                                \
	({                                                                                                             \
		s64 _n;                                                                                                \
		if (bpf_core_type_exists(struct mm_rss_stat___old))                                                          \
			_n = RD((struct mm_struct___old *)(mm), rss_stat.count[i].counter);                            \
		else                                                                                                   \
			_n = GET(mm, rss_stat[i].count);                                                               \
		_n > 0 ? _n : 0;                                                                                       \
	})

/* push_memory appends page faults and the sizes of the address space: pgft_maj, pgft_min, vm_size, vm_rss, vm_swap. */
INLINE void push_memory(struct event *e, struct task_struct *faults, struct task_struct *task)
{
	struct mm_struct *mm = GET(task, mm);
	push_u64(e, GET(faults, maj_flt));
	push_u64(e, GET(faults, min_flt));
	push_u32(e, GET(mm, total_vm) * page_kb);
	push_u32(e, (MM_PAGES(mm, 0) + MM_PAGES(mm, 1) + MM_PAGES(mm, 3)) * page_kb);
	push_u32(e, MM_PAGES(mm, 2) * page_kb);
}

/* push_comm appends the name of the task. */
INLINE void push_comm(struct event *e, struct task_struct *task)
{
	u8 *p = at(e);
	u32 len = 0, alive = 1;
	u64 a, b;
	if (has_task_btf)
		__builtin_memcpy(&a, &task->comm[0], 8), __builtin_memcpy(&b, &task->comm[8], 8);
	else
		bpf_probe_read_kernel(&a, 8, &task->comm[0]), bpf_probe_read_kernel(&b, 8, &task->comm[8]);
	((u64 *)p)[0] = a;
	((u64 *)p)[1] = b;
#pragma unroll
	for (int i = 0; i < 15; i++) { /* without branches, which the verifier would all follow */
		u32 c = *(volatile u8 *)(p + i);
		alive &= (c + 255) >> 8;
		len += alive;
	}
	moved(e, 0);
	took(e, len + 1);
}

/* push_strings appends len bytes of strings at p in user memory and ends them with a NUL. It counts what does not fit. */
INLINE void push_strings(struct event *e, u64 p, u64 len)
{
	if (len > ARGS_MAX) {
		e->flags |= PREFIX_TRUNCATED;
		e->cpu->truncated_args++;
	}
	u32 n = user_bytes(e, p, len, ARGS_MAX);
	if (n) {
		u32 off = e->pos + n - 1;
		asm volatile("%0 &= 0x1ffff" : "+r"(off));
		if (off < SCRATCH)
			e->s->buf[off] = 0;
	}
	took(e, n);
}

/* push_image_args appends exe and args from the memory of the image: the first string, then the others. */
INLINE void push_image_args(struct event *e, struct mm_struct *mm)
{
	u64 start = GET(mm, arg_start), end = GET(mm, arg_end);
	u32 before = e->pos;
	push_user_str(e, start);
	u64 n = (u32)(e->pos - before);
	push_strings(e, start + n, end > start + n ? end - start - n : 0);
}

/* push_argv appends the strings of an argv or envp in user memory from entry first on, at most ARGV_MAX and ARGS_MAX bytes. */
INLINE void push_argv(struct event *e, struct call *c, u64 argv, const u32 first)
{
	const u32 word = c->compat ? 4 : 8;
	u32 start = e->pos, ended = 0, i = 0;

	argv += first * word;
	ROUNDS (i, ARGV_MAX - first) {
		u64 p = user_word(c, argv, 0);
		long n = 0;
		if (p && e->pos - start < ARGS_MAX)
			n = user_str(e, p, ARGS_MAX);
		if (n <= 0) {
			ended = 1;
			break;
		}
		moved(e, n);
		argv += word;
	}
	u32 len = e->pos - start;
	if (len > ARGS_MAX || !ended) {
		e->flags |= PREFIX_TRUNCATED;
		e->cpu->truncated_args++;
	}
	if (len > ARGS_MAX) {
		e->pos = start + ARGS_MAX - 1;
		put_char(e, 0);
	}
	took_since(e, start);
}

/* push_ids appends tid, pid, ptid, the empty cwd (user space follows it), and the limit of open files. */
INLINE void push_ids(struct event *e, struct task_struct *task)
{
	push_s64(e, GET(task, pid));
	push_s64(e, GET(task, tgid));
	push_s64(e, GET(GET(task, real_parent), pid));
	push_empty(e);
	push_u64(e, GET(GET(task, signal), rlim[RLIMIT_NOFILE].rlim_cur));
}

/* tty_of is the device number of the controlling terminal, 0 without. */
INLINE u32 tty_of(struct task_struct *task)
{
	struct tty_struct *tty = GET(GET(task, signal), tty);
	if (!tty)
		return 0;
	struct tty_driver *d = GET(tty, driver);
	return encode_dev(((u32)GET(d, major) << 20 | (u32)GET(d, minor_start)) + GET(tty, index));
}

/* loginuid_of is the audit login uid, -1 when unset or not kept. */
INLINE u32 loginuid_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->loginuid))
		return GET(task, loginuid.val);
	return -1;
}

#define CAPS_ALL ((1ULL << 41) - 1)
#define CAPS(cred, set)                                                                                                \
	({                                                                                                             \
		u64 _c;                                                                                                \
		if (bpf_core_field_exists((cred)->set.val))                                                            \
			_c = GET(cred, set.val);                                                                       \
		else                                                                                                   \
			_c = GET((struct cred___old *)(cred), set.cap[0]) |                                            \
			     (u64)GET((struct cred___old *)(cred), set.cap[1]) << 32;                                  \
		_c & CAPS_ALL;                                                                                         \
	})
