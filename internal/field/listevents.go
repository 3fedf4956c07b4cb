package field

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/saker-sec/saker/internal/event"
)

// eventEntry is an event as --list-events shows it: a type, or one of the system calls of the generic type.
type eventEntry struct {
	name      string
	enter     bool
	available bool // watched unless rules need more
	params    []event.Param
}

// eventSection is a part of --list-events.
type eventSection struct {
	title   string
	entries []eventEntry
}

// The parts of the list, in order.
const (
	syscallSection = iota
	tracepointSection
	pluginSection
	metaSection
)

// ListEvents prints the events that rules can see, as --list-events does (falco-core.md §1.3): old, unused and generic
// types are left out, and every system call of the generic type follows by name, in both directions. The error is that
// of w.
func ListEvents(w io.Writer, layout Layout) error {
	out := bufio.NewWriter(w)
	sections := eventSections()
	if layout == LayoutJSON {
		if err := listEventsJSON(out, sections); err != nil {
			return err
		}
		return out.Flush()
	}
	fmt.Fprintf(out, "The events below are valid for Falco *Schema Version*: %s\n", event.SchemaVersion)
	for _, s := range sections {
		fmt.Fprintf(out, "## %s\n\n", s.title)
		if layout == LayoutMarkdown {
			fmt.Fprint(out, "Default | Dir | Name | Params \n:-------|:----|:-----|:-----\n")
		}
		for i := range s.entries {
			e := &s.entries[i]
			if layout == LayoutMarkdown {
				fmt.Fprintf(out, "%s | `%s` | `%s` | %s\n", yes(e.available), e.direction(), e.name, e.paramTexts("*"))
			} else {
				fmt.Fprintf(out, "%s %s(%s)\n", e.direction(), e.name, e.paramTexts(""))
			}
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}

// eventSections sorts the events into the parts of the list.
func eventSections() []eventSection {
	sections := []eventSection{
		syscallSection:    {title: "Syscall events"},
		tracepointSection: {title: "Tracepoint events"},
		pluginSection:     {title: "Plugin events"},
		metaSection:       {title: "Metaevents"},
	}
	ignored := ignoredEvents()
	for i := range event.Types() {
		t := &event.Types()[i]
		if t.Status != event.StatusCurrent || t.Code == event.GenericX {
			continue
		}
		e := eventEntry{name: t.Name, enter: t.Enter, available: !ignored[t.Code], params: t.Params}
		switch t.Class {
		case event.ClassSyscall:
			sections[syscallSection].entries = append(sections[syscallSection].entries, e)
		case event.ClassTracepoint:
			sections[tracepointSection].entries = append(sections[tracepointSection].entries, e)
		case event.ClassPlugin:
			sections[pluginSection].entries = append(sections[pluginSection].entries, e)
		case event.ClassMetaevent:
			sections[metaSection].entries = append(sections[metaSection].entries, e)
		}
	}
	generic := event.Types()[event.GenericX].Params
	for _, call := range event.Syscalls() {
		if call.Event == event.GenericX && call.Name != "" && call.Name != "unknown" {
			for _, enter := range []bool{true, false} {
				sections[syscallSection].entries = append(sections[syscallSection].entries,
					eventEntry{name: call.Name, enter: enter, available: !ignored[event.GenericX], params: generic})
			}
		}
	}
	return sections
}

// ignoredEvents are the types of system calls that are watched only when all are asked for.
func ignoredEvents() map[event.Code]bool {
	ignored := map[event.Code]bool{}
	for _, call := range event.Syscalls() {
		if call.Ignored {
			ignored[call.Event] = true
		}
	}
	return ignored
}

func yes(b bool) string {
	if b {
		return "Yes"
	}
	return "No"
}

func (e *eventEntry) direction() string {
	if e.enter {
		return ">"
	}
	return "<"
}

// paramTexts describes the parameters; mark stands round the names of flags.
func (e *eventEntry) paramTexts(mark string) string {
	texts := make([]string, len(e.params))
	for i := range e.params {
		p := &e.params[i]
		texts[i] = fmt.Sprintf("%s **%s**", paramTypeName(p.Type), p.Name)
		if names := flagNames(p); len(names) > 0 {
			texts[i] += ": " + mark + strings.Join(names, mark+", "+mark) + mark
		}
	}
	return strings.Join(texts, ", ")
}

// flagNames returns the names of a parameter's flags. Modes have names too, which the list does not show.
func flagNames(p *event.Param) []string {
	if p.Flags == nil || p.Type == event.TypeMode {
		return nil
	}
	names := make([]string, len(p.Flags.Symbols))
	for i := range p.Flags.Symbols {
		names[i] = p.Flags.Symbols[i].Name
	}
	return names
}

// paramTypeNames are Falco's names of the parameter types.
var paramTypeNames = [...]string{
	event.TypeNone: "NONE", event.TypeInt8: "INT8", event.TypeInt16: "INT16", event.TypeInt32: "INT32", event.TypeInt64: "INT64",
	event.TypeUint8: "UINT8", event.TypeUint16: "UINT16", event.TypeUint32: "UINT32", event.TypeUint64: "UINT64",
	event.TypeCharbuf: "CHARBUF", event.TypeBytebuf: "BYTEBUF", event.TypeErrno: "ERRNO", event.TypeSockaddr: "SOCKADDR",
	event.TypeSocktuple: "SOCKTUPLE", event.TypeFd: "FD", event.TypePid: "PID", event.TypeFdlist: "FDLIST",
	event.TypeFspath: "FSPATH", event.TypeSyscallid: "SYSCALLID", event.TypeSigtype: "SIGTYPE", event.TypeReltime: "RELTIME",
	event.TypeAbstime: "ABSTIME", event.TypePort: "PORT", event.TypeL4proto: "L4PROTO", event.TypeSockfamily: "SOCKFAMILY",
	event.TypeBool: "BOOL", event.TypeIpv4addr: "IPV4ADDR", event.TypeDyn: "DYNAMIC", event.TypeFlags8: "FLAGS8",
	event.TypeFlags16: "FLAGS16", event.TypeFlags32: "FLAGS32", event.TypeUid: "UID", event.TypeGid: "GID",
	event.TypeDouble: "DOUBLE", event.TypeSigset: "SIGSET", event.TypeCharbufarray: "CHARBUFARRAY",
	event.TypeCharbufPairArray: "CHARBUF_PAIR_ARRAY", event.TypeIpv4net: "IPV4NET", event.TypeIpv6addr: "IPV6ADDR",
	event.TypeIpv6net: "IPV6NET", event.TypeIpaddr: "IPADDR", event.TypeIpnet: "IPNET", event.TypeMode: "MODE",
	event.TypeFsrelpath: "FSRELPATH", event.TypeEnumflags8: "ENUMFLAGS8", event.TypeEnumflags16: "ENUMFLAGS16",
	event.TypeEnumflags32: "ENUMFLAGS32", event.TypeFd32: "FD32", event.TypePid32: "PID32",
}

func paramTypeName(t event.ParamType) string {
	if int(t) < len(paramTypeNames) {
		return paramTypeNames[t]
	}
	return "NONE"
}

// The document of the JSON layout, its keys in alphabetical order.
type (
	jsonEvents struct {
		Meta       []jsonEvent `json:"Metaevents"`
		Plugin     []jsonEvent `json:"Plugin events"`
		Syscall    []jsonEvent `json:"Syscall events"`
		Tracepoint []jsonEvent `json:"Tracepoint events"`
		Version    string      `json:"schema_version"`
	}
	jsonEvent struct {
		Available bool        `json:"available"`
		Dir       string      `json:"dir"`
		Name      string      `json:"name"`
		Params    []jsonParam `json:"params"`
	}
	jsonParam struct {
		Flags []string `json:"flags,omitempty"`
		Name  string   `json:"name"`
		Type  string   `json:"type"`
	}
)

func listEventsJSON(w io.Writer, s []eventSection) error {
	return indented(w).Encode(jsonEvents{
		Meta:       s[metaSection].json(),
		Plugin:     s[pluginSection].json(),
		Syscall:    s[syscallSection].json(),
		Tracepoint: s[tracepointSection].json(),
		Version:    event.SchemaVersion,
	})
}

func (s *eventSection) json() []jsonEvent {
	list := make([]jsonEvent, len(s.entries))
	for i := range s.entries {
		e := &s.entries[i]
		params := make([]jsonParam, len(e.params))
		list[i] = jsonEvent{Available: e.available, Dir: e.direction(), Name: e.name, Params: params}
		for k := range e.params {
			p := &e.params[k]
			params[k] = jsonParam{Flags: flagNames(p), Name: p.Name, Type: paramTypeName(p.Type)}
		}
	}
	return list
}
