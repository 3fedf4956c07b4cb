/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* Calls that change the address space. */
#include "calls.h"
#include "task.h"

INLINE u32 prot_flags(u64 p)
{
	return (p & (PPM_PROT_READ | PPM_PROT_WRITE | PPM_PROT_EXEC | PPM_PROT_SEM)) |
	       pick(p, 0x01000000, PPM_PROT_GROWSDOWN) | pick(p, 0x02000000, PPM_PROT_GROWSUP);
}

/* include/uapi/asm-generic/mman.h, arch/x86/include/uapi/asm/mman.h */
INLINE u32 mmap_flags(u64 f)
{
	return (f & (PPM_MAP_SHARED | PPM_MAP_PRIVATE)) | pick(f, 0x10, PPM_MAP_FIXED) |
	       pick(f, 0x20, PPM_MAP_ANONYMOUS) |
#if defined(__TARGET_ARCH_x86)
	       pick(f, 0x40, PPM_MAP_32BIT) |
#endif
	       pick(f, 0x100, PPM_MAP_GROWSDOWN) | pick(f, 0x800, PPM_MAP_DENYWRITE) |
	       pick(f, 0x1000, PPM_MAP_EXECUTABLE) | pick(f, 0x2000, PPM_MAP_LOCKED) |
	       pick(f, 0x4000, PPM_MAP_NORESERVE) | pick(f, 0x8000, PPM_MAP_POPULATE) |
	       pick(f, 0x10000, PPM_MAP_NONBLOCK);
}

/* push_vm appends the sizes of the address space in kB: vm_size, vm_rss, vm_swap. */
INLINE void push_vm(struct call *c, struct fixed *e)
{
	struct mm_struct *mm = GET(c->task, mm);

	push_u32(e, GET(mm, total_vm) * page_kb);
	push_u32(e, (MM_PAGES(mm, 0) + MM_PAGES(mm, 1) + MM_PAGES(mm, 3)) * page_kb);
	push_u32(e, MM_PAGES(mm, 2) * page_kb);
}

FIXED(brk, SYSCALL_BRK_4_X, 8 + 3 * 4 + 8)
{
	push_u64(e, c->ret);
	push_vm(c, e);
	push_u64(e, arg(c, 0));
}

FIXED(munmap, SYSCALL_MUNMAP_X, 8 + 3 * 4 + 8 + 8)
{
	push_s64(e, c->ret);
	push_vm(c, e);
	push_u64(e, arg(c, 0));
	push_u64(e, arg(c, 1));
}

/* mmap_args: the mmap of ia32 passes one pointer to all arguments; its mmap2 passes them in registers, the offset in pages. */
INLINE void mmap_args(struct call *c, bool in_memory, u64 a[6])
{
	u32 m[6] = {};

	if (in_memory) {
		bpf_probe_read_user(m, sizeof(m), (void *)arg(c, 0));
		for (int i = 0; i < 6; i++)
			a[i] = m[i];
		return;
	}
	a[0] = arg(c, 0);
	a[1] = arg(c, 1);
	a[2] = arg(c, 2);
	a[3] = arg(c, 3);
	a[4] = arg(c, 4);
	a[5] = arg(c, 5);
}

INLINE void push_mmap(struct call *c, struct fixed *e, bool in_memory)
{
	u64 a[6];

	mmap_args(c, in_memory, a);
	push_s64(e, c->ret);
	push_vm(c, e);
	push_u64(e, a[0]);
	push_u64(e, a[1]);
	push_u32(e, prot_flags(a[2]));
	push_u32(e, mmap_flags(a[3]));
	push_s64(e, (s32)a[4]);
	push_u64(e, a[5]);
}

FIXED(mmap, SYSCALL_MMAP_X, 8 + 3 * 4 + 8 + 8 + 4 + 4 + 8 + 8)
{
#if defined(__TARGET_ARCH_x86)
	push_mmap(c, e, c->compat);
#else
	push_mmap(c, e, false);
#endif
}

FIXED(mmap2, SYSCALL_MMAP2_X, 8 + 3 * 4 + 8 + 8 + 4 + 4 + 8 + 8)
{
	push_mmap(c, e, false);
}

FIXED(mprotect, SYSCALL_MPROTECT_X, 8 + 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_u64(e, arg(c, 0));
	push_u64(e, arg(c, 1));
	push_u32(e, prot_flags(arg(c, 2)));
}

FIXED(mlock, SYSCALL_MLOCK_X, 8 + 8 + 8)
{
	push_s64(e, c->ret);
	push_u64(e, arg(c, 0));
	push_u64(e, arg(c, 1));
}

FIXED(mlock2, SYSCALL_MLOCK2_X, 8 + 8 + 8 + 4)
{
	push_s64(e, c->ret);
	push_u64(e, arg(c, 0));
	push_u64(e, arg(c, 1));
	push_u32(e, arg(c, 2) & PPM_MLOCK_ONFAULT);
}

FIXED(munlock, SYSCALL_MUNLOCK_X, 8 + 8 + 8)
{
	push_s64(e, c->ret);
	push_u64(e, arg(c, 0));
	push_u64(e, arg(c, 1));
}

FIXED(mlockall, SYSCALL_MLOCKALL_X, 8 + 4)
{
	push_s64(e, c->ret);
	push_u32(e, arg(c, 0) & (PPM_MCL_CURRENT | PPM_MCL_FUTURE | PPM_MCL_ONFAULT));
}

FIXED(munlockall, SYSCALL_MUNLOCKALL_X, 8)
{
	push_s64(e, c->ret);
}
