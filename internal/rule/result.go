package rule

import (
	"fmt"
	"strings"
)

// Result says what was found in one file.
type Result struct {
	Name     string
	Errors   []Finding // at most one from reading, at most one from compiling
	Warnings []Finding

	schema []string // what checkSchema found; nil when nothing was checked
}

// Finding is one error or warning.
type Finding struct {
	Code       Code
	Message    string
	deprecated string // the deprecated field that a DeprecatedItem is about, or ""
	ctx        *context
}

// Place returns the innermost file position of the finding: line and column count from 1.
func (f *Finding) Place() (file string, line, col int) {
	c := f.ctx
	for c.kind == kindExpression {
		c = c.parent
	}
	return c.name, c.at.line + 1, c.at.col + 1
}

// text is the short text of the code, with the deprecated field if there is one.
func (f *Finding) text() string {
	if f.deprecated != "" {
		return f.Code.Text() + ": field '" + f.deprecated + "'"
	}
	return f.Code.Text()
}

// Successful reports whether the file could be loaded.
func (r *Result) Successful() bool { return len(r.Errors) == 0 }

// Schema returns "ok", "none" (nothing to check), or the first schema error, as Falco logs it when it loads a file. The first
// document speaks for all.
func (r *Result) Schema() string {
	if len(r.schema) == 0 {
		return "none"
	}
	return r.schema[0]
}

// violations returns what to show of the schema: nothing where the first document keeps to it.
func (r *Result) violations() []string {
	if r.Schema() == schemaOK {
		return nil
	}
	return r.schema
}

func (r *Result) fail(code Code, message string, ctx *context) {
	r.Errors = append(r.Errors, Finding{Code: code, Message: message, ctx: ctx})
}

func (r *Result) warn(code Code, message string, ctx *context) {
	r.Warnings = append(r.Warnings, Finding{Code: code, Message: message, ctx: ctx})
}

func (r *Result) warnDeprecated(field, message string, ctx *context) {
	r.Warnings = append(r.Warnings, Finding{Code: DeprecatedItem, Message: message, deprecated: field, ctx: ctx})
}

func (r *Result) verdict() string {
	s := "Ok"
	if !r.Successful() {
		s = "Invalid"
	} else if len(r.Warnings) > 0 {
		s = "Ok, with warnings"
	}
	if r.Name != "" {
		return r.Name + ": " + s
	}
	return s
}

// Summary returns the result on a few lines: the verdict, and the codes of errors and warnings.
func (r *Result) Summary() string {
	var b strings.Builder
	b.WriteString(r.verdict())
	if v := r.violations(); len(v) > 0 {
		fmt.Fprintf(&b, "\n %d schema warnings: [%s]", len(v), strings.Join(v, " "))
	}
	for _, l := range []struct {
		what     string
		findings []Finding
	}{{"errors", r.Errors}, {"warnings", r.Warnings}} {
		if len(l.findings) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n %d %s: [", len(l.findings), l.what)
		for i := range l.findings {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%s (%s)", l.findings[i].Code, l.findings[i].text())
		}
		b.WriteByte(']')
	}
	return b.String()
}

// Verbose returns the result with the place, a snippet and the message of each error and warning.
func (r *Result) Verbose() string {
	var b strings.Builder
	b.WriteString(r.verdict())
	if v := r.violations(); len(v) > 0 {
		fmt.Fprintf(&b, "\n%d Schema warnings:\n", len(v))
		for _, s := range v {
			b.WriteString("------\n" + s + "\n")
		}
		b.WriteString("------\n")
	}
	for _, l := range []struct {
		what     string
		findings []Finding
	}{{"Errors", r.Errors}, {"Warnings", r.Warnings}} {
		if len(l.findings) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%d %s:\n", len(l.findings), l.what)
		for i := range l.findings {
			f := &l.findings[i]
			fmt.Fprintf(&b, "%s------\n%s------\n%s (%s): %s\n", f.ctx, f.ctx.snippet(), f.Code, f.text(), f.Message)
		}
	}
	return b.String()
}

// ValidationText returns what -V prints for the results of the files, without the newline at the end: all about files with
// errors, one line for all others. Warnings of valid files are left to the log, as in Falco.
func ValidationText(results []*Result) string {
	var parts []string
	for _, r := range results {
		if r.Successful() && len(r.Warnings) > 0 {
			parts = append(parts, r.Name+": Ok, with warnings")
		} else {
			parts = append(parts, r.Verbose())
		}
	}
	return strings.Join(parts, "\n")
}
