package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/alert"
)

// debounce is how long files have to be quiet before a change of them counts: editors write in several steps.
const debounce = 100 * time.Millisecond

// reloads says when to read configuration and rules again: on a signal, and when one of the files changes.
type reloads struct {
	hup     <-chan struct{}
	watcher *fsnotify.Watcher // nil when files are not watched
	dirs    map[string]bool   // any file in them counts
	names   map[string]bool   // files, directories and links that count
	missed  bool              // something may have changed before it was watched

	// began is when the files were begun to be read that are watched first: what changed since then counts too, since at the start
	// it takes a while until they are watched.
	began time.Time
}

// newReloads returns reloads that watch files and directories if that is wanted.
func newReloads(hup <-chan struct{}, watch bool, files, dirs []string) (*reloads, error) {
	r := &reloads{hup: hup}
	return r, r.watch(watch, files, dirs)
}

// watch makes the files and the directories of rules what is watched from now on; nothing when watching is not wanted. Some may not
// exist yet. It is directories that are watched, so that files that are moved into place or are new are noticed too: those of
// the files, and those of all links that lead to them. What changed since next returned is not forgotten. After an error
// only the signal counts.
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
	r.dirs, r.names = map[string]bool{}, map[string]bool{}
	watched := map[string]bool{}
	for _, path := range slices.Concat(files, dirs) {
		for _, p := range trail(path) {
			dir, name := place(p)
			watched[dir], r.names[name] = true, true
		}
	}
	for _, d := range dirs {
		if real, err := filepath.EvalSymlinks(d); err == nil {
			watched[real], r.dirs[real] = true, true
		}
	}
	for d := range watched {
		r.names[d] = true // it may be moved away itself
		err := r.watcher.Add(d)
		if errors.Is(err, fs.ErrNotExist) { // it was there a moment ago
			r.missed = true
		} else if err != nil {
			r.close()
			return fmt.Errorf("watching %s for changes: %w", d, err)
		}
	}
	for _, d := range r.watcher.WatchList() {
		if !watched[d] {
			_ = r.watcher.Remove(d) // It fails for a directory that is gone, which is as well.
		}
	}
	if began := r.began; !began.IsZero() {
		r.began = time.Time{}
		r.missed = r.missed || slices.ContainsFunc(slices.Concat(files, dirs), func(path string) bool { return changed(path, began) })
	}
	return nil
}

// changed reports whether a link on the way to a path, or what it names, changed since a time. Times to come are those of another
// clock and say nothing, and neither do those of /proc, where files are made when they are looked at.
func changed(path string, since time.Time) bool {
	now := time.Now()
	for _, p := range trail(path) {
		var st unix.Stat_t
		if strings.HasPrefix(p, "/proc/") || unix.Lstat(p, &st) != nil {
			continue
		}
		if at := time.Unix(st.Ctim.Unix()); at.After(since) && !at.After(now) {
			return true
		}
	}
	return false
}

// mostLinks is more than the kernel follows (path_resolution(7)).
const mostLinks = 64

// trail returns a path, the links on the way to what it names, and what they lead to.
func trail(path string) []string {
	path = filepath.Clean(path)
	out := []string{path}
	for range mostLinks {
		link, target := firstLink(path)
		if link == "" {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(link), target)
		}
		path = filepath.Join(target, path[len(link):])
		out = append(out, link, path)
	}
	return out
}

// firstLink returns the shortest beginning of a path that is a symbolic link, and where it leads; "" if there is none.
func firstLink(path string) (link, target string) {
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != filepath.Separator {
			continue
		}
		if target, err := os.Readlink(path[:end]); err == nil {
			return path[:end], target
		}
	}
	return "", ""
}

// place returns the directory in which a path appears and goes away, without links, and its name there. Of a path whose directory
// does not exist it is the place of the first part that does not.
func place(path string) (dir, name string) {
	for {
		parent := filepath.Dir(path)
		if real, err := filepath.EvalSymlinks(parent); err == nil {
			return real, filepath.Join(real, filepath.Base(path))
		}
		if parent == path {
			return path, path
		}
		path = parent
	}
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
	if r.missed {
		r.missed = false
		quiet = time.After(debounce)
	}
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
	return r.names[name] || r.dirs[filepath.Dir(name)] || filepath.Base(name) == "..data"
}

// failedReload is the alert that a reload did not work and the old rules stay (falco-core.md §2.2).
func failedReload(err error, hostname string, now time.Time) *alert.Alert {
	const rule = "Falco internal: hot restart failure"
	return &alert.Alert{
		Time: now, Rule: rule, Priority: alert.Critical, Source: "internal", Internal: true, Hostname: hostname,
		Message: fmt.Sprintf("%s: %v", rule, err),
	}
}
