package rule

import "github.com/saker-sec/saker/internal/filter"

// Checker decides what needs the catalogue of fields: whether a condition or an output makes sense for an event source.
// The package that compiles rules implements it; this package knows only the shape of conditions.
type Checker interface {
	// Sources names the event sources that exist, "syscall" among them. A rule of another source is skipped with a warning
	// (LOAD_UNKNOWN_SOURCE).
	Sources() []string

	// Condition checks a condition for a source that exists. The tree holds no macros, and its lists are resolved. The
	// error is a *CheckError: fields, operators, values, event types and right-hand sides are all checked, in the order in
	// which they stand, and the first that is wrong is reported with Falco's message.
	Condition(source string, condition filter.Expr) (Verdict, error)

	// Output checks the text of an output for a source that exists. The error is a *CheckError without position.
	Output(source, text string) error
}

// Verdict is what a Checker says of a valid condition.
type Verdict struct {
	// Warnings are reported as LOAD_COMPILE_CONDITION at their positions.
	Warnings []CheckError
	// EventTypes is the number of event types for which the condition can hold, as Falco counts them (falco-core.md §3.9).
	// More than 100 for a rule of source "syscall" are reported as LOAD_NO_EVTTYPE. 0 means that it can never hold.
	EventTypes int
}

// CheckError says what is wrong with a condition or an output.
type CheckError struct {
	// At is the position of the node that is wrong: the At of the filter.Check whose field, operator or values do not fit
	// (or of the nested operand, when a field within a transformer does not). Unused for outputs.
	At filter.Pos
	// Unknown says that a field, an event type or a formatting token does not exist, rather than being misused. A rule with
	// skip-if-unknown-filter is skipped then instead of failing. Falco decides it by the message, which contains
	// "nonexistent field", "unknown event type", "invalid formatting token" or "unknown filter:".
	Unknown bool
	// Message is Falco's, for example "filter_check called with nonexistent field proc.nobody".
	Message string
}

// Error returns the message.
func (e *CheckError) Error() string { return e.Message }
