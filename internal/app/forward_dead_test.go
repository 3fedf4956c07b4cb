package app

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/queue"
)

// TestControlFails has the process that has the queue fail after it has begun to answer: whoever asks gets the answer and the error.
func TestControlFails(t *testing.T) {
	dir := t.TempDir()
	open := func(name string) *queue.Queue {
		q, err := queue.Open(t.Context(), queue.Config{Dir: dir, Destinations: []queue.Destination{{Name: name, Minimum: alert.Debug}}})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	q := open("old")
	if err := q.Publish(t.Context(), &alert.Alert{Time: time.Unix(1, 0), Rule: "r", Priority: alert.Notice, Message: "m"}); err != nil {
		t.Fatal(err)
	}
	m, err := q.Subscription("old").Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Bury(t.Context(), "400"); err != nil {
		t.Fatal(err)
	}
	q.Close()

	q = open("new")
	defer q.Close()
	c, err := listenControl(dir, q)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	ask := func(verb string) string {
		var out bytes.Buffer
		done, err := askControl(context.Background(), dir, verb, "", 0, &out)
		return fmt.Sprint(done, " ", out.String(), err)
	}
	if got, want := ask("replay"), "true 0 dead letters are queued again\nthe destination old is not configured: its dead letters stay"; got != want {
		t.Errorf("replaying:\n%s\nwant\n%s", got, want)
	}
	if got := ask("list"); !strings.HasPrefix(got, `true {"seq":1,"destination":"old",`) || !strings.HasSuffix(got, "}\n<nil>") {
		t.Errorf("listing: %s", got)
	}
}

// TestDeadArgs reads both forms of --to.
func TestDeadArgs(t *testing.T) {
	for args, want := range map[string]string{
		"list": "list  0 <nil>", "list --to Pager": "list pager 0 <nil>", "list --to=Pager": "list pager 0 <nil>", "replay --to=a 7": "replay a 7 <nil>",
	} {
		verb, destination, seq, err := deadArgs(strings.Fields(args))
		if got := fmt.Sprint(verb, " ", destination, " ", seq, " ", err); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}
