package driver

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// The reasons why the driver cannot run here. Each says what is missing and how to get it.
var (
	// ErrPermission: the process may not use BPF.
	ErrPermission = errors.New("no permission to load BPF programs: run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE")
	// ErrBTF: the kernel does not describe its types.
	ErrBTF = errors.New("the kernel has no BTF type information: it must be built with CONFIG_DEBUG_INFO_BTF=y, and /sys must be mounted")
	// ErrOldKernel: the kernel lacks BPF ring buffers.
	ErrOldKernel = errors.New("the kernel is too old: Linux 5.8 or later is needed")
	// ErrLockdown: the kernel refuses to let BPF read kernel memory and has no typed way to do without.
	ErrLockdown = errors.New("the kernel is locked down (confidentiality) and older than 6.2: boot with lockdown=integrity, or use a later kernel")
	// ErrLocked is one of the Problems of a driver on a kernel that is locked down (confidentiality): it runs, without what lies in kernel
	// strings.
	ErrLocked = errors.New("the kernel is locked down (confidentiality): exec events have no trusted_exepath, filename and cgroups")
	// ErrArch: no programs for this machine.
	ErrArch = errors.New("the driver knows amd64 and arm64 only")
)

// explain turns what the kernel answered into a reason, where there is one.
func explain(err error) error {
	var v *ebpf.VerifierError
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (%v)", ErrPermission, err)
	case errors.As(err, &v):
		last := ""
		if n := len(v.Log); n > 0 {
			last = ": " + v.Log[max(0, n-2)]
		}
		return fmt.Errorf("the kernel's verifier refused a program: %w%s", err, last)
	}
	return err
}
