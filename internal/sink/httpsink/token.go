package httpsink

import (
	"context"
	"sync"
	"time"
)

// Bearer is a token of RFC 6750.
type Bearer struct {
	Token string
	Until time.Time // it is good; the zero time is unknown
}

// Tokens keeps a token while it is good, and gets another one when it is not. Its method Header is for a Config's Token.
type Tokens struct {
	// Fetch gets a token.
	Fetch func(ctx context.Context) (Bearer, error)

	mu    sync.Mutex
	token string
	until time.Time
}

const (
	early   = time.Minute     // before a token ends, another one is fetched
	unknown = 5 * time.Minute // how long a token is kept that says nothing of its end
)

// Header returns an Authorization header that is not the refused one.
func (t *Tokens) Header(ctx context.Context, refused string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" && t.token != refused && time.Now().Before(t.until) {
		return t.token, nil
	}
	b, err := t.Fetch(ctx)
	if err != nil {
		return "", err
	}
	if t.until = b.Until.Add(-early); b.Until.IsZero() {
		t.until = time.Now().Add(unknown)
	}
	t.token = "Bearer " + b.Token
	return t.token, nil
}
