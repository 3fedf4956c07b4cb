package procfs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/event"
)

const (
	// maxAccounts bounds passwd and group files, in bytes. A container may hand us anything in their place.
	maxAccounts = 16 << 20
	// maxName bounds the strings of an account, in bytes (scap-format.md §5).
	maxName = 255
)

// Users reads the machine's /etc/passwd.
func (f *FS) Users() ([]event.User, error) { return usersIn(f.rootOr("/")) }

// Groups reads the machine's /etc/group.
func (f *FS) Groups() ([]event.Group, error) { return groupsIn(f.rootOr("/")) }

// UsersOf reads the /etc/passwd that a process sees, as for a process in a container.
func (f *FS) UsersOf(pid int64) ([]event.User, error) { return usersIn(f.rootOf(pid)) }

// GroupsOf reads the /etc/group that a process sees.
func (f *FS) GroupsOf(pid int64) ([]event.Group, error) { return groupsIn(f.rootOf(pid)) }

func (f *FS) rootOr(otherwise string) string {
	if f.root == "" {
		return otherwise
	}
	return f.root
}

func (f *FS) rootOf(pid int64) string { return f.proc + "/" + strconv.FormatInt(pid, 10) + "/root" }

func usersIn(root string) ([]event.User, error) {
	text, err := readIn(root, "etc/passwd", maxAccounts)
	if err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	var out []event.User
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) < 7 {
			continue
		}
		uid, ok1 := id(f[2])
		gid, ok2 := id(f[3])
		if ok1 && ok2 && f[0] != "" {
			out = append(out, event.User{UID: uid, GID: gid, Name: clip(f[0]), Home: clip(f[5]), Shell: clip(f[6])})
		}
	}
	return out, nil
}

func groupsIn(root string) ([]event.Group, error) {
	text, err := readIn(root, "etc/group", maxAccounts)
	if err != nil {
		return nil, fmt.Errorf("reading accounts: %w", err)
	}
	var out []event.Group
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) < 3 {
			continue
		}
		if gid, ok := id(f[2]); ok && f[0] != "" {
			out = append(out, event.Group{GID: gid, Name: clip(f[0])})
		}
	}
	return out, nil
}

func id(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

func clip(s string) string {
	if len(s) > maxName {
		s = s[:maxName]
	}
	return strings.Clone(s)
}
