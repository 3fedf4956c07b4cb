package app

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/saker-sec/saker/internal/alert"
)

// debounce is how long files have to be quiet before a change of them counts: editors write in several steps.
const debounce = 100 * time.Millisecond

// reloads says when to read configuration and rules again: on a signal, and when one of the files changes.
type reloads struct {
	hup     <-chan struct{}
	watcher *fsnotify.Watcher // nil when files are not watched
	dirs    map[string]bool   // watched for the files in them
	files   map[string]bool
}

// newReloads returns reloads that watch files and directories if that is wanted.
func newReloads(hup <-chan struct{}, watch bool, files, dirs []string) (*reloads, error) {
	r := &reloads{hup: hup}
	return r, r.watch(watch, files, dirs)
}

// watch makes the files and the directories of rules what is watched from now on; nothing when watching is not wanted. It is the
// directories of files that are watched, so that files that are moved into place or are new are noticed too. What changed
// since next returned is not forgotten. After an error only the signal counts.
func (r *reloads) watch(wanted bool, files, dirs []string) error {
	if !wanted || len(files)+len(dirs) == 0 {
		r.close()
		return nil
	}
	if r.watcher == nil {
		w, err := fsnotify.NewWatcher()
		if err != nil {
			return fmt.Errorf("watching configuration and rules files: %w", err)
		}
		r.watcher = w
	}
	r.dirs, r.files = map[string]bool{}, map[string]bool{}
	parents := map[string]bool{}
	for _, f := range files {
		r.files[filepath.Clean(f)] = true
		parents[filepath.Dir(f)] = true
	}
	for _, d := range dirs {
		r.dirs[filepath.Clean(d)] = true
		parents[filepath.Clean(d)] = true
	}
	for d := range parents {
		if err := r.watcher.Add(d); err != nil {
			r.close()
			return fmt.Errorf("watching %s for changes: %w", d, err)
		}
	}
	for _, d := range r.watcher.WatchList() {
		if !parents[d] {
			_ = r.watcher.Remove(d) // It fails for a directory that is gone, which is as well.
		}
	}
	return nil
}

// close ends watching.
func (r *reloads) close() {
	if r.watcher != nil {
		r.watcher.Close()
		r.watcher = nil
	}
}

// next waits for the next reason to reload. It returns false when ctx is done.
func (r *reloads) next(ctx context.Context) bool {
	var events chan fsnotify.Event
	var errs chan error
	if r.watcher != nil {
		events, errs = r.watcher.Events, r.watcher.Errors
	}
	var quiet <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return false
		case <-r.hup:
			return true
		case <-quiet:
			return true
		case err := <-errs:
			if err != nil { // An overflow: something changed, it is not known what.
				quiet = time.After(debounce)
			}
		case e := <-events:
			if r.concerns(e) {
				quiet = time.After(debounce)
			}
		}
	}
}

// concerns reports whether a change in a watched directory is one of our files.
func (r *reloads) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	name := filepath.Clean(e.Name)
	// Kubernetes puts the files of a config map into place by exchanging the link ..data, through which they all lead
	// (pkg/volume/util/atomic_writer.go); of the files themselves nothing changes then.
	if r.files[name] || filepath.Base(name) == "..data" {
		return true
	}
	return r.dirs[filepath.Dir(name)]
}

// failedReload is the alert that a reload did not work and the old rules stay (falco-core.md §2.2).
func failedReload(err error, hostname string, now time.Time) *alert.Alert {
	const rule = "Falco internal: hot restart failure"
	return &alert.Alert{
		Time: now, Rule: rule, Priority: alert.Critical, Source: "internal", Internal: true, Hostname: hostname,
		Message: fmt.Sprintf("%s: %v", rule, err),
	}
}
