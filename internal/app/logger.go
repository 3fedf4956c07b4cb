package app

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/sink/syslog"
)

// logger writes what an operator should read, a line at a time, to stderr in the form of Falco's log, to the system's log, or both
// (log_stderr, log_syslog). A line that begins with the name of a severity and a colon has that severity, any other is
// informational; those below the configured level are left out.
type logger struct {
	mu     sync.Mutex
	w      io.Writer // nil for not to stderr
	iso    bool
	now    func() time.Time
	level  alert.Priority // the least severe that is written
	syslog *syslog.Sink   // nil for not to the system's log
}

// syslogTime bounds how long a log daemon that does not read may hold up a line.
const syslogTime = time.Second

func newLogger(w io.Writer) *logger { return &logger{w: w, now: time.Now, level: alert.Informational} }

// configure applies log_stderr, log_syslog and log_level.
func (l *logger) configure(c *config.Config, stderr io.Writer) error {
	level, err := alert.ParsePriority(c.Log.Level)
	if err != nil {
		return fmt.Errorf("log_level: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.level, l.iso, l.w = level, c.TimeISO8601, nil
	if c.Log.Stderr {
		l.w = stderr
	}
	switch {
	case !c.Log.Syslog && l.syslog != nil:
		err = l.syslog.Close(context.Background())
		l.syslog = nil
	case c.Log.Syslog && l.syslog == nil:
		l.syslog, err = syslog.New(syslog.Config{})
	}
	return err
}

// printf writes one line.
func (l *logger) printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.print(severity(text), text)
}

// warn writes a text that does not say that it is a warning, as tools expect it of Falco.
func (l *logger) warn(text string) { l.print(alert.Warning, text) }

func (l *logger) print(p alert.Priority, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p > l.level {
		return
	}
	now := l.now()
	if l.w != nil {
		layout, at := time.ANSIC, now
		if l.iso {
			layout, at = "2006-01-02T15:04:05-0700", now.UTC()
		}
		fmt.Fprintf(l.w, "%s: %s\n", at.Format(layout), text)
	}
	if l.syslog != nil {
		ctx, stop := context.WithTimeout(context.Background(), syslogTime)
		defer stop()
		if err := l.syslog.Send(ctx, &alert.Alert{Priority: p, Time: now}, []byte(text)); err != nil && l.w != nil {
			fmt.Fprintf(l.w, "%s: Error: log_syslog: %v\n", now.Format(time.ANSIC), err)
		}
	}
}

// maxLater is how many lines may wait to be written for one who does not wait for that.
const maxLater = 64

// later returns a function that hands lines over to be written as warn does, and does not wait for a standard error that nobody
// reads: a line that finds no room is left out. end waits until those that were handed over are written.
func (l *logger) later() (warn func(string), end func()) {
	lines, ended := make(chan string, maxLater), make(chan struct{})
	go func() {
		defer close(ended)
		for text := range lines {
			l.warn(text)
		}
	}()
	warn = func(text string) {
		select {
		case lines <- text:
		default:
		}
	}
	return warn, func() { close(lines); <-ended }
}

// severity returns the severity that a line names at its beginning.
func severity(line string) alert.Priority {
	if word, _, ok := strings.Cut(line, ":"); ok {
		if p, err := alert.ParsePriority(word); err == nil {
			return p
		}
	}
	return alert.Informational
}
