package httpsink

import (
	"context"

	"github.com/saker-sec/saker/internal/alert"
)

// Events is a sink that posts each alert as Falcosidekick's JSON, which is all that many destinations want.
type Events struct{ sender *Sender }

// NewEvents returns a sink. It fails when the URL is none or a file of certificates cannot be used.
func NewEvents(cfg Config) (*Events, error) {
	sender, err := New(cfg)
	if err != nil {
		return nil, err
	}
	return &Events{sender}, nil
}

// Send posts an alert.
func (s *Events) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	_, err := s.sender.Do(ctx, Request{Body: Event(a)})
	return err
}

// Close closes the connections.
func (s *Events) Close(context.Context) error {
	s.sender.Close()
	return nil
}
