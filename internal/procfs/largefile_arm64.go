package procfs

// largeFile is the kernel's O_LARGEFILE, which the C library defines as 0 on 64-bit machines (arch/arm64/include/uapi/asm/fcntl.h).
const largeFile = 0o400000
