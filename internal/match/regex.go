package match

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// compileRegex returns the predicate of regex. The pattern is RE2's POSIX syntax (no Perl classes, negated classes match
// a line break, ^ and $ match at lines) and must match the whole text. Bytes that are not UTF-8 match as U+FFFD.
func compileRegex(pattern string) (func(string) bool, error) {
	tree, err := syntax.Parse(pattern, syntax.ClassNL)
	if err != nil {
		return nil, fmt.Errorf("invalid regex pattern: %s", regexMessage(err))
	}
	re, err := regexp.Compile(`\A(?:` + tree.String() + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("invalid regex pattern: %s", regexMessage(err))
	}
	return re.MatchString, nil
}

// regexMessage puts a mistake in a pattern into RE2's words.
func regexMessage(err error) string {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := string(e.Code)
	switch e.Code {
	case syntax.ErrInvalidCharClass:
		text = "invalid character class"
	case syntax.ErrInvalidCharRange:
		text = "invalid character class range"
	case syntax.ErrInvalidEscape:
		text = "invalid escape sequence"
	case syntax.ErrMissingBracket:
		text = "missing ]"
	case syntax.ErrMissingParen:
		text = "missing )"
	case syntax.ErrUnexpectedParen:
		text = "unexpected )"
	case syntax.ErrTrailingBackslash:
		text = `trailing \`
	case syntax.ErrMissingRepeatArgument:
		text = "no argument for repetition operator"
	case syntax.ErrInvalidRepeatSize:
		text = "invalid repetition size"
	case syntax.ErrInvalidRepeatOp:
		text = "bad repetition operator"
	case syntax.ErrInvalidPerlOp:
		text = "invalid perl operator"
	case syntax.ErrInvalidUTF8:
		text = "invalid UTF-8"
	case syntax.ErrInvalidNamedCapture:
		text = "invalid named capture group"
	}
	if e.Expr == "" {
		return text
	}
	return text + ": " + e.Expr
}
