// Package alone lets the tests of one package at a time have the machine. Go tests packages side by side, and a program that watches
// the machine sees what other tests do on it, and they what it does.
package alone

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Wait waits until no other package's tests have the machine, and keeps those that come waiting until this process ends. Where it
// cannot be told, because there are no control groups to lock, it says so and goes on.
func Wait() {
	fd, err := unix.Open("/sys/fs/cgroup", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "locking the control groups:", err)
	}
}
