package driver

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/event"
)

// program32 returns a 32-bit executable that opens a file, makes a socket through socketcall, calls getppid, and ends.
func program32(path string) []byte {
	const base, headers = 0x8048000, 52 + 32
	var code bytes.Buffer
	mov := func(reg byte, v uint32) { // mov reg, imm32: 0 eax, 1 ecx, 2 edx, 3 ebx
		code.WriteByte(0xb8 + reg)
		binary.Write(&code, binary.LittleEndian, v)
	}
	call := func(nr uint32, args ...uint32) {
		mov(0, nr)
		for i, a := range args {
			mov([]byte{3, 1, 2}[i], a)
		}
		code.Write([]byte{0xcd, 0x80})
	}
	const data = base + headers + 200
	call(5, data+12, 0, 0) // open(path, O_RDONLY, 0)
	call(102, 1, data)     // socketcall(SYS_SOCKET, {AF_INET, SOCK_DGRAM, IPPROTO_UDP})
	call(64)               // getppid()
	call(1, 0)             // exit(0)
	image := make([]byte, headers+200+12+len(path)+1)
	h := new(bytes.Buffer)
	h.Write([]byte{0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	binary.Write(h, binary.LittleEndian, []uint16{2, 3})
	binary.Write(h, binary.LittleEndian, []uint32{1, base + headers, 52, 0, 0})
	binary.Write(h, binary.LittleEndian, []uint16{52, 32, 1, 0, 0, 0})
	binary.Write(h, binary.LittleEndian, []uint32{1, 0, base, base, uint32(len(image)), uint32(len(image)), 7, 0x1000})
	copy(image, h.Bytes())
	copy(image[headers:], code.Bytes())
	for i, v := range []uint32{2, 2, 17} {
		binary.LittleEndian.PutUint32(image[headers+200+4*i:], v)
	}
	copy(image[headers+200+12:], path)
	return image
}

func TestProgram32(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("needs an amd64 machine")
	}
	file := filepath.Join(t.TempDir(), "program32")
	if err := os.WriteFile(file, program32("/etc/hostname"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := open(t, Config{Syscalls: scs(t, "open", "openat", "socket", "getppid", "execve")})
	cmd := exec.Command(file)
	if err := cmd.Run(); err != nil {
		if strings.Contains(err.Error(), "exec format error") {
			t.Skip("the kernel runs no 32-bit programs")
		}
		t.Fatal(err)
	}
	var seen []string
	until(t, d, func(e *event.Event) bool {
		if e.TID != int64(cmd.Process.Pid) {
			return false
		}
		got := params(e)
		switch e.Code {
		case event.SyscallExecveV19X:
			seen = append(seen, "execve")
			expect(t, "execve", got, map[string]string{"trusted_exepath": file, "filename": file, "exe": file})
		case event.SyscallOpenX:
			seen = append(seen, "open")
			name, _ := e.Text(1)
			if res, _ := e.Result(); name != "/etc/hostname" || res < 0 {
				t.Errorf("open of %q returned %d", name, res)
			}
		case event.SocketSocketX:
			seen = append(seen, "socket")
			expect(t, "socket", got, map[string]string{"domain": "2", "type": "2", "proto": "17"})
		case event.GenericX:
			seen = append(seen, "getppid")
			id, _ := e.Uint(0)
			nr, _ := e.Uint(1)
			if event.Syscalls()[id].Name != "getppid" || nr != 64 {
				t.Errorf("generic event of call %d, number %d; want getppid, 64", id, nr)
			}
			return true
		}
		return false
	})
	if got := strings.Join(seen, " "); got != "execve open socket getppid" {
		t.Errorf("saw %s", got)
	}
}

// TestX32 makes a call with the bit of the x32 table: it is seen like the native call, whether or not the kernel has the table.
func TestX32(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("needs an amd64 machine")
	}
	d := open(t, Config{Syscalls: scs(t, "close")})
	unix.RawSyscall(0x40000000|unix.SYS_CLOSE, 12345, 0, 0)
	until(t, d, func(e *event.Event) bool {
		fd, _ := e.Int(1)
		return e.Code == event.SyscallCloseX && fd == 12345
	})
}
