package procfs

// largeFile is the kernel's O_LARGEFILE, which the C library defines as 0 on 64-bit machines (include/uapi/asm-generic/fcntl.h).
const largeFile = 0o100000
