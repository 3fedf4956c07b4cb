package field

import (
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

// fsPath is the class of fields that describe the paths that a system call acts on.
func fsPath() *Class {
	return &Class{
		Name: "fs.path",
		Doc: "The paths that a system call acts on. Other than fd.*, they also cover calls that work on paths " +
			"without opening " +
			"them, such as unlink and rename.",
		Source: "syscall",
		Fields: []Field{
			{
				Name: "fs.path.name", Type: CHARBUF,
				Doc:  "Absolute path that the call acted on with success.",
				Bind: pathField(onlyPath, false),
			},
			{
				Name: "fs.path.nameraw", Type: CHARBUF,
				Doc:  "Path that the call acted on with success, as the caller gave it.",
				Bind: pathField(onlyPath, true),
			},
			{
				Name: "fs.path.source", Type: CHARBUF,
				Doc:  "Absolute path of the source of a call with two paths, such as rename; for links, of the new name.",
				Bind: pathField(sourcePath, false),
			},
			{
				Name: "fs.path.sourceraw", Type: CHARBUF,
				Doc:  "Path of the source of a call with two paths, as the caller gave it; for links, of the new name.",
				Bind: pathField(sourcePath, true),
			},
			{
				Name: "fs.path.target", Type: CHARBUF,
				Doc: "Absolute path of the target of a call with two paths, such as rename; for links, of what " +
					"they lead to.",
				Bind: pathField(targetPath, false),
			},
			{
				Name: "fs.path.targetraw", Type: CHARBUF,
				Doc: "Path of the target of a call with two paths, as the caller gave it; for links, of what they " +
					"lead to.",
				Bind: pathField(targetPath, true),
			},
		},
	}
}

// A role says what a path is to the call.
type role uint8

const (
	onlyPath role = iota
	sourcePath
	targetPath
)

// A pathParam says where an event has a path: the position of the path, and of the directory descriptor that it is relative
// to; 0, which is always the result, stands for the working directory.
type pathParam struct{ path, dir int8 }

// fdPath stands for the name of the descriptor that the event is about, in place of a position.
const fdPath = -1

// pathOf returns the path of a role. Links have the new name as source and the old one as target, as Falco has it.
func pathOf(code event.Code, r role) (p pathParam, ok bool) {
	var only, source, target pathParam
	switch code {
	case event.SyscallMkdirV2X, event.SyscallRmdirV2X, event.SyscallUnlinkV2X, event.SyscallOpenX, event.SyscallChmodX,
		event.SyscallChownX, event.SyscallLchownX, event.SyscallQuotactlX, event.SyscallUmountV1X, event.SyscallUmount2X:
		only = pathParam{path: 1}
	case event.SyscallMkdiratX, event.SyscallUnlinkatV2X, event.SyscallFchmodatX, event.SyscallFchownatX,
		event.SyscallOpenatV2X, event.SyscallOpenat2X:
		only = pathParam{path: 2, dir: 1}
	case event.SyscallFchmodX, event.SyscallFchownX:
		only = pathParam{path: fdPath}
	case event.SyscallRenameX:
		source, target = pathParam{path: 1}, pathParam{path: 2}
	case event.SyscallRenameatX, event.SyscallRenameat2X:
		source, target = pathParam{path: 2, dir: 1}, pathParam{path: 4, dir: 3}
	case event.SyscallLinkV2X:
		source, target = pathParam{path: 2}, pathParam{path: 1}
	case event.SyscallLinkatV2X:
		source, target = pathParam{path: 4, dir: 3}, pathParam{path: 2, dir: 1}
	case event.SyscallSymlinkX:
		source, target = pathParam{path: 2}, pathParam{path: 1}
	case event.SyscallSymlinkatX:
		source, target = pathParam{path: 3, dir: 2}, pathParam{path: 1, dir: 2}
	case event.SyscallMountX:
		source, target = pathParam{path: 1}, pathParam{path: 2}
	}
	switch r {
	case sourcePath:
		p = source
	case targetPath:
		p = target
	default:
		p = only
	}
	return p, p.path != 0
}

// succeeded says whether the paths of the event count. For the open family that is everything but EPERM: Falco compares the
// descriptor with -1 only.
func succeeded(e *event.Event) bool {
	r, ok := result(e)
	switch e.Code {
	case event.SyscallOpenX, event.SyscallOpenatV2X, event.SyscallOpenat2X:
		return ok && r != -1
	}
	return ok && r == 0
}

// pathField is the Bind of a path. Relative ones are resolved against the directory that the call names, where Falco takes
// the working directory for renameat and linkat and knows no directory for the working directory of others.
func pathField(r role, raw bool) binder {
	return func(string, bool) (*Extractor, error) {
		var n namer
		return buildWith(costBuild, func(c *state.Ctx, dst []byte) ([]byte, bool) {
			p, ok := pathOf(c.Event.Code, r)
			if !ok || !succeeded(c.Event) || !raw && c.Thread == nil {
				return dst, false
			}
			path := ""
			if p.path == fdPath {
				path, ok = n.name(c)
			} else if path, ok = c.Event.Text(int(p.path)); !ok {
				path, ok = "<NA>", int(p.path) < c.Event.NumParams()
			}
			if !ok {
				return dst, false
			}
			if raw {
				return append(dst, path...), true
			}
			dir := int64(state.AtFDCWD)
			if p.dir != 0 {
				if dir, ok = c.Event.Int(int(p.dir)); !ok {
					dir = state.AtFDCWD
				}
			}
			return c.State.ResolvePath(c.Thread, dir, path, dst), true
		}), nil
	}
}
