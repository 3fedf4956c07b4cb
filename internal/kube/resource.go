package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// Bounds of what a server may send and how long it may take.
const (
	answerTime  = 30 * time.Second
	listTime    = 5 * time.Minute
	objectsPage = 500 // objects in a page of a listing that is not served from the server's cache
)

// resource is a kind of objects as the API serves it, read into values of type T.
type resource[T any] struct {
	client   *Client
	what     string // for reports: "watching pods"
	path     string // /api/v1/pods
	selector string // of fields
	read     func(raw []byte) (T, error)
	report   *reporter
}

// item carries a value through the reflector, which wants to know no more than its metadata.
type item[T any] struct {
	metav1.ObjectMeta
	value T
}

// GetObjectKind implements runtime.Object.
func (i *item[T]) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object. Items are never changed.
func (i *item[T]) DeepCopyObject() runtime.Object { return i }

// items is a listing.
type items[T any] struct {
	metav1.ListMeta
	Items []*item[T] `json:"items"`
}

// GetObjectKind implements runtime.Object.
func (l *items[T]) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object.
func (l *items[T]) DeepCopyObject() runtime.Object { return l }

// store is told what a resource holds.
type store[T any] interface {
	// changed is called with the whole of what there is, once listed, and then for each object that is new or changes.
	changed(uid string, value T)
	removed(uid string)
	replaced(all map[string]T)
}

// follow keeps s up to date until ctx is done.
func follow[T any](ctx context.Context, r *resource[T], s store[T]) {
	// What goes wrong is reported by the functions below; the reflector would write to standard error.
	quiet := logr.Discard()
	ctx = klog.NewContext(ctx, quiet)
	reflector := cache.NewReflectorWithOptions(
		&cache.ListWatch{ListWithContextFunc: r.list, WatchFuncWithContext: r.watch}, nil, &reflected[T]{s: s, report: r.report},
		cache.ReflectorOptions{Name: r.what, TypeDescription: r.what, Logger: &quiet})
	reflector.WatchListPageSize = objectsPage
	reflector.RunWithContext(ctx)
}

// reflected passes on what the reflector learns.
type reflected[T any] struct {
	s      store[T]
	report *reporter
}

// Add implements cache.ReflectorStore.
func (r *reflected[T]) Add(o any) error { return r.Update(o) }

// Update implements cache.ReflectorStore.
func (r *reflected[T]) Update(o any) error {
	if i, ok := o.(*item[T]); ok && i.UID != "" {
		r.s.changed(string(i.UID), i.value)
	}
	return nil
}

// Delete implements cache.ReflectorStore.
func (r *reflected[T]) Delete(o any) error {
	if i, ok := o.(*item[T]); ok && i.UID != "" {
		r.s.removed(string(i.UID))
	}
	return nil
}

// Replace implements cache.ReflectorStore.
func (r *reflected[T]) Replace(list []any, _ string) error {
	all := make(map[string]T, len(list))
	for _, o := range list {
		if i, ok := o.(*item[T]); ok && i.UID != "" {
			all[string(i.UID)] = i.value
		}
	}
	r.report.lists.Add(1)
	r.s.replaced(all)
	return nil
}

// Resync implements cache.ReflectorStore.
func (r *reflected[T]) Resync() error { return nil }

// open sends a request. The server has to begin to answer in time; what cancel does ends the answer.
func (r *resource[T]) open(ctx context.Context, o metav1.ListOptions) (io.ReadCloser, context.CancelFunc, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(answerTime, func() { cancel(fmt.Errorf("no answer within %v", answerTime)) })
	defer late.Stop()
	o.FieldSelector = r.selector
	body, err := r.client.rest.Get().AbsPath(r.path).SetHeader("Accept", "application/json").
		SpecificallyVersionedParams(&o, metav1.ParameterCodec, schema.GroupVersion{Version: "v1"}).Stream(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		cancel(nil)
		return nil, nil, err
	}
	return body, func() { cancel(nil) }, nil
}

// list reads one page. Objects are taken from the stream one by one, so that the answer is never held as a whole.
func (r *resource[T]) list(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	began := time.Now()
	ctx, stop := context.WithTimeout(ctx, listTime)
	defer stop()
	body, cancel, err := r.open(ctx, o)
	if err != nil {
		r.report.failed(r.what, began, err)
		return nil, err
	}
	defer cancel()
	defer body.Close()
	l := &items[T]{}
	if err := r.readList(body, l); err != nil {
		r.report.failed(r.what, began, err)
		return nil, err
	}
	r.report.worked(r.what)
	return l, nil
}

func (r *resource[T]) readList(body io.Reader, l *items[T]) error {
	v := newValues(body)
	seen := false
	err := v.each('{', '}', func() error {
		key := ""
		if err := v.decode(&key); err != nil {
			return err
		}
		if err := v.take(':'); err != nil {
			return err
		}
		switch key {
		case "metadata":
			return v.decode(&l.ListMeta)
		case "items":
			seen = true
			return r.readItems(v, l)
		}
		if _, err := v.value(); !errors.Is(err, errTooLarge) {
			return err
		}
		return nil
	})
	if err == nil && !seen {
		return errRubbish
	}
	return err
}

func (r *resource[T]) readItems(v *values, l *items[T]) error {
	if c, err := v.peek(); err == nil && c == 'n' { // null: there are none
		return v.decode(&[]struct{}{})
	}
	return v.each('[', ']', func() error {
		raw, err := v.value()
		if errors.Is(err, errTooLarge) {
			r.tooLarge()
			return nil
		}
		if err != nil {
			return err
		}
		if i := r.item(raw); i != nil {
			l.Items = append(l.Items, i)
		}
		return nil
	})
}

// tooLarge counts and reports an object that was passed over.
func (r *resource[T]) tooLarge() {
	r.report.unreadable.Add(1)
	r.report.once(r.what+": too large", r.what+": "+errTooLarge.Error()+" and is left out")
}

// item reads one object; nil if it is none, which is counted and reported.
func (r *resource[T]) item(raw []byte) *item[T] {
	var m struct {
		Metadata struct {
			Name            string            `json:"name"`
			Namespace       string            `json:"namespace"`
			UID             string            `json:"uid"`
			ResourceVersion string            `json:"resourceVersion"`
			Annotations     map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	err := json.Unmarshal(raw, &m)
	i := &item[T]{}
	if err == nil {
		i.Name, i.Namespace, i.ResourceVersion = m.Metadata.Name, m.Metadata.Namespace, m.Metadata.ResourceVersion
		i.UID = types.UID(m.Metadata.UID)
		if end, ok := m.Metadata.Annotations[metav1.InitialEventsAnnotationKey]; ok {
			i.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: end}
		}
		if i.UID != "" {
			i.value, err = r.read(raw)
		}
	}
	if err != nil {
		r.report.unreadable.Add(1)
		r.report.once(r.what+": unreadable", fmt.Sprintf("%s: an object cannot be read and is left out: %v", r.what, err))
		return nil
	}
	return i
}

// watch opens a stream of changes.
func (r *resource[T]) watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	began := time.Now()
	o.Watch = true
	body, cancel, err := r.open(ctx, o)
	if err != nil {
		// Servers that cannot begin a watch with what there is refuse it; the reflector then lists.
		if o.SendInitialEvents == nil || reason(err) == unreachable {
			r.report.failed(r.what, began, err)
		}
		return nil, err
	}
	s := &stream[T]{r: r, body: body, cancel: cancel, events: make(chan watch.Event), done: make(chan struct{})}
	go s.run()
	return s, nil
}

// stream is an open watch. It implements watch.Interface.
type stream[T any] struct {
	r      *resource[T]
	body   io.ReadCloser
	cancel context.CancelFunc
	events chan watch.Event
	done   chan struct{}
	once   sync.Once
}

// Stop implements watch.Interface.
func (s *stream[T]) Stop() {
	s.once.Do(func() {
		close(s.done)
		s.cancel()
	})
}

// ResultChan implements watch.Interface.
func (s *stream[T]) ResultChan() <-chan watch.Event { return s.events }

// frame is one change as it is sent.
type frame struct {
	Type   watch.EventType `json:"type"`
	Object json.RawMessage `json:"object"`
}

func (s *stream[T]) run() {
	defer close(s.events)
	defer s.cancel()
	defer s.body.Close()
	v := newValues(s.body)
	for {
		var f frame
		if err := v.decode(&f); errors.Is(err, errTooLarge) {
			s.r.tooLarge()
			continue
		} else if err != nil {
			s.ended(err)
			return
		}
		e := watch.Event{Type: f.Type}
		switch f.Type {
		case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark:
			i := s.r.item(f.Object)
			if i == nil {
				continue
			}
			s.r.report.worked(s.r.what)
			e.Object = i
		case watch.Error:
			status := &metav1.Status{}
			if err := json.Unmarshal(f.Object, status); err != nil {
				status.Message = "a watch ended with an error that cannot be read"
			}
			status.Message = clip(status.Message)
			e.Object = status
		default:
			s.ended(fmt.Errorf("%w: a change of type %q", errRubbish, clip(string(f.Type))))
			return
		}
		if !s.send(e) {
			return
		}
	}
}

func (s *stream[T]) send(e watch.Event) bool {
	select {
	case s.events <- e:
		return true
	case <-s.done:
		return false
	}
}

// ended reports why a stream ended, unless it was the normal end. Rubbish makes the reflector list anew.
func (s *stream[T]) ended(err error) {
	select {
	case <-s.done:
		return
	default:
	}
	if errors.Is(err, errRubbish) {
		s.r.report.unreadable.Add(1)
		s.r.report.failed(s.r.what, time.Now(), err)
		s.send(watch.Event{Type: watch.Error, Object: &metav1.Status{Status: metav1.StatusFailure, Code: 500, Reason: "Rubbish", Message: err.Error()}})
	}
}
