package ruleset

import (
	"errors"
	"strings"

	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/format"
	"github.com/saker-sec/saker/internal/match"
	"github.com/saker-sec/saker/internal/rule"
)

// Checker checks conditions and outputs against the catalogues: the rule.Checker of package rule.
type Checker struct {
	sources   []string
	compilers map[string]*match.Compiler
	tokens    map[string]tokens
}

// NewChecker returns a checker for the sources of o.
func NewChecker(o Options) *Checker {
	c := &Checker{
		sources:   o.Sources,
		compilers: make(map[string]*match.Compiler),
		tokens:    make(map[string]tokens),
	}
	for _, s := range o.Sources {
		fields := o.Fields(s)
		c.compilers[s] = match.NewCompiler(fields, o.Services, o.AsyncNames)
		c.tokens[s] = tokens{fields: fields, compile: c.compilers[s]}
	}
	return c
}

// Sources names the event sources.
func (c *Checker) Sources() []string { return c.sources }

// Condition checks a condition and counts the event types for which it can hold.
func (c *Checker) Condition(source string, condition filter.Expr) (rule.Verdict, error) {
	m := c.compilers[source]
	m.Warnings()
	if _, err := compileExpr(m, condition); err != nil {
		return rule.Verdict{}, checkError(err, condition.Pos())
	}
	var v rule.Verdict
	for _, w := range m.Warnings() {
		v.Warnings = append(v.Warnings, rule.CheckError{At: w.At, Message: w.Message})
	}
	if source != SyscallSource {
		v.EventTypes = 1
		return v, nil
	}
	codes, err := match.EventCodes(condition)
	if err != nil {
		return rule.Verdict{}, checkError(err, condition.Pos())
	}
	v.EventTypes = codes.Len()
	return v, nil
}

// Output checks the text of an output.
func (c *Checker) Output(source, text string) error {
	if _, err := format.Compile(text, c.tokens[source]); err != nil {
		return checkError(err, filter.Pos{})
	}
	return nil
}

// checkError turns an error of a compiler into what package rule reports.
func checkError(err error, at filter.Pos) *rule.CheckError {
	e := &rule.CheckError{At: at, Message: err.Error()}
	var m *match.Error
	if errors.As(err, &m) {
		e.At = m.At
	}
	for _, unknown := range [...]string{
		"nonexistent field", "unknown event type", "invalid formatting token", "unknown filter:",
	} {
		e.Unknown = e.Unknown || strings.Contains(e.Message, unknown)
	}
	return e
}
