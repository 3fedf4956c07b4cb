package app

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/sink/syslog"
)

func TestLoggerLevels(t *testing.T) {
	lines := func(l *logger) {
		l.printf("Error: %s", "e")
		l.printf("Warning: w")
		l.warn("rules.yaml: Ok, with warnings")
		l.printf("watching")
		l.printf("Debug: d")
	}
	cases := []struct {
		name string
		log  config.Log
		want []string
	}{
		{"info", config.Log{Stderr: true, Level: "info"}, []string{"Error: e", "Warning: w", "rules.yaml: Ok, with warnings", "watching"}},
		{"debug", config.Log{Stderr: true, Level: "debug"}, []string{"Error: e", "Warning: w", "rules.yaml: Ok, with warnings", "watching", "Debug: d"}},
		{"warning", config.Log{Stderr: true, Level: "warning"}, []string{"Error: e", "Warning: w", "rules.yaml: Ok, with warnings"}},
		{"error", config.Log{Stderr: true, Level: "error"}, []string{"Error: e"}},
		{"critical", config.Log{Stderr: true, Level: "critical"}, nil},
		{"not to stderr", config.Log{Level: "debug"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			l := newLogger(&out)
			l.now = func() time.Time { return time.Unix(0, 0) }
			if err := l.configure(&config.Config{Log: c.log, TimeISO8601: true}, &out); err != nil {
				t.Fatal(err)
			}
			lines(l)
			want := ""
			for _, w := range c.want {
				want += "1970-01-01T00:00:00+0000: " + w + "\n"
			}
			if out.String() != want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), want)
			}
		})
	}
}

// TestLoggerSyslog logs to a log daemon, and says on stderr when there is none.
func TestLoggerSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	daemon, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	var out strings.Builder
	l := newLogger(&out)
	if l.syslog, err = syslog.New(syslog.Config{Path: path}); err != nil {
		t.Fatal(err)
	}
	l.w, l.level = nil, alert.Warning
	l.printf("left out")
	l.printf("Error: it broke")
	b := make([]byte, 1000)
	n, err := daemon.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b[:n]); !strings.HasPrefix(got, "<11>") || !strings.HasSuffix(got, " falco: Error: it broke") {
		t.Errorf("the daemon got %q", got)
	}
	if l.syslog, err = syslog.New(syslog.Config{Path: path + ".none"}); err != nil {
		t.Fatal(err)
	}
	l.w = &out
	l.printf("Error: again")
	if got := out.String(); !strings.Contains(got, "Error: again\n") || !strings.Contains(got, "Error: log_syslog: ") {
		t.Errorf("without a daemon: %q", got)
	}
}

// TestLaterDoesNotWait logs for one who must not wait, while nobody reads standard error.
func TestLaterDoesNotWait(t *testing.T) {
	r, w := io.Pipe()
	warn, end := newLogger(w).later()
	for range 10 * maxLater {
		warn("lost")
	}
	read := make(chan string)
	go func() { text, _ := io.ReadAll(r); read <- string(text) }()
	end()
	w.Close()
	if n := strings.Count(<-read, ": lost\n"); n < maxLater || n > maxLater+1 {
		t.Errorf("%d lines were written, want the %d that fit", n, maxLater)
	}
}
