package match

import (
	"fmt"

	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// class groups the types by what they can be compared with.
type class uint8

const (
	classNone class = iota
	classNumber
	classBool
	classText
	classBytes
	classAddr
	classNet
)

func classOf(t field.Type) class {
	switch t {
	case field.CHARBUF, field.FSPATH, field.FSRELPATH:
		return classText
	case field.BYTEBUF:
		return classBytes
	case field.BOOL:
		return classBool
	case field.IPADDR:
		return classAddr
	case field.IPNET:
		return classNet
	case field.UINT8, field.UINT16, field.UINT32, field.UINT64, field.INT8, field.INT16, field.INT32, field.INT64,
		field.RELTIME, field.ABSTIME, field.PORT, field.DOUBLE:
		return classNumber
	}
	return classNone
}

// operatorFits refuses operators that make no sense for a term's type.
func operatorFits(op filter.Op, mod filter.Modifier, t *term) error {
	if op == filter.Exists {
		return nil
	}
	name := op.String()
	if t.list() {
		switch t.typ {
		case field.CHARBUF, field.UINT64, field.RELTIME, field.ABSTIME, field.BOOL, field.IPADDR, field.IPNET:
		default:
			return fmt.Errorf("list filters are not supported for type '%s'", typeName(t.typ))
		}
		if op == filter.In || op == filter.Intersects {
			return nil
		}
		return fmt.Errorf("'%s' operator not supported list filters", name)
	}
	common := op == filter.Eq || op == filter.Ne || op == filter.In || op == filter.Intersects
	order := op == filter.Lt || op == filter.Le || op == filter.Gt || op == filter.Ge
	switch classOf(t.typ) {
	case classNumber:
		if common || order {
			return nil
		}
		return fmt.Errorf("'%s' operator not supported for numeric filters", name)
	case classBool:
		if common {
			return nil
		}
		return fmt.Errorf("'%s' operator not supported for numeric filters", name)
	case classAddr, classNet:
		switch {
		case common:
			return nil
		case mod != filter.ModNone:
			return fmt.Errorf("'%s' with modifier not supported for ip address and network filters", name)
		}
		return fmt.Errorf("'%s' operator not supported for ip address and network filters", name)
	case classText:
		if op != filter.BContains && op != filter.BStartsWith {
			return nil
		}
		return fmt.Errorf("'%s' operator not supported for string filters", name)
	case classBytes:
		switch op {
		case filter.Contains, filter.StartsWith, filter.EndsWith, filter.BContains, filter.BStartsWith:
			return nil
		}
		if common {
			return nil
		}
		return fmt.Errorf("'%s' operator not supported for buffer filters", name)
	}
	return fmt.Errorf("'%s' operator not supported for type '%s'", name, typeName(t.typ))
}

// rightFits refuses right-hand side fields that cannot be compared with the left-hand side.
func rightFits(op filter.Op, left, right *term) error {
	switch {
	case op == filter.PMatch:
		return fmt.Errorf("operator 'PMATCH' doesn't support right-hand side fields")
	case op == filter.Regex:
		return fmt.Errorf("operator 'REGEX' doesn't support right-hand side fields")
	case left.typ == field.IPNET:
		return fmt.Errorf("field type 'IPNET' doesn't support right-hand side fields")
	case left.flags&field.NoRHS != 0:
		return fmt.Errorf("field '%s' doesn't support right-hand side fields", left.name)
	case right.flags&field.NoRHS != 0:
		return fmt.Errorf("field '%s' can't be used as a right-hand side field", right.name)
	case left.typ != right.typ || left.list() != right.list():
		return fmt.Errorf("field '%s' has type '%s'%s while the right-hand side field '%s' has incompatible type '%s'%s",
			left.name, typeName(left.typ), listMark(left), right.name, typeName(right.typ), listMark(right))
	}
	return nil
}

func listMark(t *term) string {
	if t.list() {
		return " (list)"
	}
	return ""
}

func typeName(t field.Type) string {
	switch t {
	case field.CHARBUF:
		return "CHARBUF"
	case field.FSPATH:
		return "FSPATH"
	case field.FSRELPATH:
		return "FSRELPATH"
	case field.BYTEBUF:
		return "BYTEBUF"
	case field.UINT8:
		return "UINT8"
	case field.UINT16:
		return "UINT16"
	case field.UINT32:
		return "UINT32"
	case field.UINT64:
		return "UINT64"
	case field.INT8:
		return "INT8"
	case field.INT16:
		return "INT16"
	case field.INT32:
		return "INT32"
	case field.INT64:
		return "INT64"
	case field.BOOL:
		return "BOOL"
	case field.RELTIME:
		return "RELTIME"
	case field.ABSTIME:
		return "ABSTIME"
	case field.DOUBLE:
		return "DOUBLE"
	case field.IPADDR:
		return "IPADDR"
	case field.IPNET:
		return "IPNET"
	case field.PORT:
		return "PORT"
	case field.DYN:
		return "DYNAMIC"
	}
	return "NONE"
}
