package rule

import (
	"errors"
	"fmt"
)

// faultError ends the loading of a file: it becomes the error in its Result.
type faultError struct {
	code    Code
	message string
	ctx     *context
}

func (e *faultError) Error() string { return e.message }

func fault(code Code, ctx *context, format string, args ...any) error {
	return &faultError{code, fmt.Sprintf(format, args...), ctx}
}

// failWith reports an error that ended loading.
func (r *Result) failWith(err error, file *context) {
	var f *faultError
	if errors.As(err, &f) {
		r.fail(f.code, f.message, f.ctx)
		return
	}
	r.fail(ErrValidate, err.Error(), file)
}

func isUnknown(err error) bool {
	var c *CheckError
	return errors.As(err, &c) && c.Unknown
}

// The bounds on what references may expand to. No rule that is meant to run comes near them; without them, a few lines
// can name each other so that they stand for terabytes.
const (
	maxText       = 16 << 20 // bytes of one condition, its lists and exceptions written out
	maxTotalText  = 1 << 28  // and of all conditions of all files
	maxNodes      = 1 << 18  // nodes of one condition, its macros resolved
	maxTotalNodes = 1 << 23  // and of all conditions of all files
)

func tooLong(ctx *context, limit int) error {
	return fault(ErrValidate, ctx, "the condition has more than %d bytes once its lists and exceptions are written out", limit)
}
