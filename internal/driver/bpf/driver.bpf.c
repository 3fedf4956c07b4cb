/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/* All programs of the driver in one object, so that they share their maps. One line per file. */
#include "saker.h"

#include "dispatch.bpf.c"

#include "clone.bpf.c"
#include "close.bpf.c"
#include "exec.bpf.c"
#include "fd.bpf.c"
#include "io.bpf.c"
#include "memory.bpf.c"
#include "message.bpf.c"
#include "open.bpf.c"
#include "openat.bpf.c"
#include "path.bpf.c"
#include "proc.bpf.c"
#include "procexit.bpf.c"
#include "socket.bpf.c"
#include "system.bpf.c"
#include "tracepoint.bpf.c"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
