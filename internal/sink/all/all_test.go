package all_test

import (
	"bytes"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/all"
	"github.com/saker-sec/saker/internal/sink/file"
	"github.com/saker-sec/saker/internal/sink/http"
	"github.com/saker-sec/saker/internal/sink/program"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/syslog"
)

// TestEveryOutput sends one alert through all outputs there are.
func TestEveryOutput(t *testing.T) {
	dir := t.TempDir()
	var posted []string
	srv := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		posted = append(posted, r.Header.Get("Content-Type")+" "+string(body))
		io.WriteString(w, "echo\n")
	}))
	defer srv.Close()
	for _, c := range []struct {
		name         string
		json, colour bool
		want, stdout string
	}{
		{"text", false, false, "00:00:00.000000000: Notice m", "00:00:00.000000000: Notice m"},
		{"colour", false, true, "00:00:00.000000000: Notice m", "\x1b[36m00:00:00.000000000: Notice m\x1b[0m"},
		{
			"json", true, true, `{"hostname":"host","priority":"Notice","rule":"a rule","source":"syscall","time":"1970-01-01T00:00:00.000000000Z"}`,
			`{"hostname":"host","priority":"Notice","rule":"a rule","source":"syscall","time":"1970-01-01T00:00:00.000000000Z"}`,
		},
	} {
		var out lockedBuffer
		inFile, inProgram := filepath.Join(dir, c.name+".file"), filepath.Join(dir, c.name+".program")
		outputs, err := all.Open(all.Config{
			JSON: c.json, Style: alert.Style{Zone: time.UTC}, Terminal: c.colour, Stdout: &out, Replay: true, Echo: true,
			StdoutOutput: true, File: &file.Config{Filename: inFile}, Program: &program.Config{Program: "cat > " + inProgram},
			Syslog: &syslog.Config{Path: filepath.Join(dir, "none")}, HTTP: &http.Config{URL: srv.URL},
		})
		if err != nil {
			t.Fatal(err)
		}
		r := route.New(route.Config{Outputs: outputs, Drain: 500 * time.Millisecond})
		r.Publish(sinktest.Alert("m"))
		err = r.Close(t.Context())
		if want := `closing the "syslog" output: 1 alert not delivered: connecting to the log daemon: there is no socket ` + dir + "/none"; err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		for _, name := range []string{inFile, inProgram} {
			if text, err := os.ReadFile(name); err != nil || string(text) != c.want+"\n" {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
		got := out.text.String()
		if !strings.Contains(got, c.stdout+"\n") || len(got) != len(c.stdout+"\necho\n") {
			t.Errorf("stdout: %q", got)
		}
		kind := map[bool]string{false: "text/plain ", true: "application/json "}[c.json]
		if last := posted[len(posted)-1]; last != kind+c.want {
			t.Errorf("http: %q", last)
		}
	}
}

// lockedBuffer is a buffer that several outputs write to.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// TestErrors makes the outputs that can be made and names the others.
func TestErrors(t *testing.T) {
	outputs, err := all.Open(all.Config{
		Stdout: io.Discard, StdoutOutput: true, File: &file.Config{}, Program: &program.Config{}, Syslog: &syslog.Config{Facility: 99},
		HTTP: &http.Config{URL: "ftp://nowhere"},
	})
	if len(outputs) != 1 || outputs[0].Name != "stdout" {
		t.Errorf("%v", outputs)
	}
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("%v", err)
	}
}
