package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/queue"
)

const deadUsage = `
Show or resend what destinations have refused for good.
Usage:
  saker dead-letters list   [-c <path>] [--to <destination>]           one JSON object a line
  saker dead-letters replay [-c <path>] [--to <destination>] [<seq>]   deliver them, or one, once more
`

// deadLetter is a line of the list.
type deadLetter struct {
	Seq         uint64          `json:"seq"`
	Destination string          `json:"destination"`
	Time        time.Time       `json:"time"`
	Reason      string          `json:"reason"`
	Alert       json.RawMessage `json:"alert"`
}

// deadLetters is the command. While the process that has the queue runs it is asked, over a socket in the queue's directory; else the queue is opened.
func (p *program) deadLetters(ctx context.Context, args []string) error {
	path, rest, err := forwardArgs(args, p.env.Stdout)
	if err != nil {
		return err
	}
	verb, destination, seq, err := deadArgs(rest)
	if err != nil {
		return err
	}
	conf, _, err := p.anyForward(path)
	if err != nil {
		return err
	}
	if conf.queue.Bus.URL == "" {
		if done, err := askControl(ctx, conf.queue.Dir, verb, destination, seq, p.env.Stdout); done {
			return err
		}
	}
	c := conf.queue
	c.Inspect = true
	q, err := queue.Open(ctx, c)
	if err != nil {
		return err
	}
	defer q.Close()
	if verb == "list" {
		return listDead(ctx, q, destination, p.env.Stdout)
	}
	return replayDead(ctx, q, destination, seq, p.env.Stdout)
}

func deadArgs(args []string) (verb, destination string, seq uint64, err error) {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--to" && i+1 < len(args):
			i++
			destination = strings.ToLower(args[i])
		case strings.HasPrefix(a, "--to="):
			destination = strings.ToLower(a[len("--to="):])
		case verb == "" && (a == "list" || a == "replay"):
			verb = a
		case verb == "replay" && seq == 0:
			if seq, err = strconv.ParseUint(a, 10, 64); err != nil || seq == 0 {
				return "", "", 0, fmt.Errorf("saker dead-letters replay: %q is not a seq that list prints", a)
			}
		default:
			return "", "", 0, fmt.Errorf("saker dead-letters: argument %q is wrong; see saker dead-letters --help", a)
		}
	}
	if verb == "" {
		return "", "", 0, errors.New("saker dead-letters: say list or replay; see saker dead-letters --help")
	}
	return verb, destination, seq, nil
}

func listDead(ctx context.Context, q *queue.Queue, destination string, w io.Writer) error {
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	var failed error
	err := q.DeadLetters(ctx, destination, func(d queue.Dead) bool {
		line := deadLetter{Seq: d.Seq, Destination: d.Destination, Time: d.At, Reason: d.Reason, Alert: d.Raw}
		if !json.Valid(d.Raw) {
			line.Alert, failed = json.Marshal(string(d.Raw))
		}
		if failed == nil {
			failed = encoder.Encode(line)
		}
		return failed == nil
	})
	return errors.Join(err, failed, out.Flush())
}

func replayDead(ctx context.Context, q *queue.Queue, destination string, seq uint64, w io.Writer) error {
	n, err := q.Replay(ctx, destination, seq)
	fmt.Fprintf(w, "%d dead letters are queued again\n", n)
	return err
}

// controlTimeout bounds how long another process of ours may take to say what it wants.
const controlTimeout = time.Minute

// control answers the commands of the same user on this machine.
type control struct{ server *http.Server }

func controlPath(dir string) string { return filepath.Join(dir, "control.sock") }

// listenControl listens on the socket in the queue's directory, which only its owner may enter.
func listenControl(dir string, q *queue.Queue) (*control, error) {
	path := controlPath(dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of an earlier process; the queue is locked
		return nil, fmt.Errorf("making the control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("making the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("making the control socket: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /list", answer(func(w http.ResponseWriter, r *http.Request) error {
		return listDead(r.Context(), q, r.FormValue("to"), w)
	}))
	mux.HandleFunc("POST /replay", answer(func(w http.ResponseWriter, r *http.Request) error {
		seq, _ := strconv.ParseUint(r.FormValue("seq"), 10, 64) // our own command checks it; 0 is all
		return replayDead(r.Context(), q, r.FormValue("to"), seq, w)
	}))
	c := &control{&http.Server{Handler: mux, ReadHeaderTimeout: controlTimeout}}
	go func() { _ = c.server.Serve(l) }() // ends with close
	return c, nil
}

// errorTrailer is the trailer that says what went wrong: when that is known, a part of the answer and its status are on their way.
const errorTrailer = "Saker-Error"

func answer(command func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", errorTrailer)
		if err := command(w, r); err != nil {
			w.Header().Set(errorTrailer, err.Error())
		}
	}
}

func (c *control) close() { _ = c.server.Close() } // requests of our own commands, which may end

// askControl asks the process that has the queue open; done is false when there is none. It waits for as long as ctx allows: many dead
// letters take their time.
func askControl(ctx context.Context, dir, verb, destination string, seq uint64, w io.Writer) (done bool, err error) {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", controlPath(dir))
	}}}
	defer client.CloseIdleConnections()
	method := http.MethodGet
	if verb == "replay" {
		method = http.MethodPost
	}
	query := url.Values{"to": {destination}, "seq": {strconv.FormatUint(seq, 10)}}
	r, err := http.NewRequestWithContext(ctx, method, "http://saker/"+verb+"?"+query.Encode(), nil)
	if err != nil {
		return true, err
	}
	answer, err := client.Do(r)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			return false, nil
		}
		return true, fmt.Errorf("asking the process that has the queue: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 4096)) // what there is of it
		return true, fmt.Errorf("asking the process that has the queue: %s", strings.TrimSpace(string(text)))
	}
	if _, err = io.Copy(w, answer.Body); err != nil {
		return true, fmt.Errorf("reading the answer of the process that has the queue: %w", err)
	}
	if said := answer.Trailer.Get(errorTrailer); said != "" {
		return true, errors.New(said)
	}
	return true, nil
}
