/* Makes system calls through the 32-bit table. It needs no C library: gcc -m32 -static -nostdlib. TestIA32 knows what it does. */

typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short u16;

static long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	long r;
	long args[2] = {n, f};
	__asm__ volatile("push %%ebp\n\tmov 4(%%eax), %%ebp\n\tmov (%%eax), %%eax\n\tint $0x80\n\tpop %%ebp"
			 : "=a"(r)
			 : "a"(args), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return r;
}

#define S(n, a, b, c, d, e) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SOCKETCALL(n, ...)                                                                                             \
	do {                                                                                                           \
		long args[6] = {__VA_ARGS__};                                                                          \
		S(102, n, args, 0, 0, 0);                                                                              \
	} while (0)

struct iovec {
	void *base;
	u32 len;
};

struct msghdr {
	void *name;
	u32 namelen;
	struct iovec *iov;
	u32 iovlen;
	void *control;
	u32 controllen, flags;
};

struct mmsghdr {
	struct msghdr hdr;
	u32 len;
};

static const char path[] = "/nonexistent/32";
static char buf[300];

static void files(void)
{
	long args[6] = {0, 8192, 1, 0x22, -1, 0};
	u64 offset64 = 1ULL << 33;
	u32 offset = 6;

	S(5, path, 0101 | 0100000, 0640, 0, 0);
	S(8, path, 0600, 0, 0, 0);
	S(295, -100, path, 02, 0, 0);
	S(6, -3, 0, 0, 0, 0);
	S(10, path, 0, 0, 0, 0);
	S(182, path, 0xffff, 7, 0, 0);
	S(95, -3, 8, 0xffff, 0, 0);
	S(195, path, buf, 0, 0, 0);
	S(196, path, buf, 0, 0, 0);
	S(197, -3, buf, 0, 0, 0);
	S(19, -3, -5, 1, 0, 0);
	S(140, -3, 1, 2, buf, 2);
	S(55, -3, 3, 0, 0, 0);
	S(221, -3, 1030, 9, 0, 0);
	S(21, path, path, path, 1, 0);
	S(22, path, 0, 0, 0, 0);
	S(52, path, 2, 0, 0, 0);
	S(187, -3, -4, &offset, 9, 0);
	S(239, -3, -4, &offset64, 9, 0);
	S(90, args, 0, 0, 0, 0);
	sys6(192, 0, 4096, 2, 1, -3, 7);
}

static void data(void)
{
	struct iovec iov[2] = {{"ab", 2}, {"cde", 3}}, room[1] = {{buf, 3}};
	u32 ts[2] = {0, 777};
	struct {
		int fd;
		u16 events, revents;
	} fds[1] = {{-7, 1, 0}};

	S(4, -3, "hello32", 7, 0, 0);
	S(180, -3, buf, 5, 6, 7);
	S(146, -3, iov, 2, 0, 0);
	S(334, -3, iov, 2, 8, 9);
	S(347, S(20, 0, 0, 0, 0, 0), room, 1, iov, 2);
	S(162, ts, 0, 0, 0, 0);
	S(309, fds, 1, ts, 0, 0);
}

static void sockets(void)
{
	int pair[2];
	u32 timeout[2] = {2, 3}, len = 4;
	struct iovec iov[2] = {{"msg", 3}, {"32", 2}}, room[1] = {{buf, 50}};
	struct msghdr out = {0, 0, iov, 2, 0, 0, 0}, in = {0, 0, room, 1, 0, 0, 0};
	struct mmsghdr many[2] = {{out, 0}, {out, 0}}, get[2] = {{in, 0}, {in, 0}};
	struct {
		u16 family, port;
		unsigned char ip[4], zero[8];
	} addr = {2, 0x0100, {127, 0, 0, 1}, {0}};

	SOCKETCALL(1, 2, 1 | 04000, 0);
	SOCKETCALL(2, -3, (long)&addr, 16);
	SOCKETCALL(3, -3, (long)&addr, 16);
	SOCKETCALL(4, -3, 9);
	SOCKETCALL(5, -3, 0, 0);
	SOCKETCALL(8, 1, 1, 0, (long)pair);
	SOCKETCALL(9, pair[0], (long)"send", 4, 0);
	SOCKETCALL(10, pair[1], (long)buf, 77, 0);
	SOCKETCALL(11, pair[0], (long)"sendto", 6, 0, 0, 0);
	SOCKETCALL(12, pair[1], (long)buf, 78, 0, 0, 0);
	SOCKETCALL(13, pair[1], 9);
	SOCKETCALL(14, pair[1], 1, 20, (long)timeout, 8);
	SOCKETCALL(15, pair[1], 1, 3, (long)buf, (long)&len);
	SOCKETCALL(16, pair[0], (long)&out, 0);
	SOCKETCALL(17, pair[1], (long)&in, 0);
	SOCKETCALL(20, pair[0], (long)many, 2, 0);
	SOCKETCALL(19, pair[1], (long)get, 2, 0x40, 0);
	SOCKETCALL(18, -3, 0, 0, 02000000);
	S(359, 1, 2, 0, 0, 0);
	S(362, -3, &addr, 16, 0, 0);
	S(369, pair[0], "direct", 6, 0, 0);
}

static void ids(void)
{
	u16 a[3];
	u32 b[3], limit[2] = {0, 0xffffffff};
	u64 limit64[2] = {5, 1ULL << 40};

	S(75, 4, limit, 0, 0, 0);
	S(191, 4, limit, 0, 0, 0);
	S(340, -3, 7, limit64, 0, 0);
	S(164, 0xffff, 3, 4, 0, 0);
	S(165, a, a + 1, a + 2, 0, 0);
	S(209, b, b + 1, b + 2, 0, 0);
	S(23, 0xffff, 0, 0, 0, 0);
	S(213, 70000, 0, 0, 0, 0);
	S(49, 0, 0, 0, 0, 0);
}

void _start(void)
{
	files();
	data();
	sockets();
	ids();
	S(252, 0, 0, 0, 0, 0);
}
