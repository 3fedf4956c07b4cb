// Package rule reads rule files: it turns lists, macros, exceptions, appends and overrides into plain rules, each with one
// resolved condition and one output, and reports what is wrong with a file as Falco does, to the byte.
//
// A Loader takes files in order. Each Load adds the items of one file to what was loaded before, resolves everything
// anew, and returns the Result for that file; Rules returns the rules as they stand. Whether fields, operators and values
// exist is asked of a Checker, so that this package does not depend on the catalogue.
package rule

import (
	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/filter"
)

// Rule is one rule with all references resolved.
type Rule struct {
	Name      string
	Desc      string
	Condition string      // as written, with appended conditions; macros, lists and exceptions unresolved
	Expr      filter.Expr // resolved: macros, lists and exceptions are part of the tree; rules share those of macros
	Output    string      // with the formats that configuration appends to it
	Extra     []ExtraField
	Priority  alert.Priority
	Source    string
	Tags      []string // sorted, each once
	Enabled   bool     // by the files, the minimum priority and the selection

	Capture         bool
	CaptureDuration uint32 // ms; 0 means the configured default
	WarnEvttypes    bool
	SkipUnknown     bool
	ExceptionFields []string // sorted, each once

	Index int // rules are evaluated in ascending order; a redefinition keeps its place
	File  string
	Line  int // of the definition in the file, from 1
}

// ExtraField is an output field that the configuration adds to a rule.
type ExtraField struct {
	Key    string
	Format string // an output text
	Raw    bool   // the value of one field, typed, rather than a rendered text
}
