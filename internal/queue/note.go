package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/saker-sec/saker/internal/alert"
)

// noteStream returns the stream of the notes, of which there is one for each key. It is made with the first note; without make it is nil
// until then.
func (q *Queue) noteStream(ctx context.Context, make bool) (jetstream.Stream, error) {
	q.noted.Lock()
	defer q.noted.Unlock()
	if q.notes != nil {
		return q.notes, nil
	}
	var err error
	name := q.cfg.Name + "-notes"
	if make {
		q.notes, err = q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{q.cfg.Name + ".note.*.*"}, Storage: jetstream.FileStorage, Replicas: q.cfg.Bus.replicas(),
			Retention: jetstream.LimitsPolicy, MaxMsgsPerSubject: 1, MaxBytes: -1, MaxMsgSize: Largest + 8192,
		})
	} else if q.notes, err = q.js.Stream(ctx, name); errors.Is(err, jetstream.ErrStreamNotFound) {
		err = nil
	}
	if err != nil {
		q.notes = nil
	}
	return q.notes, err
}

// Note keeps a text for the destination under a key, in place of the one that is there. It returns when it is on disk.
func (s *Subscription) Note(ctx context.Context, key string, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := s.q.noteStream(ctx, true)
	if err == nil {
		var answer *nats.Msg
		if answer, err = s.q.conn.RequestMsgWithContext(ctx, &nats.Msg{Subject: s.noteSubject(key), Data: text}); err == nil {
			err = readAck(answer)
		}
	}
	if err != nil {
		return fmt.Errorf("keeping a note of %s: %w", s.name, err)
	}
	return nil
}

// Forget removes the note of a key, if there is one.
func (s *Subscription) Forget(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := s.q.noteStream(ctx, false)
	if err == nil && stream != nil {
		err = stream.Purge(ctx, jetstream.WithPurgeSubject(s.noteSubject(key)))
	}
	if err != nil {
		return fmt.Errorf("removing a note of %s: %w", s.name, err)
	}
	return nil
}

// Notes returns the notes of the destination by their keys.
func (s *Subscription) Notes(ctx context.Context) (map[string][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out := map[string][]byte{}
	stream, err := s.q.noteStream(ctx, false)
	if err == nil && stream != nil {
		prefix := s.noteSubject("")
		var info *jetstream.StreamInfo
		if info, err = stream.Info(ctx, jetstream.WithSubjectFilter(prefix+"*")); err == nil {
			for subject := range info.State.Subjects {
				m, err := stream.GetLastMsgForSubject(ctx, subject)
				if err != nil {
					return nil, fmt.Errorf("reading the notes of %s: %w", s.name, err)
				}
				out[unescape(strings.TrimPrefix(subject, prefix))] = m.Data
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the notes of %s: %w", s.name, err)
	}
	return out, nil
}

// forgetNotes removes the notes of destinations that are not configured any more.
func (q *Queue) forgetNotes(ctx context.Context) error {
	stream, err := q.noteStream(ctx, false)
	if err != nil {
		return fmt.Errorf("looking for notes: %w", err)
	}
	if stream == nil {
		return nil
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(q.cfg.Name+".note.>"))
	if err != nil {
		return fmt.Errorf("looking for notes: %w", err)
	}
	left := map[string]int{} // by the word for the destination
	for subject := range info.State.Subjects {
		word, _, _ := strings.Cut(strings.TrimPrefix(subject, q.cfg.Name+".note."), ".")
		if q.subs[unescape(word)] == nil {
			left[word]++
		}
	}
	for word, n := range left {
		q.cfg.Log(alert.Warning, fmt.Sprintf("destination %s is not configured any more: the repeats of %d groups that were held back for it are given up", unescape(word), n))
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(q.cfg.Name+".note."+word+".*")); err != nil {
			return fmt.Errorf("removing the notes of %s: %w", unescape(word), err)
		}
	}
	return nil
}

func (s *Subscription) noteSubject(key string) string {
	return s.q.cfg.Name + ".note." + escape(s.name) + "." + escape(key)
}
