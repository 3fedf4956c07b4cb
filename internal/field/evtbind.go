package field

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

// The parsing and binding of the event fields that take arguments in ways of their own.

func syntaxError(text string) error { return fmt.Errorf("filter syntax error: %s", text) }

// positions says where a parameter stands in each event type, -1 where the type does not have it.
type positions [event.NumCodes]int8

func paramPositions(name string) *positions {
	p := new(positions)
	for i := range event.Types() {
		p[i] = int8(event.Types()[i].ParamIndex(name))
	}
	return p
}

// longestParam returns the parameter with the longest name that text begins with: of those with the same name the first in
// the order of event codes.
func longestParam(text string) *event.Param {
	var best *event.Param
	for i := range event.Types() {
		params := event.Types()[i].Params
		for j := range params {
			p := &params[j]
			if (best == nil || len(p.Name) > len(best.Name)) && p.Name != "" && strings.HasPrefix(text, p.Name) {
				best = p
			}
		}
	}
	return best
}

// splitArg is the split of evt.arg: a parameter's name or position.
func splitArg(text, rest string) (string, int, error) {
	if arg, n, ok := brackets(rest); ok {
		if _, err := strconv.ParseInt(arg, 10, 32); err != nil {
			return "", 0, notANumber(arg)
		}
		return arg, n, nil
	}
	return splitParam(text, rest)
}

// splitRawArg is the split of evt.rawarg, which takes names only.
func splitRawArg(text, rest string) (string, int, error) {
	if strings.HasPrefix(rest, "[") {
		return "", 0, errors.New("evt.arg fields must be expressed explicitly")
	}
	return splitParam(text, rest)
}

func splitParam(text, rest string) (string, int, error) {
	if !strings.HasPrefix(rest, ".") {
		return "", 0, syntaxError(text)
	}
	p := longestParam(rest[1:])
	if p == nil {
		return "", 0, fmt.Errorf("unknown event argument %s", rest[1:])
	}
	return p.Name, 1 + len(p.Name), nil
}

// splitAround is the split of evt.around: a time in ns.
func splitAround(text, rest string) (string, int, error) {
	if strings.HasPrefix(rest, ".") {
		return "", 0, errors.New("wrong syntax for evt.around")
	}
	arg, n, ok := brackets(rest)
	if !ok {
		return "", 0, syntaxError(text)
	}
	if _, err := strconv.ParseUint(arg, 10, 64); err != nil {
		return "", 0, notANumber(arg)
	}
	return arg, n, nil
}

// splitAbsPath is the split of evt.abspath: .src, .dst or nothing.
func splitAbsPath(_, rest string) (string, int, error) {
	for _, arg := range []string{"src", "dst"} {
		if strings.HasPrefix(rest, "."+arg) {
			return arg, 1 + len(arg), nil
		}
	}
	return "", 0, nil
}

// bindArg binds evt.arg: to the position in each type for a name, to the position itself for a number.
func bindArg(arg string, _ bool) (*Extractor, error) {
	var a argument
	if n, err := strconv.ParseInt(arg, 10, 32); err == nil {
		return &Extractor{Cost: costBuild, Text: func(c *state.Ctx) (string, bool) {
			if n < 0 || n >= int64(c.Event.NumParams()) {
				return "", false
			}
			a.render(c, int(n))
			return a.text(), true
		}}, nil
	}
	index := paramPositions(arg)
	return &Extractor{Cost: costBuild, Text: func(c *state.Ctx) (string, bool) {
		i := int(index[c.Event.Code])
		if i < 0 || i >= c.Event.NumParams() {
			return "", false
		}
		a.render(c, i)
		return a.text(), true
	}}, nil
}

// bindArgs binds evt.args. The parameters of generic events are for internal use and not printed.
func bindArgs(string, bool) (*Extractor, error) {
	var a argument
	return buildWith(costLong, func(c *state.Ctx, dst []byte) ([]byte, bool) {
		if c.Event.Code == event.GenericX {
			return dst, true
		}
		params := c.Event.Type().Params
		for i := range min(c.Event.NumParams(), len(params)) {
			if i > 0 {
				dst = append(dst, ' ')
			}
			a.render(c, i)
			dst = append(append(dst, params[i].Name...), '=')
			dst = append(dst, a.raw...)
			if len(a.resolved) > 0 {
				dst = append(append(append(dst, '('), a.resolved...), ')')
			}
		}
		return dst, true
	}), nil
}

// rawTypes are the types that the values of evt.rawarg have, by the type of the parameter. Addresses and lists are bytes.
func rawType(t event.ParamType) Type {
	switch t {
	case event.TypeInt8:
		return INT8
	case event.TypeInt16:
		return INT16
	case event.TypeInt32, event.TypeFd32, event.TypePid32:
		return INT32
	case event.TypeInt64, event.TypeErrno, event.TypeFd, event.TypePid:
		return INT64
	case event.TypeUint8, event.TypeSigtype, event.TypeL4proto, event.TypeSockfamily, event.TypeFlags8, event.TypeEnumflags8:
		return UINT8
	case event.TypeUint16, event.TypeSyscallid, event.TypeFlags16, event.TypeEnumflags16:
		return UINT16
	case event.TypeUint32, event.TypeFlags32, event.TypeEnumflags32, event.TypeUid, event.TypeGid, event.TypeSigset,
		event.TypeMode:
		return UINT32
	case event.TypeUint64:
		return UINT64
	case event.TypeCharbuf:
		return CHARBUF
	case event.TypeFspath:
		return FSPATH
	case event.TypeFsrelpath:
		return FSRELPATH
	case event.TypeReltime:
		return RELTIME
	case event.TypeAbstime:
		return ABSTIME
	case event.TypePort:
		return PORT
	case event.TypeBool:
		return BOOL
	case event.TypeDouble:
		return DOUBLE
	case event.TypeIpv4addr, event.TypeIpv6addr, event.TypeIpaddr:
		return IPADDR
	case event.TypeIpv4net, event.TypeIpv6net, event.TypeIpnet:
		return IPNET
	}
	return BYTEBUF
}

// bindRawArg binds evt.rawarg. Its type is that of the first parameter of the name over all event types; an event whose
// parameter of that name is a text instead of a number, or the other way round, gives no value.
func bindRawArg(arg string, filtering bool) (*Extractor, error) {
	p := longestParam(arg)
	if p == nil || p.Name != arg {
		return nil, fmt.Errorf("unknown event argument %s", arg)
	}
	x := &Extractor{Cost: costWalk, Type: rawType(p.Type)}
	x.Field = &Field{Name: "evt.rawarg", Type: x.Type, Flags: ArgRequired | NoRHS | NoTransformer}
	index := paramPositions(arg)
	isText := x.Type.IsText()
	for i := range index {
		if j := index[i]; j >= 0 && rawType(event.Types()[i].Params[j].Type).IsText() != isText {
			index[i] = -1
		}
	}
	if !isText {
		x.Num = func(c *state.Ctx) (uint64, bool) {
			i := int(index[c.Event.Code])
			if i < 0 {
				return 0, false
			}
			return decodeNumber(c.Event.Type().Params[i].Type, c.Event.Param(i))
		}
		return printedAs(x, p.Format, filtering), nil
	}
	x.Text = func(c *state.Ctx) (string, bool) {
		i := int(index[c.Event.Code])
		if i < 0 || i >= c.Event.NumParams() {
			return "", false
		}
		data := c.Event.Param(i)
		switch rawType(c.Event.Type().Params[i].Type) {
		case CHARBUF, FSPATH, FSRELPATH:
			if len(data) == 0 {
				return "<NA>", true
			}
			return cString(data), true
		}
		return event.View(data), len(data) > 0
	}
	return x, nil
}

// bindAround binds evt.around to the distance from the time in ms, rounded up: the condition holds when that is at most the
// value on its right. It has no operator but =.
func bindAround(arg string, _ bool) (*Extractor, error) {
	centre, err := strconv.ParseUint(arg, 10, 64)
	if err != nil {
		return nil, notANumber(arg)
	}
	return &Extractor{Cost: costLoad, Num: func(c *state.Ctx) (uint64, bool) {
		d := c.Event.Time - centre
		if c.Event.Time < centre {
			d = centre - c.Event.Time
		}
		return (d + 999_999) / 1_000_000, true
	}}, nil
}

// types says which event types and which system calls of the generic type a name stands for.
type types struct {
	codes [event.NumCodes]bool
	calls [event.NumSC]bool
}

// typeSet returns the types that evt.type.is selects: those of the name, or the one of the code.
func typeSet(arg string) (*types, bool) {
	set, found := new(types), false
	if n, err := strconv.ParseUint(arg, 10, 32); err == nil {
		if n < uint64(len(set.codes)) {
			set.codes[n] = true
		}
		return set, true
	}
	for i := range event.Types() {
		if event.Types()[i].Name == arg {
			set.codes[i], found = true, true
		}
	}
	for i, call := range event.Syscalls() {
		if call.Name == arg && call.Event == event.GenericX {
			set.calls[i], found = true, true
		}
	}
	return set, found && arg != ""
}

// bindTypeIs binds evt.type.is. Falco compares with the two oldest codes of the name only, which is never true for calls
// that have newer ones; here every version counts, as the documentation promises.
func bindTypeIs(names natives) binder {
	return func(arg string, _ bool) (*Extractor, error) {
		set, ok := typeSet(arg)
		if !ok {
			return nil, &UnknownFieldError{Text: "evt.type.is." + arg}
		}
		return &Extractor{
			Cost: costLoad, Constant: true,
			Num: func(c *state.Ctx) (uint64, bool) {
				if set.codes[c.Event.Code] {
					return 1, true
				}
				return boolean(c.Event.Code == event.GenericX && set.calls[names.call(c.Event)]), true
			},
		}, nil
	}
}

// atPaths are the calls that take a directory descriptor with a path, and the position of both; calls with two paths have
// the second as destination.
type atPath struct{ dir, path, dstDir, dstPath int }

func atPathOf(code event.Code) (atPath, bool) {
	switch code {
	case event.SyscallRenameatX, event.SyscallRenameat2X, event.SyscallLinkatV2X:
		return atPath{dir: 1, path: 2, dstDir: 3, dstPath: 4}, true
	case event.SyscallSymlinkatX:
		return atPath{dir: 2, path: 3, dstDir: 2, dstPath: 3}, true
	case event.SyscallOpenatV2X, event.SyscallOpenat2X, event.SyscallUnlinkatV2X, event.SyscallMkdiratX,
		event.SyscallFchmodatX, event.SyscallFchownatX, event.SyscallMknodatX:
		return atPath{dir: 1, path: 2, dstDir: 1, dstPath: 2}, true
	}
	return atPath{}, false
}

// bindAbsPath binds evt.abspath: to the source or only path without argument and for .src, to the destination for .dst.
func bindAbsPath(arg string, _ bool) (*Extractor, error) {
	return buildWith(costBuild, func(c *state.Ctx, dst []byte) ([]byte, bool) {
		if c.Thread == nil {
			return dst, false
		}
		if c.Event.Code == event.SyscallOpenByHandleAtX {
			path, ok := c.Event.Text(3)
			if r, _ := result(c.Event); !ok || r <= 0 {
				return dst, false
			}
			return state.AppendPath(dst, "", path), true
		}
		at, ok := atPathOf(c.Event.Code)
		if !ok {
			return dst, false
		}
		if arg == "dst" {
			at.dir, at.path = at.dstDir, at.dstPath
		}
		dir, ok := c.Event.Int(at.dir)
		path, present := c.Event.Text(at.path)
		if !ok || !present {
			return dst, false
		}
		return c.State.ResolvePath(c.Thread, dir, path, dst), true
	}), nil
}
