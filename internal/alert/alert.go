// Package alert is the vocabulary of what is reported: an alert, its priority, and their text and JSON forms, which are
// Falco's to the byte (reference: falco-core.md §8.1 and §8.2).
package alert

import (
	"fmt"
	"strings"
	"time"
)

// Priority is how serious an alert is; 0 is the most serious.
type Priority uint8

// The priorities, in Falco's order.
const (
	Emergency Priority = iota
	Alarm              // Falco's "Alert"
	Critical
	Error
	Warning
	Notice
	Informational
	Debug
)

var priorities = [...]string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}

// String returns the long name.
func (p Priority) String() string {
	if int(p) < len(priorities) {
		return priorities[p]
	}
	return fmt.Sprintf("Priority(%d)", uint8(p))
}

// ParsePriority accepts the long names in any case, and "info".
func ParsePriority(s string) (Priority, error) {
	for i, name := range priorities {
		if strings.EqualFold(s, name) {
			return Priority(i), nil
		}
	}
	if strings.EqualFold(s, "info") {
		return Informational, nil
	}
	return 0, fmt.Errorf("unknown priority value: %s", s)
}

// Kind is the kind of a field's value.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Text
	Int
	Uint
	Bool
	Float
	List // of Elems
	Raw  // JSON as it was written, in Text: a number that no other kind holds exactly, or an object
)

// Value is the value of an output field.
type Value struct {
	Kind  Kind
	Text  string
	Num   uint64 // Int, Uint, Bool; Float as its IEEE 754 bits
	Elems []Value
}

// Field is one output field: the key is the field as written in the output, with its argument.
type Field struct {
	Key   string
	Value Value
}

// Alert is one reported match. It owns all it refers to.
type Alert struct {
	Time     time.Time
	Rule     string
	Priority Priority
	Source   string
	Hostname string
	Message  string // the rendered output, without time and priority
	Fields   []Field
	Tags     []string // sorted
	Internal bool     // raised by the engine itself (§8.3)
	UUID     string   // names the alert to destinations that know one they have seen; "" is none
	Output   string   // the output text as it was received; "" is that of time, priority and message
}
