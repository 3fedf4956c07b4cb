package wire

import (
	"context"
	"errors"
)

// Noticed returns nil when the stream knows that the other side has closed the connection.
func (s *Stream) Noticed() error {
	if s.isOver() {
		return nil
	}
	return errors.New("it does not know yet")
}

// Renew makes another connection.
func (s *Stream) Renew(ctx context.Context) error { return s.connect(ctx) }
