// Package field is the catalogue: every field a rule or an output can name, with its type, its documentation and the
// function that extracts it. One file holds one class (proc.go, fd.go, …); adding a field touches that file alone.
//
// A field is looked up by name when a rule loads and bound to its argument (proc.aname[2], evt.arg.flags); that gives an
// Extractor, which the event path calls. All decisions that the name and argument allow are taken then.
package field

import "github.com/saker-sec/saker/internal/state"

// Type is the type of a field's values. It decides which operators apply and how a value prints (falco-core.md §3.8).
type Type uint8

// The types of values. The names are Falco's.
const (
	CHARBUF   Type = iota + 1 // text
	FSPATH                    // text: a path
	FSRELPATH                 // text: a path relative to a directory descriptor
	BYTEBUF                   // bytes
	UINT8
	UINT16
	UINT32
	UINT64
	INT8
	INT16
	INT32
	INT64
	BOOL
	RELTIME // ns
	ABSTIME // ns since the epoch
	DOUBLE
	IPADDR // 4 or 16 bytes, network order
	IPNET  // 4 or 16 bytes, network order: an address to be matched against a network
	PORT   // 16 bits
	DYN    // type is known only once the event type is (evt.rawarg)
)

// String returns Falco's name of the type, as --list prints it.
func (t Type) String() string {
	switch t {
	case CHARBUF:
		return "CHARBUF"
	case FSPATH:
		return "FSPATH"
	case FSRELPATH:
		return "FSRELPATH"
	case BYTEBUF:
		return "BYTEBUF"
	case UINT8:
		return "UINT8"
	case UINT16:
		return "UINT16"
	case UINT32:
		return "UINT32"
	case UINT64:
		return "UINT64"
	case INT8:
		return "INT8"
	case INT16:
		return "INT16"
	case INT32:
		return "INT32"
	case INT64:
		return "INT64"
	case BOOL:
		return "BOOL"
	case RELTIME:
		return "RELTIME"
	case ABSTIME:
		return "ABSTIME"
	case DOUBLE:
		return "DOUBLE"
	case IPADDR:
		return "IPADDR"
	case IPNET:
		return "IPNET"
	case PORT:
		return "PORT"
	case DYN:
		return "DYNAMIC"
	}
	return "NONE"
}

// IsText says that Value.Text, rather than Value.Num, holds values of the type.
func (t Type) IsText() bool {
	switch t {
	case CHARBUF, FSPATH, FSRELPATH, BYTEBUF, IPADDR, IPNET:
		return true
	}
	return false
}

// Value is one value of a field. Which member holds it is decided by the type: Text for CHARBUF, FSPATH, FSRELPATH,
// BYTEBUF, IPADDR and IPNET (bytes as a string); Num for all others (signed numbers sign-extended, BOOL 0 or 1, DOUBLE
// as its IEEE 754 bits). Text is a view that is valid until the next event.
type Value struct {
	Type Type
	Num  uint64
	Text string
}

// Quantity says how many values an extractor gives, and what a comparison with several means.
type Quantity uint8

const (
	// One value at most.
	One Quantity = iota
	// List: a list field; only in, intersects and exists apply.
	List
	// Any: several candidates, and a comparison holds when it holds for one of them (proc.aname without index).
	Any
	// Either: two ends of a connection; a comparison holds when it holds for one end, != when it holds for both
	// (fd.ip, fd.port, fd.net). A listening socket has one end. No end at all, but true, means that the descriptor is
	// known and not an internet socket: exists holds then, and nothing else does, != included.
	Either
)

// ArgKind says which arguments a field takes.
type ArgKind uint8

// The kinds of arguments.
const (
	ArgNone   ArgKind = iota
	ArgIndex          // [3]
	ArgKey            // [NAME]
	ArgSuffix         // .name, or [3]: evt.arg, evt.type.is, thread.cgroup
)

// Flags are properties of a field that validation and --list show.
type Flags uint16

// The flags of fields.
const (
	FilterOnly Flags = 1 << iota
	PrintOnly
	TableOnly
	Deprecated
	NoRHS         // cannot stand on the right-hand side
	NoTransformer // cannot be transformed
	NoPtrStability
	Suggested   // added to outputs by append_output's suggested_output
	ArgRequired // may not be used without argument
	ArgAllowed  // may be used with or without argument
)

// Field describes one field.
type Field struct {
	Name  string
	Type  Type
	List  bool // Falco's EPF_IS_LIST
	Args  []ArgKind
	Flags Flags
	Doc   string // one sentence

	Padded     bool // a number that prints with at least nine digits (evt.rawtime.ns)
	TimeInJSON bool // JSON has the event's time in ns in place of the text (evt.time)

	// Bind returns the extractor of the field for an argument, which is "" when there is none. filtering is true in a
	// condition and false in an output: some fields without argument mean something else there.
	Bind func(arg string, filtering bool) (*Extractor, error)

	// split finds the argument in what follows the name, and says how many bytes of it are the field's. Fields that leave
	// it nil take a [argument] where Args says so.
	split func(text, rest string) (arg string, n int, err error)
}

// Class is a group of fields with a common prefix.
type Class struct {
	Name   string // as --list prints it, e.g. "process"
	Short  string // a few words that tell classes of one name apart; may be empty
	Doc    string
	Source string // event source the class applies to; "" for all
	Plugin string // plugin of Falco that has these fields; "" for Falco itself
	Hidden bool   // not shown by --list
	Fields []Field
}

// Extractor is a field bound to its argument. Exactly one of its functions is set: Text for the types whose values are
// text, Num for the others, and Multi when Quantity is not One. They report false when the field has no value for the
// event, allocate nothing in the steady state, and return views valid until the next event or the extractor's next use.
// An extractor that builds text owns the memory for it, so one goroutine uses it.
type Extractor struct {
	Field    *Field
	Arg      string
	Type     Type // of the values; mostly that of the field, but text for a number that prints as hexadecimal
	Quantity Quantity

	Text  func(*state.Ctx) (string, bool)
	Num   func(*state.Ctx) (uint64, bool)
	Multi func(c *state.Ctx, dst []Value) ([]Value, bool)

	// Cost orders comparisons: about the nanoseconds of one extraction.
	Cost int
	// Constant says that the value is the same for all events of one type (evt.type, evt.dir): conditions on it are decided
	// when rules load. Such an extractor reads nothing but Ctx.Event.Code and the schema; only the names of generic and
	// injected events lie in the event itself.
	Constant bool
	// Late says that the value may come to be known after the event, from a container runtime. Such an extractor reads nothing
	// of the context but its container and what the thread itself holds, so that state.(*Ctx).Keep is enough for it.
	Late bool
	// Part says that the text is a part of another field's; nil when it is not known to be.
	Part *Part
	// HostName says that the values are names of hosts, known only after Catalogue.Resolve (fd.sip.name in a condition):
	// whoever loads the rule resolves what the field is compared with.
	HostName bool
}

// Part relates a text to the field that it is a part of, and which has a value whenever this one has.
type Part struct {
	Of     string // name of the field
	End    bool   // the part is the end of it, not its beginning
	Except string // a value that need not be a part
}
