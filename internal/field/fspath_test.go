package field_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

func TestPaths(t *testing.T) {
	play(t, []scene{
		{"one path", []call{{event.SyscallUnlinkV2X, bashTID, []any{0, "../x"}}}, map[string]string{
			"fs.path.name": `"/x"`, "fs.path.nameraw": `"../x"`, "fs.path.source": `null`,
		}},
		{"a call that failed", []call{{event.SyscallUnlinkV2X, bashTID, []any{-2, "x"}}}, map[string]string{"fs.path.name": `null`}},
		{"relative to a descriptor", []call{{event.SyscallMkdiratX, bashTID, []any{0, 6, "d", 0}}}, map[string]string{
			"fs.path.name": `"/var/lib/d"`, "evt.abspath": `"/var/lib/d"`,
		}},
		{"relative to the working directory", []call{{event.SyscallMkdiratX, bashTID, []any{0, -100, "d", 0}}}, map[string]string{"fs.path.name": `"/srv/d"`}},
		{"two paths", []call{{event.SyscallRenameat2X, bashTID, []any{0, 6, "a", -100, "b", 0}}}, map[string]string{
			"fs.path.source": `"/var/lib/a"`, "fs.path.target": `"/srv/b"`, "fs.path.sourceraw": `"a"`, "fs.path.targetraw": `"b"`,
			"fs.path.name": `null`, "evt.abspath.src": `"/var/lib/a"`, "evt.abspath.dst": `"/srv/b"`,
		}},
		{"a link: the new name is the source", []call{{event.SyscallLinkV2X, bashTID, []any{0, "/old", "/new"}}}, map[string]string{
			"fs.path.source": `"/new"`, "fs.path.target": `"/old"`,
		}},
		{"a symbolic link", []call{{event.SyscallSymlinkX, bashTID, []any{0, "/old", "new"}}}, map[string]string{
			"fs.path.source": `"/srv/new"`, "fs.path.target": `"/old"`,
		}},
		{"a call on a descriptor", []call{{event.SyscallFchownX, bashTID, []any{0, 3, 0, 0}}}, map[string]string{"fs.path.name": `"/etc/passwd"`}},
		{"a call without paths", []call{{event.SyscallKillX, bashTID, []any{0, 10, 15}}}, map[string]string{"fs.path.name": `null`, "fs.path.target": `null`}},
	})
}
