package kube

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxObject bounds one object, in bytes; etcd keeps 1.5 MiB at most.
const maxObject = 4 << 20

// maxSpare is how many bytes are kept for the next value.
const maxSpare = 64 << 10

var (
	errTooLarge = errors.New("an object is larger than 4 MiB")
	errRubbish  = errors.New("the answer is not what the API promises")
)

// values takes a stream of JSON apart, so that what is in it can be read, or passed over, value by value. It finds where a value ends
// and leaves it to package json whether it is one.
type values struct {
	in  *bufio.Reader
	raw []byte // the last value
}

func newValues(r io.Reader) *values { return &values{in: bufio.NewReaderSize(r, 32<<10)} }

// peek returns the next byte that is not white space and leaves it there.
func (v *values) peek() (byte, error) {
	for {
		c, err := v.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			continue
		}
		return c, v.in.UnreadByte()
	}
}

// take takes the next byte that is not white space, which has to be c.
func (v *values) take(c byte) error {
	got, err := v.peek()
	if err != nil {
		return err
	}
	if got != c {
		return fmt.Errorf("%w: %q where %q would be right", errRubbish, got, c)
	}
	_, err = v.in.Discard(1)
	return err
}

// each takes an object or an array apart; f takes one member.
func (v *values) each(begin, end byte, f func() error) error {
	if err := v.take(begin); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := v.peek()
		if err != nil {
			return err
		}
		if c == end {
			return v.take(end)
		}
		if !first {
			if err := v.take(','); err != nil {
				return err
			}
		}
		if err := f(); err != nil {
			return err
		}
	}
}

// decode takes the next value and decodes it.
func (v *values) decode(to any) error {
	raw, err := v.value()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("%w: %w", errRubbish, err)
	}
	return nil
}

// value takes the next value, which is valid until the one after. One above maxObject is passed over, and errTooLarge returned.
func (v *values) value() ([]byte, error) {
	first, err := v.peek()
	if err != nil {
		return nil, err
	}
	if v.raw = v.raw[:0]; cap(v.raw) > maxSpare {
		v.raw = nil
	}
	depth, size, quoted, escaped := 0, 0, false, false
	for {
		c, err := v.in.ReadByte()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		ends := false
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
			ends = !quoted && depth == 0
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == ':' || c == '}' || c == ']' || c <= ' '): // a number or a name ends before it
			if size == 0 {
				return nil, fmt.Errorf("%w: %q where a value would be right", errRubbish, c)
			}
			if err := v.in.UnreadByte(); err != nil {
				return nil, err
			}
			return v.taken(size)
		case c == '}' || c == ']':
			depth--
			ends = depth == 0
		}
		if size++; size <= maxObject {
			v.raw = append(v.raw, c)
		}
		if ends && (first == '"' || first == '{' || first == '[') {
			return v.taken(size)
		}
	}
}

func (v *values) taken(size int) ([]byte, error) {
	if size > maxObject {
		return nil, errTooLarge
	}
	return v.raw, nil
}
