package match

import (
	"errors"

	"github.com/saker-sec/saker/internal/filter"
)

// compileAround compiles evt.around[T] = D. The field is the distance of the event from the time T in ms, and the
// comparison holds when that is at most D.
func compileAround(k *Check) error {
	if k.op != filter.Eq {
		return errors.New("evt.around supports only '=' comparison operator")
	}
	most, err := scanUint(k.values[0], 64)
	if err != nil {
		return err
	}
	k.Eval = evaluate(k, predicate{num: func(ms uint64) bool { return ms <= most }})
	return nil
}
