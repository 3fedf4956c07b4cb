/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* The open family's flags and modes, as events number them (include/uapi/asm-generic/fcntl.h; arm64 differs in four). */
#pragma once

#include "saker.h"

#define O_ACCMODE 03
#define O_WRONLY 01
#define O_RDWR 02
#define O_CREAT 0100
#define O_EXCL 0200
#define O_TRUNC 01000
#define O_APPEND 02000
#define O_NONBLOCK 04000
#define O_DSYNC 010000
#define O_CLOEXEC 02000000
#define __O_SYNC 04000000
#define __O_TMPFILE 020000000
#if defined(__TARGET_ARCH_arm64)
#define O_DIRECTORY 040000
#define O_DIRECT 0200000
#define O_LARGEFILE 0400000
#else
#define O_DIRECT 040000
#define O_LARGEFILE 0100000
#define O_DIRECTORY 0200000
#endif

/* open_flags turns open(2) flags into the PPM_O_ bits of an event. */
INLINE u32 open_flags(u32 f)
{
	u32 r = (f & O_ACCMODE) == O_WRONLY ? PPM_O_WRONLY : (f & O_ACCMODE) == O_RDWR ? PPM_O_RDWR : PPM_O_RDONLY;
	if (f & O_CREAT)
		r |= PPM_O_CREAT;
	if (f & __O_TMPFILE)
		r |= PPM_O_TMPFILE;
	if (f & O_APPEND)
		r |= PPM_O_APPEND;
	if (f & O_DSYNC)
		r |= PPM_O_DSYNC;
	if (f & __O_SYNC)
		r |= PPM_O_SYNC;
	if (f & O_EXCL)
		r |= PPM_O_EXCL;
	if (f & O_NONBLOCK)
		r |= PPM_FILE_FLAGS_O_NONBLOCK;
	if (f & O_TRUNC)
		r |= PPM_FILE_FLAGS_O_TRUNC;
	if (f & O_DIRECT)
		r |= PPM_O_DIRECT;
	if (f & O_DIRECTORY)
		r |= PPM_O_DIRECTORY;
	if (f & O_LARGEFILE)
		r |= PPM_O_LARGEFILE;
	if (f & O_CLOEXEC)
		r |= PPM_O_CLOEXEC;
	return r;
}

/* open_mode returns the mode bits of open(2), which count only when the call may create a file. */
INLINE u32 open_mode(u32 flags, u32 mode)
{
	return flags & (O_CREAT | __O_TMPFILE) ? mode & 07777 : 0;
}
