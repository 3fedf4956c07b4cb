package httpsink

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Error is a request that failed, or that was not made. It says whether it may be made again, in the form that route asks
// for.
type Error struct {
	Code int    // status of the answer; 0 when there is none
	Body []byte // of the answer, as it came; it may hold secrets

	text      string
	cause     error
	permanent bool
	after     time.Duration
	asked     bool
}

// Error says what was being done and what went wrong, without secrets.
func (e *Error) Error() string { return e.text }

// Unwrap returns the cause: a net.Error, a certificate's, or that of a context.
func (e *Error) Unwrap() error { return e.cause }

// Permanent says that trying again is of no use.
func (e *Error) Permanent() bool { return e.permanent }

// RetryAfter returns the pause that the server asks for, and whether it asks for one.
func (e *Error) RetryAfter() (time.Duration, bool) { return e.after, e.asked }

// Pause sets the pause that the server asks for in another way than by a header. It returns the error.
func (e *Error) Pause(d time.Duration) *Error {
	e.after, e.asked = min(max(d, 0), longestPause), true
	return e
}

// Permanently marks an error as permanent. It returns the error.
func (e *Error) Permanently() *Error {
	e.permanent = true
	return e
}

// Passing marks an error as one that may be tried again. It returns the error.
func (e *Error) Passing() *Error {
	e.permanent = false
	return e
}

// Behind judges an error by the status that the server says another one behind it has answered. It returns the error.
func (e *Error) Behind(code int) *Error {
	e.permanent = permanent(code)
	return e
}

// Passing returns an error in which what a Sender says is marked as one that may be tried again: for a request that prepares the
// destination before any alert is sent. What is wrong then (a right that is missing, a database that is not there) is for the operator to
// put right, and says nothing of the alert that happens to be the first.
func Passing(err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.permanent = false
	}
	return err
}

// Answered returns an error for what another server than the destination's answers, with the pause that it asks for.
func Answered(text string, answer *http.Response) *Error {
	e := &Error{text: text, Code: answer.StatusCode}
	e.after, e.asked = retryAfter(answer.Header.Get("Retry-After"), time.Now())
	return e
}

func (s *Sender) errorf(cause error, format string, args ...any) *Error {
	return &Error{text: s.cfg.Name + ": posting to " + s.where() + ": " + s.hide.Replace(fmt.Sprintf(format, args...)), cause: cause}
}

// Refuse returns a permanent error: what is wrong with an alert that is not sent.
func (s *Sender) Refuse(reason string) *Error { return s.errorf(nil, "%s", reason).Permanently() }

// Fail returns an error for an answer that is no success in spite of its status. It may be tried again.
func (s *Sender) Fail(reason string) *Error {
	return s.errorf(nil, "%s", Excerpt(s.hide.Replace(reason)))
}

// permanent says whether a request with this answer need not be made again.
func permanent(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	case http.StatusUnauthorized, http.StatusProxyAuthRequired: // it says nothing of the alert, and the credentials can be put right
		return false
	}
	return code < 500
}

// permanent is the same for an answer of the destination.
func (s *Sender) permanent(code int) bool {
	return permanent(code) && !(s.cfg.Denied && code == http.StatusForbidden) && !(s.cfg.Absent && code == http.StatusNotFound)
}

// longestPause bounds what a server can ask for.
const longestPause = time.Hour

// retryAfter reads a Retry-After header: seconds, with or without a fraction, or a date (RFC 9110, section 10.2.3). One that asks for no
// pause asks for nothing: a server that always says so is not to be asked without pause.
func retryAfter(header string, now time.Time) (time.Duration, bool) {
	if header == "" {
		return 0, false
	}
	if n, err := strconv.ParseFloat(strings.TrimSpace(header), 64); err == nil && n >= 0 {
		d := time.Duration(min(n, longestPause.Seconds()) * float64(time.Second))
		return d, d > 0
	}
	at, err := http.ParseTime(header)
	if err != nil || !at.After(now) {
		return 0, false
	}
	return min(at.Sub(now), longestPause), true
}

// Excerpt returns the first line of what a server says, if it is text. JSON counts as one line; what is too long of it gives
// way to its message, if it has one as that of Google or Kubernetes.
func Excerpt(text string) string {
	const most = 200
	var line bytes.Buffer
	if json.Compact(&line, []byte(text)) == nil {
		text = line.String()
		var said struct {
			Message string
			Error   struct{ Message string }
		}
		if len(text) > most && json.Unmarshal([]byte(text), &said) == nil && said.Message+said.Error.Message != "" {
			text = said.Message + said.Error.Message
		}
	}
	text = strings.TrimSpace(strings.ToValidUTF8(text, "?"))
	text, _, _ = strings.Cut(text, "\n")
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// Hide returns what replaces texts that must not be shown, also where they stand quoted or escaped.
func Hide(secrets ...string) *strings.Replacer {
	h := hidden{}
	h.add(secrets...)
	return h.replacer()
}

// hidden are texts that must not be shown.
type hidden map[string]bool

// add adds texts, also as they are in URLs and in JSON. Short ones are no secrets.
func (h hidden) add(texts ...string) {
	for _, t := range texts {
		if len(t) <= 3 {
			continue
		}
		quoted := strconv.Quote(t)
		quoted = quoted[1 : len(quoted)-1]
		html := strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(quoted)
		for _, form := range []string{t, quoted, html} {
			h[form], h[strings.ReplaceAll(form, "/", `\/`)] = true, true
		}
		h[url.QueryEscape(t)], h[url.PathEscape(t)] = true, true
	}
}

// replacer replaces the texts, longer ones first.
func (h hidden) replacer() *strings.Replacer {
	texts := make([]string, 0, len(h))
	for t := range h {
		texts = append(texts, t)
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(texts))
	for _, t := range texts {
		pairs = append(pairs, t, "***")
	}
	return strings.NewReplacer(pairs...)
}
