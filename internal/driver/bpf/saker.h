/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * What every program of the driver is written with.
 *
 * A system call is one SYSCALL(<name>) block in a file of its family, which driver.bpf.c lists. Its name is the
 * system call's name in schema.txt; calls that share an event (setuid32, umount ...) share the program of the first:
 *
 *     SYSCALL(close)
 *     {
 *         struct fixed e;
 *         if (!begin_fixed(&e, EV_SYSCALL_CLOSE_X, N_SYSCALL_CLOSE_X, 8 + 8))
 *             return 0;
 *         push_s64(&e, c->ret);
 *         push_s64(&e, (s32)arg(c, 0));
 *         return submit_fixed(&e);
 *     }
 *
 * struct fixed is for events whose parameters have constant sizes: it is written straight into the ring. Anything with
 * strings or buffers uses struct event, which is built in the CPU's scratch buffer and copied once:
 *
 *         struct event e;
 *         if (!begin(&e, EV_..., N_...))
 *             return 0;
 *         push_...(&e, ...);                     each parameter once, in the order of the schema
 *         return submit(&e);
 *
 * The number of pushes must be N_...; the width of each push is the width of the parameter's type (event.go). A value that
 * cannot be read is push_empty, never a plausible number.
 *
 * Kernel memory. The arguments of a tracepoint are typed: read them with plain C (regs->di), at no cost; a NULL on the way reads as
 * 0. The current task and what hangs on it is read with GET(p, member), nested for longer ways: GET(GET(c->task, signal), tty).
 * The verifier follows members, not arrays of pointers: what comes out of an array with a variable index, a void pointer or
 * arithmetic is raw, and is read with RD(p, member), which works on typed pointers too. RD reads 0 where the kernel refuses
 * (lockdown=confidentiality before 6.2).
 *
 * User memory. bpf_probe_read_user and push_user_*; on exit the kernel has already touched the page.
 *
 * Limits that keep programs loadable from 5.8 on: no bpf_loop, no calls between functions (everything is
 * __always_inline), loops have constant bounds, 512 bytes of stack. A loop of more than a few rounds is ROUNDS.
 */
#pragma once

#include "kernel.h"
#include "schema.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define INLINE static __always_inline

/* Set by user space before loading; the verifier removes the branches that a constant decides. */
const volatile bool has_task_btf;    /* bpf_get_current_task_btf, 5.11 */
const volatile bool has_probe_read;  /* bpf_probe_read_kernel is allowed */
const volatile bool has_rdonly_cast; /* bpf_rdonly_cast, 6.2 */
const volatile bool has_iter;        /* bpf_iter_num_new, 6.4 */
const volatile bool preemptible;     /* the kernel may preempt these programs, 7.0; see "being preempted" */
const volatile u16 sc_native[512];   /* SC_ of a native system call number */
const volatile u16 sc_ia32[512];     /* SC_ of an ia32 system call number */

/* Shared with user space through the mapping of .bss. */
u8 interest[512];     /* by number: bit 0 the native call is wanted, bit 1 the ia32 call */
u16 sc_socketcall[32];/* SC_ of a wanted socketcall number, 0 for others */
u64 boot_epoch;       /* ns between the epoch and the boot */
u32 snaplen;          /* bytes kept of a data buffer, at most SNAPLEN_MAX */
u32 drop_failed;      /* calls that returned an error are not sent */
u32 self;             /* process whose calls are not sent: the reader's own; 0 for none */
u32 sleeping __attribute__((aligned(64))); /* the reader sleeps and wants to be woken by the next event */
u8 sleeping_pad[60];

#define SNAPLEN_MAX 65000

/* ---------------------------------------------------------------- counters and buffers */

/* What an event that finds its ring full counts as; the order of driver.Lost. */
enum drop {
	DROP_CLONE_FORK,
	DROP_EXECVE,
	DROP_CONNECT,
	DROP_OPEN,
	DROP_DIR_FILE,
	DROP_OTHER,
	DROP_CLOSE,
	DROP_PROC_EXIT,
	DROP_MAX,
};

/* One per CPU; the order of driver.cpuCounters. */
struct counters {
	u64 events;          /* events made, lost ones included */
	u64 drops[DROP_MAX]; /* ring full, by enum drop */
	u64 scratch;         /* did not fit the scratch buffer or 64 KiB */
	u64 truncated_path;  /* paths cut at PATH_MAX */
	u64 truncated_args;  /* argument or environment lists cut at their limit */
	u64 no_handler;      /* wanted, but no program */
	u64 pad[3];
} __attribute__((aligned(64)));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* number of possible CPUs, set by user space */
	__type(key, u32);
	__type(value, struct counters);
} cpus SEC(".maps");

/* A record of the ring: this prefix, then the event in Falco's encoding. */
struct prefix {
	u16 cpu;
	u16 flags; /* PREFIX_TRUNCATED */
	u32 reserved;
};
/* Makes the types that user space must know part of the object's BTF, where a test compares them. */
struct {
	struct prefix prefix;
	enum drop drop;
} layouts;

#define PREFIX_TRUNCATED 1 /* a string or list of the event was cut at its limit */

#define PREFIX sizeof(struct prefix)
#define HEADER 26
#define EVENT_MAX 65535              /* the largest event, prefix included */
#define SCRATCH (2 * 65536)

/*
 * Buffers of each CPU: one for system calls, one for exec, one for fork. No two programs are in the middle of the same one: what fills one
 * is not preempted (before 7.0 by the kernel, later by its own wish, see stay), and does not cause what fills another.
 */
enum lane { LANE_SYSCALL, LANE_EXEC, LANE_FORK, LANES };

struct scratch {
	u32 forget; /* see forget */
	u32 names;  /* entries of struct name in use, see names.h */
	u32 next;   /* message of a call that has many, see message.bpf.c */
	u32 reserved;
	u64 pad[6];
	u8 buf[SCRATCH];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LANES); /* times the number of possible CPUs, set by user space */
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1); /* number of possible CPUs, set by user space */
	__type(key, u32);
	__array(values, struct ring);
} rings SEC(".maps");

/* ---------------------------------------------------------------- loops */

/* include/uapi/linux/bpf.h */
struct bpf_iter_num {
	u64 opaque;
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __attribute__((weak, section(".ksyms")));
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __attribute__((weak, section(".ksyms")));
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __attribute__((weak, section(".ksyms")));

INLINE void rounds_begin(struct bpf_iter_num *it, u32 max)
{
	if (has_iter)
		bpf_iter_num_new(it, 0, max);
}

INLINE bool rounds_go_on(struct bpf_iter_num *it, u32 i, u32 max)
{
	return has_iter ? bpf_iter_num_next(it) != NULL : i < max;
}

INLINE void rounds_end(struct bpf_iter_num *it)
{
	if (has_iter)
		bpf_iter_num_destroy(it);
}

/*
 * ROUNDS(i, max) is the head of a loop of at most max rounds, a constant; i is declared before it and is 0 at the start. Where the kernel
 * has iterators its verifier looks at a round or two instead of each, so that a program with long loops loads in a few milliseconds and not
 * in a few hundred. For that the rounds must look alike to it: numbers that are carried from one to the next go through forget or a mask.
 */
#define ROUNDS(i, max)                                                                                                 \
	_Pragma("clang loop unroll(disable)") for (                                                                    \
		struct bpf_iter_num _it __attribute__((cleanup(rounds_end))), *_begun = (rounds_begin(&_it, max), NULL);   \
		!_begun && rounds_go_on(&_it, i, max); i++)

/* ---------------------------------------------------------------- being preempted */

/*
 * From 7.0 on the kernel runs the programs of tracepoints with migration disabled, no longer preemption ("tracing: Guard
 * __DECLARE_TRACE() use of __DO_TRACE_CALL() with SRCU-fast"). It still does not run a program on a CPU where another run of the
 * same program is under way (kernel/trace/bpf_trace.c, __bpf_trace_run: prog->active). So when a task is preempted within a program, the
 * program is left out for every other task of that CPU until the first one goes on: what they did would be lost.
 *
 * Two things together are against it. What takes long, the making of an event, is done with preemption off (stay, go_on); this leaves
 * the few instructions around it. And several copies of the program are attached to each such tracepoint, one after the other. Each has a
 * protection of its own, so that a task which finds one left out finds the next, and the first that runs takes the event. Which of them ran is
 * kept by thread in turns, because between two of them the task may be preempted or go to another CPU.
 *
 * An event is lost only where all copies are left out at once.
 */
extern void bpf_preempt_disable(void) __attribute__((weak, section(".ksyms")));
extern void bpf_preempt_enable(void) __attribute__((weak, section(".ksyms")));

/* stay keeps the CPU until go_on. There is no tail call between the two. */
INLINE void stay(void)
{
	if (preemptible)
		bpf_preempt_disable();
}

INLINE void go_on(void)
{
	if (preemptible)
		bpf_preempt_enable();
}

/*
 * For each thread in bits 0 to 2 the copy after the one that ran last, 0 before the first; above them what message.bpf.c keeps there.
 * Neighbours lie in different cache lines.
 */
#define TURN_COPY 7
#define TURN_SHIFT 3
struct turn {
	u8 of[64];   /* by bits 16 to 21 of the thread's number: PID_MAX_LIMIT is 4194304 (include/linux/threads.h) */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* 65536 where the programs are preemptible, set by user space */
	__type(key, u32);       /* bits 0 to 15 of the thread's number */
	__type(value, struct turn);
} turns SEC(".maps");

/* turn_of_thread is the running thread's. Only where preemptible. */
INLINE u8 *turn_of_thread(void)
{
	u32 tid = bpf_get_current_pid_tgid(), key = tid & 0xffff;
	struct turn *t = bpf_map_lookup_elem(&turns, &key);
	return t ? &t->of[tid >> 16 & 63] : NULL;
}

/*
 * takes tells the copy whether the event is its own: no copy before it has run for this event. If the one that ran last is before it, that
 * was for this event, except when all copies after that one were left out then and all before this one now; such an event is lost like one
 * that finds no copy at all, and is as rare.
 */
INLINE bool takes(const u32 copy)
{
	if (!preemptible)
		return true;
	u8 *turn = turn_of_thread();
	if (!turn)
		return true;
	u8 was = *turn & TURN_COPY;
	*turn = copy + 1;
	return !was || copy < was;
}

/*
 * TRACEPOINT opens the program of a tracepoint where the kernel may preempt; at the others it does not (interrupts are off there). The
 * program itself is attached, or where it is preemptible the copies that lead to it.
 */
#define TRACEPOINT(name)                                                                                               \
	INLINE int at_##name(unsigned long long *ctx);                                                                 \
	SEC("tp_btf/" #name)                                                                                           \
	int name(unsigned long long *ctx)                                                                              \
	{                                                                                                              \
		stay();                                                                                                \
		at_##name(ctx);                                                                                        \
		go_on();                                                                                               \
		return 0;                                                                                              \
	}                                                                                                              \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                                 \
		__uint(max_entries, 1);                                                                                \
		__uint(key_size, sizeof(u32));                                                                         \
		__uint(value_size, sizeof(u32));                                                                       \
	} name##_main SEC(".maps");                                                                                    \
	TRACEPOINT_COPY(name, 0)                                                                                       \
	TRACEPOINT_COPY(name, 1)                                                                                       \
	TRACEPOINT_COPY(name, 2)                                                                                       \
	TRACEPOINT_COPY(name, 3)                                                                                       \
	INLINE int at_##name(unsigned long long *ctx)

#define TRACEPOINT_COPY(name, copy)                                                                                    \
	SEC("tp_btf/" #name)                                                                                           \
	int name##_##copy(unsigned long long *ctx)                                                                     \
	{                                                                                                              \
		if (takes(copy))                                                                                       \
			bpf_tail_call(ctx, &name##_main, 0);                                                           \
		return 0;                                                                                              \
	}

/* ---------------------------------------------------------------- kernel memory */

extern void *bpf_rdonly_cast(const void *obj, u32 btf_id) __attribute__((weak, section(".ksyms")));

/* AS makes a raw pointer a typed one. Only under has_rdonly_cast. */
#define AS(type, p) ((type *)bpf_rdonly_cast((const void *)(p), bpf_core_type_id_kernel(type)))

/* RD reads p->member, where p may be raw. It is 0 where the memory cannot be read. */
#define RD(p, member)                                                                                                  \
	({                                                                                                             \
		typeof(p) _p = (p);                                                                                    \
		typeof(_p->member) _v = (typeof(_p->member))0;                                                         \
		if (has_rdonly_cast)                                                                                   \
			_v = AS(typeof(*_p), _p)->member;                                                              \
		else if (has_probe_read)                                                                               \
			bpf_probe_read_kernel((void *)&_v, sizeof(_v), &_p->member);                                           \
		_v;                                                                                                    \
	})

/* deref reads the pointer stored at p. */
INLINE void *deref(const void *p)
{
	void *v = NULL;
	if (has_rdonly_cast)
		return AS(struct list_head, p)->next;
	if (has_probe_read)
		bpf_probe_read_kernel(&v, sizeof(v), p);
	return v;
}

/* deref_u64 reads the number stored at p. */
INLINE u64 deref_u64(const void *p)
{
	u64 v = 0;
	if (has_rdonly_cast)
		return AS(struct timespec64, p)->tv_sec;
	if (has_probe_read)
		bpf_probe_read_kernel(&v, sizeof(v), p);
	return v;
}

/*
 * GET reads p->member, where p is the current task or what GET read from it. A typed load, except before 5.11, where the current
 * task is raw.
 */
#define GET(p, member)                                                                                                 \
	({                                                                                                             \
		typeof(p) _q = (p);                                                                                    \
		typeof(_q->member) _w = (typeof(_q->member))0;                                                         \
		if (has_task_btf)                                                                                      \
			_w = _q->member;                                                                               \
		else                                                                                                   \
			bpf_probe_read_kernel((void *)&_w, sizeof(_w), &_q->member);                                           \
		_w;                                                                                                    \
	})

/* current_task returns the running task; read it with GET. */
INLINE struct task_struct *current_task(void)
{
	if (has_task_btf)
		return bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

/* ---------------------------------------------------------------- the system call and its arguments */

/* One system call that returns. compat: made through the 32-bit table. */
struct call {
	unsigned long long *ctx;
	struct pt_regs *regs;
	struct task_struct *task;
	long ret;
	bool compat;
};

INLINE u32 call_number(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#else
	return regs->syscallno;
#endif
}

INLINE bool call_is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return GET(task, thread_info.status) & TS_COMPAT;
#else
	return GET(task, thread_info.flags) & (1UL << TIF_32BIT_ARM64);
#endif
}

INLINE void call_init(struct call *c, unsigned long long *ctx)
{
	c->ctx = ctx;
	c->regs = (struct pt_regs *)ctx[0];
	c->ret = (long)ctx[1];
	c->task = current_task();
	c->compat = call_is_compat(c->task);
}

/* arg returns argument n (0 to 5, a constant) as the register holds it; cast it to the type the call has. */
INLINE u64 arg(const struct call *c, int n)
{
#if defined(__TARGET_ARCH_x86)
	if (c->compat)
		switch (n) {
		case 0: return (u32)c->regs->bx;
		case 1: return (u32)c->regs->cx;
		case 2: return (u32)c->regs->dx;
		case 3: return (u32)c->regs->si;
		case 4: return (u32)c->regs->di;
		default: return (u32)c->regs->bp;
		}
	switch (n) {
	case 0: return c->regs->di;
	case 1: return c->regs->si;
	case 2: return c->regs->dx;
	case 3: return c->regs->r10;
	case 4: return c->regs->r8;
	default: return c->regs->r9;
	}
#else
	u64 v = n == 0 ? c->regs->orig_x0 : c->regs->regs[n];
	return c->compat ? (u32)v : v;
#endif
}

#define NR_IA32_SOCKETCALL 102

/* sock_arg is arg for the calls that ia32 can also make through socketcall, whose arguments lie in user memory. */
INLINE u64 sock_arg(const struct call *c, int n)
{
#if defined(__TARGET_ARCH_x86)
	if (c->compat && call_number(c->regs) == NR_IA32_SOCKETCALL) {
		u32 v = 0;
		bpf_probe_read_user(&v, sizeof(v), (void *)(arg(c, 1) + 4 * n));
		return v;
	}
#endif
	return arg(c, n);
}

/* user_word reads entry i of an array of longs or pointers in user memory (4 bytes each for a 32-bit caller). */
INLINE u64 user_word(const struct call *c, u64 p, u32 i)
{
	u64 v = 0;
	if (c->compat)
		bpf_probe_read_user(&v, 4, (void *)(p + 4 * i));
	else
		bpf_probe_read_user(&v, 8, (void *)(p + 8 * i));
	return v;
}

/* SYSCALL opens the program of a system call; see the top of this file. The block returns 0. */
#define SYSCALL(name)                                                                                                  \
	INLINE int on_##name(struct call *c);                                                                          \
	SEC("tp_btf/sys_exit")                                                                                         \
	int sys_##name(unsigned long long *ctx)                                                                        \
	{                                                                                                              \
		struct call c;                                                                                         \
		stay();                                                                                                \
		call_init(&c, ctx);                                                                                    \
		on_##name(&c);                                                                                         \
		go_on();                                                                                               \
		return 0;                                                                                              \
	}                                                                                                              \
	INLINE int on_##name(struct call *c)

/* ---------------------------------------------------------------- events */

/* An event in the making in the CPU's scratch buffer. */
struct event {
	struct scratch *s;
	struct counters *cpu;
	u32 pos;   /* from s->buf, prefix included */
	u32 n;     /* parameters pushed */
	u32 flags; /* of the prefix */
	u16 code;
};

/* An event in the making in the ring. */
struct fixed {
	u8 *buf;
	u32 pos;
	u32 n;
};

INLINE enum drop drop_of(u16 code)
{
	switch (code) {
	case EV_SYSCALL_CLONE_20_X:
	case EV_SYSCALL_CLONE3_X:
	case EV_SYSCALL_FORK_20_X:
	case EV_SYSCALL_VFORK_20_X:
		return DROP_CLONE_FORK;
	case EV_SYSCALL_EXECVE_19_X:
	case EV_SYSCALL_EXECVEAT_X:
		return DROP_EXECVE;
	case EV_SOCKET_CONNECT_X:
		return DROP_CONNECT;
	case EV_SYSCALL_OPEN_X:
	case EV_SYSCALL_CREAT_X:
	case EV_SYSCALL_OPENAT_2_X:
	case EV_SYSCALL_OPENAT2_X:
	case EV_SYSCALL_OPEN_BY_HANDLE_AT_X:
		return DROP_OPEN;
	case EV_SYSCALL_CHMOD_X:
	case EV_SYSCALL_FCHMOD_X:
	case EV_SYSCALL_FCHMODAT_X:
	case EV_SYSCALL_CHOWN_X:
	case EV_SYSCALL_LCHOWN_X:
	case EV_SYSCALL_FCHOWN_X:
	case EV_SYSCALL_FCHOWNAT_X:
	case EV_SYSCALL_LINK_2_X:
	case EV_SYSCALL_LINKAT_2_X:
	case EV_SYSCALL_MKDIR_2_X:
	case EV_SYSCALL_MKDIRAT_X:
	case EV_SYSCALL_RMDIR_2_X:
	case EV_SYSCALL_RENAME_X:
	case EV_SYSCALL_RENAMEAT_X:
	case EV_SYSCALL_RENAMEAT2_X:
	case EV_SYSCALL_SYMLINK_X:
	case EV_SYSCALL_SYMLINKAT_X:
	case EV_SYSCALL_UNLINK_2_X:
	case EV_SYSCALL_UNLINKAT_2_X:
		return DROP_DIR_FILE;
	case EV_SYSCALL_CLOSE_X:
		return DROP_CLOSE;
	case EV_PROCEXIT_1_E:
		return DROP_PROC_EXIT;
	default:
		return DROP_OTHER;
	}
}

/* wake returns the flags for the ring: wake the reader only when it said that it sleeps. */
INLINE u64 wake(void)
{
	if (*(volatile u32 *)&sleeping) {
		*(volatile u32 *)&sleeping = 0;
		return BPF_RB_FORCE_WAKEUP;
	}
	return BPF_RB_NO_WAKEUP;
}

INLINE void put_header(u8 *buf, u32 size, u16 code, u32 nparams)
{
	struct prefix *p = (void *)buf;
	p->cpu = bpf_get_smp_processor_id();
	p->flags = 0;
	p->reserved = 0;
	buf += PREFIX;
	*(u64 *)buf = bpf_ktime_get_boot_ns() + boot_epoch;
	*(u64 *)(buf + 8) = (u32)bpf_get_current_pid_tgid();
	*(u32 *)(buf + 16) = size;
	*(u16 *)(buf + 20) = code;
	*(u32 *)(buf + 22) = nparams;
}

/* begin starts an event of nparams parameters. False: nothing can be sent, return 0. */
INLINE bool begin_in(struct event *e, u16 code, u32 nparams, enum lane lane)
{
	u32 cpu = bpf_get_smp_processor_id();
	u32 slot = LANES * cpu + lane;
	e->cpu = bpf_map_lookup_elem(&cpus, &cpu);
	e->s = bpf_map_lookup_elem(&scratches, &slot);
	if (!e->cpu || !e->s)
		return false;
	e->code = code;
	e->n = 0;
	e->flags = 0;
	e->pos = PREFIX + HEADER + 2 * nparams;
	put_header(e->s->buf, 0, code, nparams);
	return true;
}

#define begin(e, code, nparams) begin_in(e, code, nparams, LANE_SYSCALL)

/* submit sends the event. It returns 0, the value a program returns. */
INLINE int submit(struct event *e)
{
	u32 cpu = bpf_get_smp_processor_id();
	u32 size = e->pos;
	e->cpu->events++;
	if (size > EVENT_MAX) {
		e->cpu->scratch++;
		return 0;
	}
	u8 *buf = e->s->buf;
	((struct prefix *)buf)->flags = e->flags;
	*(u32 *)(buf + PREFIX + 16) = size - PREFIX;
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	if (!ring)
		return 0;
	asm volatile("%0 &= 0xffff" : "+r"(size));
	if (bpf_ringbuf_output(ring, buf, size, BPF_RB_NO_WAKEUP)) {
		e->cpu->drops[drop_of(e->code)]++;
		return 0;
	}
	/* Looked at only now: a reader that went to sleep before the record was there must be woken. A record that is given up
	 * wakes it. */
	if (wake() == BPF_RB_FORCE_WAKEUP) {
		void *r = bpf_ringbuf_reserve(ring, 8, 0);
		if (r)
			bpf_ringbuf_discard(r, BPF_RB_FORCE_WAKEUP);
	}
	return 0;
}

/*
 * begin_fixed starts an event whose parameters are bytes long together, a constant. False: nothing can be sent, return 0.
 * After a true result submit_fixed must follow.
 */
INLINE bool begin_fixed(struct fixed *e, const u16 code, const u32 nparams, const u32 bytes)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct counters *counters = bpf_map_lookup_elem(&cpus, &cpu);
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	if (!counters || !ring)
		return false;
	counters->events++;
	const u32 size = HEADER + 2 * nparams + bytes;
	e->buf = bpf_ringbuf_reserve(ring, PREFIX + size, 0);
	if (!e->buf) {
		counters->drops[drop_of(code)]++;
		return false;
	}
	e->n = 0;
	e->pos = PREFIX + HEADER + 2 * nparams;
	put_header(e->buf, size, code, nparams);
	return true;
}

INLINE int submit_fixed(struct fixed *e)
{
	bpf_ringbuf_submit(e->buf, wake());
	return 0;
}

/* ---------------------------------------------------------------- parameters */

/* at returns where in the scratch buffer the next byte goes; past 64 KiB it wraps, and submit refuses the event. */
INLINE u8 *at(struct event *e)
{
	u32 off = e->pos;
	if (!__builtin_constant_p(off))
		asm volatile("%0 &= 0xffff" : "+r"(off));
	return e->s->buf + off;
}

/*
 * forget returns v by way of memory, so that the verifier forgets its bounds and sees the same state after every way through the code,
 * instead of following each to the end. Loops that carry numbers from round to round need it.
 */
INLINE u32 forget(struct event *e, u32 v)
{
	*(volatile u32 *)&e->s->forget = v;
	return *(volatile u32 *)&e->s->forget;
}

/* moved passes len bytes. */
INLINE void moved(struct event *e, u32 len)
{
	e->pos += len;
	if (!__builtin_constant_p(len))
		e->pos = forget(e, e->pos);
}

/* took closes a parameter of len bytes. */
INLINE void took(struct event *e, u32 len)
{
	*(u16 *)(e->s->buf + PREFIX + HEADER + 2 * e->n) = len;
	e->n++;
	moved(e, len);
}

/* took_since closes a parameter that was written piece by piece with moved, from start on. */
INLINE void took_since(struct event *e, u32 start)
{
	*(u16 *)(e->s->buf + PREFIX + HEADER + 2 * e->n) = e->pos - start;
	e->n++;
}

#define DEFINE_PUSH(name, type)                                                                                        \
	INLINE void event_##name(struct event *e, type v)                                                              \
	{                                                                                                              \
		*(type *)at(e) = v;                                                                                    \
		took(e, sizeof(type));                                                                                 \
	}                                                                                                              \
	INLINE void fixed_##name(struct fixed *e, type v)                                                              \
	{                                                                                                              \
		*(type *)(e->buf + e->pos) = v;                                                                        \
		*(u16 *)(e->buf + PREFIX + HEADER + 2 * e->n) = sizeof(type);                                          \
		e->n++;                                                                                                \
		e->pos += sizeof(type);                                                                                \
	}
DEFINE_PUSH(s64, s64)
DEFINE_PUSH(u64, u64)
DEFINE_PUSH(s32, s32)
DEFINE_PUSH(u32, u32)
DEFINE_PUSH(u16, u16)
DEFINE_PUSH(u8, u8)

#define PUSH(e, name, v)                                                                                               \
	_Generic((e), struct event *: event_##name, struct fixed *: fixed_##name)((void *)(e), v)

/* A number of the given width. */
#define push_s64(e, v) PUSH(e, s64, v)
#define push_u64(e, v) PUSH(e, u64, v)
#define push_s32(e, v) PUSH(e, s32, v)
#define push_u32(e, v) PUSH(e, u32, v)
#define push_u16(e, v) PUSH(e, u16, v)
#define push_u8(e, v) PUSH(e, u8, v)

INLINE void event_empty(struct event *e, int unused) { took(e, 0); }
INLINE void fixed_empty(struct fixed *e, int unused)
{
	*(u16 *)(e->buf + PREFIX + HEADER + 2 * e->n) = 0;
	e->n++;
}
/* A parameter without a value. */
#define push_empty(e) PUSH(e, empty, 0)

/*
 * user_str copies the string at p in user memory, cut at max bytes with the NUL (a constant), to where the next byte goes, without passing
 * it. It returns its length with the NUL, or a negative number when it cannot be read. Some kernels say 0 for an empty string.
 */
INLINE long user_str(struct event *e, u64 p, const u32 max)
{
	u8 *to = at(e);
	long n = bpf_probe_read_user_str(to, max, (const void *)p);
	if (n == 0) {
		*to = 0;
		n = 1;
	}
	return n;
}

/*
 * push_user_str appends the string at p in user memory: the parameter is empty when p cannot be read. It is cut at max
 * bytes with the NUL (a constant, at most PATH_MAX), which marks the event as truncated.
 */
INLINE void push_user_str_max(struct event *e, u64 p, const u32 max)
{
	long n = user_str(e, p, max);
	if (n < 0) {
		took(e, 0);
		return;
	}
	/* A string of exactly max bytes is not a cut one; its last byte tells. */
	if (n == max) {
		char last = 1;
		if (bpf_probe_read_user(&last, 1, (const char *)p + max - 1) || last) {
			e->flags |= PREFIX_TRUNCATED;
			e->cpu->truncated_path++;
		}
	}
	took(e, n);
}

INLINE void push_user_str(struct event *e, u64 p) { push_user_str_max(e, p, PATH_MAX); }

/* cast_str is kernel_str by typed loads, a word at a time, for kernels that refuse the helper. */
INLINE long cast_str(struct event *e, const void *p, const u32 max)
{
	const u64 ones = 0x0101010101010101ULL;
	u8 *to = at(e);
	u32 len = max;
#pragma clang loop unroll(disable)
	for (u32 k = 0; k < max / 8; k++) {
		u64 w = deref_u64(p + 8 * k);
		if (8 * k + 8 == max)
			w &= ~0ULL >> 8; /* the last byte is the NUL's */
		*(u64 *)(to + 8 * k) = w;
		u64 zero = (w - ones) & ~w & ones << 7; /* the top bit of the first byte that is 0, and maybe of later ones */
		if (zero) {
			u64 below = ((zero & -zero) - 1) & ones; /* bit 0 of the bytes up to that one */
			len = 8 * k + (below * ones >> 56);
			break;
		}
	}
	return forget(e, len);
}

/*
 * kernel_str copies a string of kernel memory, cut at max bytes with the NUL (a multiple of 8), to where the next byte goes, without passing
 * it; it returns its length with the NUL, or a number below 1 where it cannot be read.
 */
INLINE long kernel_str(struct event *e, const void *p, const u32 max)
{
	if (has_probe_read)
		return bpf_probe_read_kernel_str(at(e), max, p);
	if (has_rdonly_cast && p)
		return cast_str(e, p, max);
	return 0;
}

/* push_kernel_str is push_user_str for kernel memory. Where that cannot be read (lockdown) the parameter is empty. */
INLINE void push_kernel_str(struct event *e, const void *p, const u32 max)
{
	long n = kernel_str(e, p, max);
	took(e, n > 0 ? n : 0);
}

/* user_bytes copies n bytes (cut at max < 65536) of user memory to the event without closing the parameter; it returns
 * how many, 0 when the memory cannot be read. Use took to close. */
INLINE u32 user_bytes(struct event *e, u64 p, u64 n, u32 max)
{
	if (n > max)
		n = max;
	u32 len = n;
	asm volatile("%0 &= 0xffff" : "+r"(len));
	if (!p || !len || bpf_probe_read_user(at(e), len, (const void *)p))
		return 0;
	return len;
}

/* push_user_bytes appends n bytes of data at p in user memory, cut at the snaplen. */
INLINE void push_user_bytes(struct event *e, u64 p, s64 n)
{
	took(e, n > 0 ? user_bytes(e, p, n, snaplen) : 0);
}

/* ---------------------------------------------------------------- descriptors */

/* file_of returns the raw file behind a descriptor of the current process, NULL when there is none. */
INLINE struct file *file_of(struct task_struct *task, s32 fd)
{
	struct fdtable *t = GET(GET(task, files), fdt);
	if (fd < 0 || (u32)fd >= GET(t, max_fds))
		return NULL;
	return deref((void *)GET(t, fd) + 8 * (u64)(u32)fd);
}

/* encode_dev turns the kernel's dev_t into the form of stat(2) and of events. */
INLINE u32 encode_dev(u32 dev)
{
	u32 major = dev >> 20, minor = dev & 0xfffff;
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

enum layer { LAYER_NONE, LAYER_LOWER, LAYER_UPPER };

/* overlay_layer tells in which layer of an overlay the file lies (fs/overlayfs/ovl_entry.h: struct ovl_inode holds the upper dentry
 * right behind the vfs inode). */
INLINE enum layer overlay_layer(struct file *f)
{
	struct dentry *d = RD(f, f_path.dentry);
	if (RD(RD(d, d_sb), s_magic) != OVERLAYFS_SUPER_MAGIC)
		return LAYER_NONE;
	struct dentry *upper = deref((void *)RD(d, d_inode) + bpf_core_type_size(struct inode));
	if (upper && RD(RD(upper, d_inode), i_ino))
		return LAYER_UPPER;
	return LAYER_LOWER;
}

/* What events say of an opened file. */
struct fdinfo {
	u32 dev; /* as encode_dev makes it */
	u64 ino;
	u32 flags; /* PPM_O_F_CREATED, PPM_FD_UPPER_LAYER, PPM_FD_LOWER_LAYER */
};

/* describe fills i from descriptor fd; all zero when there is none (fd < 0: the call failed). */
INLINE void describe(struct task_struct *task, s32 fd, struct fdinfo *i)
{
	i->dev = 0;
	i->ino = 0;
	i->flags = 0;
	struct file *f = file_of(task, fd);
	if (!f)
		return;
	struct inode *inode = RD(f, f_inode);
	i->ino = RD(inode, i_ino);
	i->dev = encode_dev(RD(RD(inode, i_sb), s_dev));
	if (RD(f, f_mode) & FMODE_CREATED)
		i->flags = PPM_O_F_CREATED;
	enum layer l = overlay_layer(f);
	if (l == LAYER_UPPER)
		i->flags |= PPM_FD_UPPER_LAYER;
	else if (l == LAYER_LOWER)
		i->flags |= PPM_FD_LOWER_LAYER;
}

/* dirfd_of is the directory descriptor of an *at call; AT_FDCWD (-100) is the same number in events. */
INLINE s64 dirfd_of(u64 a) { return (s32)a; }
