package route

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// Group says how repeats are held back. Alerts whose fields By have the same values are repeats of the first of them. That one
// goes at once; what comes within Window after it is counted, and at the end one alert says how many there were: the last of them, with
// the number in its text and in the field group.count. The next one begins a new window.
//
// No repeat is lost when the process is killed. One is acknowledged only when the count that holds it is on disk; counts are
// taken up at the next start, where a window that has ended meanwhile is reported at once. A report that was written in the last moment may
// come twice, with the same uuid.
type Group struct {
	By     []string      // names of fields, as in filters; none is no grouping
	Window time.Duration // 0 is DefaultWindow
	Count  int           // repeats that end a window early; 0 is any number
}

// DefaultWindow is that of a Group which names no other.
const DefaultWindow = 5 * time.Minute

func (g Group) on() bool { return len(g.By) > 0 }

const (
	// groupHeld is how many repeats are counted before the counts are written down and the repeats are acknowledged; a part of a
	// second ends it, too.
	groupHeld = 256
	// groupsOpen bounds the windows that are open at once. Alerts that would open more of them are not held back.
	groupsOpen = 10000
	// groupsBytes bounds the alerts that open windows keep, the last one of each. A window that would keep more is ended early.
	groupsBytes = 64 << 20
)

// entry is an alert that was taken from the queue.
type entry struct {
	message interface{ Ack() error }
	seq     uint64
	again   bool // it was delivered before
	raw     []byte
	alert   *alert.Alert
}

// notes keep texts on disk.
type notes interface {
	Note(ctx context.Context, key string, text []byte) error
	Forget(ctx context.Context, key string) error
	Notes(ctx context.Context) (map[string][]byte, error)
}

// grouper holds the repeats of a destination back.
type grouper struct {
	Group
	fields  []operand
	notes   notes
	publish func(context.Context, *alert.Alert) error

	mu   sync.Mutex
	open map[string]*group // by key
	held int               // of all groups
	kept int               // bytes of the last alerts of all groups
	most int               // of kept
}

// group is an open window.
type group struct {
	tally
	counted uint64                     // sequence number up to which an earlier process has counted repeats
	noted   bool                       // there is a note of it
	held    []interface{ Ack() error } // counted, but the note does not say so yet
}

// tally is what the note of a group says.
type tally struct {
	First    uint64          `json:"first"` // sequence number of the alert that was sent at once
	Last     uint64          `json:"last"`  // of the last one that is counted
	Count    int             `json:"count"`
	Began    time.Time       `json:"began"`
	Until    time.Time       `json:"until"`
	Internal bool            `json:"internal,omitempty"`
	Alert    json.RawMessage `json:"alert,omitempty"` // the last one that is counted
}

// newGrouper takes up what an earlier process has counted. Where nothing is grouped any more, it is reported now.
func newGrouper(ctx context.Context, g Group, n notes, publish func(context.Context, *alert.Alert) error) (*grouper, error) {
	if g.Window <= 0 {
		g.Window = DefaultWindow
	}
	r := &grouper{Group: g, notes: n, publish: publish, open: map[string]*group{}, most: groupsBytes}
	for _, name := range g.By {
		r.fields = append(r.fields, fieldOf(name))
	}
	all, err := n.Notes(ctx)
	if err != nil {
		return nil, err
	}
	for key, text := range all {
		o := &group{noted: true}
		if err := json.Unmarshal(text, &o.tally); err != nil {
			return nil, fmt.Errorf("reading how many alerts were held back: %w", err)
		}
		o.counted = o.Last
		r.kept += len(o.Alert)
		if !g.on() {
			o.Until = time.Time{}
		}
		r.open[key] = o
	}
	if !g.on() {
		err = r.tend(ctx, time.Now())
	}
	return r, err
}

// key names the group of an alert.
func (r *grouper) key(a *alert.Alert) string {
	h := sha256.New()
	part := func(s string) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	for _, f := range r.fields {
		texts, _ := f(a)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(texts))))
		for _, t := range texts {
			part(t)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// take says whether an alert is to be sent (pass), is a repeat (held), or is one that an earlier process has counted (skip). An error
// changes nothing about that: what could not be written is tried again later.
func (r *grouper) take(ctx context.Context, e entry, now time.Time) (v verdict, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := r.key(e.alert)
	g := r.open[key]
	if g != nil && !now.Before(g.Until) {
		err = r.end(ctx, key, g, now)
		g = r.open[key] // none, unless what it counted could not be reported
	}
	switch {
	case g == nil && len(r.open) >= groupsOpen:
		return pass, err
	case g == nil:
		r.open[key] = &group{tally: tally{First: e.seq, Began: now, Until: now.Add(r.Window)}}
		return pass, err
	case e.seq == g.First, e.again && e.seq < g.First: // it was let pass, in this window or an earlier one, and was not acknowledged
		return pass, err
	case e.again && e.seq <= g.counted:
		return skip, err
	}
	g.Count++
	r.kept += len(e.raw) - len(g.Alert)
	g.Last, g.Alert, g.Internal = e.seq, e.raw, e.alert.Internal
	g.held = append(g.held, e.message)
	r.held++
	switch {
	case r.Count > 0 && g.Count >= r.Count, r.kept > r.most:
		err = r.end(ctx, key, g, now)
	case r.held >= groupHeld:
		err = r.saveAll(ctx)
	}
	return held, err
}

// tend ends the windows that are over, and writes the counts of the others down.
func (r *grouper) tend(ctx context.Context, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for key, g := range r.open {
		if !now.Before(g.Until) {
			errs = append(errs, r.end(ctx, key, g, now))
		}
	}
	return errors.Join(append(errs, r.saveAll(ctx))...)
}

// save writes the counts down.
func (r *grouper) save(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.saveAll(ctx)
}

// saveAll notes the counts that have changed, and acknowledges the repeats that they hold.
func (r *grouper) saveAll(ctx context.Context) error {
	if r.held == 0 {
		return nil
	}
	for key, g := range r.open {
		if len(g.held) == 0 {
			continue
		}
		text, err := json.Marshal(g.tally)
		if err != nil {
			return fmt.Errorf("writing how many alerts are held back: %w", err)
		}
		if err := r.notes.Note(ctx, key, text); err != nil {
			return err
		}
		g.noted = true
		if err := r.release(g); err != nil {
			return err
		}
	}
	return nil
}

// release acknowledges the repeats of a group. What is not acknowledged comes again and is counted twice at most.
func (r *grouper) release(g *group) error {
	var errs []error
	for _, m := range g.held {
		errs = append(errs, m.Ack())
	}
	r.held -= len(g.held)
	g.held = nil
	return errors.Join(errs...)
}

// end reports the repeats of a group, if there were any, and lets go of it.
func (r *grouper) end(ctx context.Context, key string, g *group, now time.Time) error {
	if g.Count > 0 {
		a, err := g.report(key, now)
		if err != nil {
			return err
		}
		if err := r.publish(ctx, a); err != nil {
			return fmt.Errorf("reporting %s held back: %w", alerts(g.Count), err)
		}
	}
	delete(r.open, key)
	r.kept -= len(g.Alert)
	err := r.release(g)
	if g.noted {
		err = errors.Join(err, r.notes.Forget(ctx, key))
	}
	return err
}

// report returns the alert that stands for the repeats.
func (g *group) report(key string, now time.Time) (*alert.Alert, error) {
	a, err := alert.Decode(g.Alert)
	if err != nil {
		return nil, fmt.Errorf("reporting %s held back: %w", alerts(g.Count), err)
	}
	took := min(now.Sub(g.Began), g.Until.Sub(g.Began))
	if g.Until.IsZero() || took <= 0 {
		took = now.Sub(g.Began)
	}
	note := fmt.Sprintf(" (%d like this within %v)", g.Count, took.Round(time.Millisecond))
	a.Internal = g.Internal
	a.Message += note
	if a.Output != "" {
		a.Output += note
	}
	a.Fields = append(slices.Clip(a.Fields), alert.Field{Key: "group.count", Value: alert.Value{Kind: alert.Uint, Num: uint64(g.Count)}})
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", key, g.First, g.Began.UnixNano()))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // RFC 9562, version 8
	a.UUID = fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	return a, nil
}
