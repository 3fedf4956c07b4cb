package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// runtime is one container runtime behind one socket. Its methods end soon after their context; lookup and close may be
// called while the others run.
type runtime interface {
	// list describes every container that there is. It ends soon after the runtime has ceased to answer.
	list(ctx context.Context, found func(*Container)) error
	// watch describes containers as they come and go, until the connection breaks. It calls ready once nothing can be missed
	// any more.
	watch(ctx context.Context, ready func(), found func(*Container), gone func(key string)) error
	// lookup describes one container; errNone if there is none of the kind.
	lookup(ctx context.Context, want Wanted) (*Container, error)
	close()
}

// Wanted names a container as its control group does.
type Wanted struct {
	Key       string // see Key
	ID        string // whole, or as much of it as is known
	Namespace string // of containerd; "" if unknown
}

// errNone says that a runtime does not know a container.
var errNone = errors.New("no such container")

// describe looks up each of the containers. One that is gone by now is left out; what else goes wrong is trouble, and the others follow,
// unless the runtime leaves too many calls after each other without an answer.
func describe(ctx context.Context, r runtime, ids []string, found func(*Container), trouble func(error)) error {
	hung := 0
	for _, id := range ids[:min(len(ids), maxPicture)] {
		call, stop := context.WithTimeout(ctx, callTime)
		c, err := r.lookup(call, Wanted{ID: id})
		late := call.Err() != nil
		stop()
		switch {
		case err == nil:
			found(c)
		case ctx.Err() != nil:
			return err
		case !errors.Is(err, errNone):
			trouble(err)
		}
		if err == nil || !late {
			hung = 0
		} else if hung++; hung == maxHung {
			return err
		}
	}
	return nil
}

// Bounds of what is under way and of what is kept.
const (
	maxUpdates  = 4096             // news that wait for the state
	maxAsked    = 1024             // containers that wait for being asked about
	maxFinding  = 64               // containers that are looked for at once
	maxPicture  = 16384            // containers of the picture
	maxKeepers  = 256              // sockets
	maxHung     = 3                // calls of a listing without an answer, one after the other
	callTime    = 5 * time.Second  // a call to a runtime
	listTime    = 30 * time.Second // the listing of what there is; each container is then asked for by a call of its own
	retryTime   = 30 * time.Millisecond
	lookTime    = 30 * time.Second // between two looks for a socket that is not there
	searchPause = time.Second      // between two looks for new sockets
	firstPause  = 100 * time.Millisecond
	longestWait = 30 * time.Second
)

// Stats count what was asked and answered.
type Stats struct {
	Connected  int    // runtimes that are followed now
	Known      int    // containers of the picture
	Nameless   int    // of these, those without the name of an image
	Queued     int    // news that wait for the state
	Lookups    uint64 // containers asked for
	Misses     uint64 // of these, those that no runtime knows
	Errors     uint64 // calls that failed, and answers that made no sense
	Shed       uint64 // containers not asked for because too many were
	Reconnects uint64 // times that a runtime was followed anew
	// Latency is the sum, over Answers, of the time from Need to the answer.
	Latency time.Duration
	Answers uint64
}

// Runtimes keeps the picture of the containers.
type Runtimes struct {
	cfg     Config
	cancel  context.CancelFunc
	ended   sync.WaitGroup
	updates chan Update
	waiting atomic.Int64 // of updates: what Next looks at
	asked   chan asking
	slots   chan struct{} // a look-up takes one
	present atomic.Int32  // sockets that are there

	keepers  atomic.Pointer[[]*keeper] // replaced when a pattern finds a new socket
	patterns []pattern
	search   chan struct{} // somebody waits for a socket that may be new

	mu      sync.Mutex
	picture map[string]*Container
	finding map[string]bool

	lookups, misses, errors, shed, reconnects, answers atomic.Uint64
	latency                                            atomic.Int64
}

type asking struct {
	Wanted
	at time.Time
}

// Start begins to ask the runtimes. Where a socket is not there it is looked for again from time to time, and when a
// container shows up.
func Start(cfg Config) *Runtimes {
	if cfg.Log == nil {
		cfg.Log = func(string, ...any) {}
	}
	if cfg.Patience <= 0 {
		cfg.Patience = defaultPatience
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Runtimes{
		cfg: cfg, cancel: cancel, updates: make(chan Update, maxUpdates), asked: make(chan asking, maxAsked),
		slots: make(chan struct{}, maxFinding), picture: map[string]*Container{}, finding: map[string]bool{}, search: make(chan struct{}, 1),
	}
	keepers := r.newKeepers()
	r.keepers.Store(&keepers)
	some := false
	for _, k := range keepers {
		some = k.look() || some
	}
	if !some && (len(keepers) > 0 || len(r.patterns) > 0) {
		cfg.Log("no container runtime is running: none of the configured sockets is there")
	}
	for _, k := range keepers {
		r.ended.Go(func() { k.run(ctx) })
	}
	if len(r.patterns) > 0 {
		r.ended.Go(func() { r.searchOn(ctx) })
	}
	r.ended.Go(func() { r.dispatch(ctx) })
	return r
}

// pattern stands for sockets that come and go, as those of users do.
type pattern struct {
	path string
	add  func(path string) *keeper
}

// searchOn looks from time to time, and soon when a container is asked for, for sockets that patterns stand for and that have no
// keeper yet.
func (r *Runtimes) searchOn(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookTime):
		case <-r.search:
		}
		r.findNew(ctx)
		// However many containers are asked for, the directories are not read all the time.
		select {
		case <-ctx.Done():
			return
		case <-time.After(searchPause):
		}
	}
}

// findNew begins to keep the sockets that are new. One that is gone keeps its keeper, which waits for its return.
func (r *Runtimes) findNew(ctx context.Context) {
	keepers := *r.keepers.Load()
	for _, p := range r.patterns {
		paths, _ := filepath.Glob(p.path) // the pattern was checked
		for _, path := range paths {
			if len(keepers) >= maxKeepers || slices.ContainsFunc(keepers, func(k *keeper) bool { return k.path == path }) {
				continue
			}
			k := p.add(path)
			keepers = append(slices.Clip(keepers), k)
			r.keepers.Store(&keepers)
			k.look()
			r.ended.Go(func() { k.run(ctx) })
		}
	}
}

// newKeepers returns a keeper for each socket. Of those that a pattern stands for there is one for each that is there now.
func (r *Runtimes) newKeepers() []*keeper {
	var out []*keeper
	add := func(kind string, sockets []string, open func(path string, k *keeper) runtime) {
		for _, s := range sockets {
			path := filepath.Join("/", r.cfg.HostRoot, s)
			one := func(path string) *keeper {
				k := &keeper{r: r, kind: kind, path: path, kick: make(chan struct{}, 1)}
				k.open = func() runtime { return open(path, k) }
				return k
			}
			paths := []string{path}
			if strings.ContainsAny(s, "*?[") {
				r.patterns = append(r.patterns, pattern{path, one})
				paths, _ = filepath.Glob(path) // the pattern was checked
			}
			for _, p := range paths[:min(len(paths), maxKeepers)] {
				out = append(out, one(p))
			}
		}
	}
	add("docker", r.cfg.Docker, func(path string, k *keeper) runtime { return newDocker("docker", path, &r.cfg, k.trouble) })
	add("podman", r.cfg.Podman, func(path string, k *keeper) runtime { return newDocker("podman", path, &r.cfg, k.trouble) })
	add("CRI", r.cfg.CRI, func(path string, k *keeper) runtime { return newCRI(path, &r.cfg, k.trouble) })
	add("containerd", r.cfg.Containerd, func(path string, k *keeper) runtime { return newContainerd(path, &r.cfg, k.trouble) })
	return out
}

// Close ends all calls and waits for that.
func (r *Runtimes) Close() {
	r.cancel()
	r.ended.Wait()
}

// Next returns news, if any wait. It costs an atomic load when none do. One goroutine calls it.
func (r *Runtimes) Next() (Update, bool) {
	if r.waiting.Load() <= 0 {
		return Update{}, false
	}
	u := <-r.updates
	r.waiting.Add(-1)
	return u, true
}

// Need asks for a container. It returns at once; the answer comes by Next, and it comes in any case: as news of the container,
// or as Missing. It returns false when nobody can be asked.
func (r *Runtimes) Need(w Wanted) bool {
	if len(r.patterns) > 0 {
		select {
		case r.search <- struct{}{}:
		default:
		}
	}
	if r.present.Load() == 0 {
		seen := false
		for _, k := range *r.keepers.Load() {
			k.hurry()
			seen = seen || k.seen.Load()
		}
		if !seen {
			return false // no runtime has ever been here
		}
	}
	select {
	case r.asked <- asking{w, time.Now()}:
		return true
	default:
		r.shed.Add(1)
		return false
	}
}

// Stats returns the counters. Any goroutine may call it.
func (r *Runtimes) Stats() Stats {
	s := Stats{
		Queued: int(max(0, r.waiting.Load())), Lookups: r.lookups.Load(), Misses: r.misses.Load(), Errors: r.errors.Load(),
		Shed: r.shed.Load(), Reconnects: r.reconnects.Load(), Answers: r.answers.Load(), Latency: time.Duration(r.latency.Load()),
	}
	for _, k := range *r.keepers.Load() {
		if k.current.Load() != nil {
			s.Connected++
		}
	}
	r.mu.Lock()
	s.Known = len(r.picture)
	for _, c := range r.picture {
		if c.Image == "" {
			s.Nameless++
		}
	}
	r.mu.Unlock()
	return s
}

// dispatch starts a look-up for each container that is asked for.
func (r *Runtimes) dispatch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-r.asked:
			r.lookups.Add(1)
			if !r.begin(a.Key) {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case r.slots <- struct{}{}:
			}
			r.ended.Go(func() {
				defer func() { <-r.slots }()
				r.find(ctx, a)
			})
		}
	}
}

// begin marks a container as looked for; false if it is already.
func (r *Runtimes) begin(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.finding[key] {
		return false
	}
	r.finding[key] = true
	return true
}

func (r *Runtimes) end(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.finding, key)
}

func (r *Runtimes) known(key string) *Container {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.picture[key]
}

// find asks every runtime until one answers or patience ends.
func (r *Runtimes) find(ctx context.Context, a asking) {
	defer r.end(a.Key)
	if c := r.known(a.Key); c != nil && !c.Partial {
		r.answer(ctx, a, c)
		return
	}
	deadline := a.at.Add(r.cfg.Patience)
	failed := false
	for {
		c, bad := r.askAll(ctx, a)
		failed = failed || bad
		if c != nil {
			r.answer(ctx, a, c)
			if !c.Partial {
				return
			}
			failed = true // what is known is not all
		}
		if ctx.Err() != nil {
			return
		}
		if !time.Now().Add(retryTime).Before(deadline) {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryTime):
		}
		// The runtime's own news may have been faster.
		if c := r.known(a.Key); c != nil && !c.Partial {
			r.answer(ctx, a, c)
			return
		}
	}
	if r.known(a.Key) == nil {
		r.misses.Add(1)
	}
	r.publish(ctx, Update{Key: a.Key, Missing: true, Failed: failed})
}

// answer hands over what a look-up found.
func (r *Runtimes) answer(ctx context.Context, a asking, c *Container) {
	r.answers.Add(1)
	r.latency.Add(int64(time.Since(a.at)))
	r.keep(c)
	r.publish(ctx, Update{Key: a.Key, Container: c})
}

// askAll asks every runtime once and returns the answer of the one that knows most. A runtime that takes longer than the
// others is not waited for, unless nobody else answers; what it says later is handed over then.
func (r *Runtimes) askAll(ctx context.Context, a asking) (best *Container, failed bool) {
	type reply struct {
		c   *Container
		err error
	}
	keepers := *r.keepers.Load()
	replies := make(chan reply, len(keepers))
	n := 0
	for _, k := range keepers {
		rt := k.current.Load()
		if rt == nil {
			if k.seen.Load() {
				failed = true
				k.hurry()
			}
			continue
		}
		n++
		r.ended.Go(func() {
			call, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			c, err := (*rt).lookup(call, a.Wanted)
			switch {
			case err == nil && Key(c.Namespace, c.ID) != a.Key:
				err = fmt.Errorf("asked for container %s, it answers about %s", a.Key, Key(c.Namespace, cut(c.ID, idDigits)))
				c = nil
				fallthrough
			case err != nil && !errors.Is(err, errNone):
				k.trouble(err)
			case err == nil && time.Since(a.at) > r.cfg.Patience:
				r.keep(c)
				r.publish(ctx, Update{Key: a.Key, Container: c})
			}
			replies <- reply{c, err}
		})
	}
	limit := time.NewTimer(max(retryTime, time.Until(a.at.Add(r.cfg.Patience))))
	defer limit.Stop()
	for ; n > 0; n-- {
		select {
		case <-ctx.Done():
			return nil, true
		case <-limit.C:
			return best, true
		case p := <-replies:
			switch {
			case p.err == nil && p.c.Better(best):
				best = p.c
			case p.err != nil && !errors.Is(p.err, errNone):
				failed = true
			}
			if best != nil && best.rank == rankDocker {
				return best, failed
			}
		}
	}
	return best, failed
}

// found takes over what a runtime tells of a container.
func (r *Runtimes) found(ctx context.Context, c *Container) {
	if r.keep(c) {
		r.publish(ctx, Update{Key: Key(c.Namespace, c.ID), Container: c})
	}
}

// keep adds a container to the picture and reports whether that knew less.
func (r *Runtimes) keep(c *Container) bool {
	key := Key(c.Namespace, c.ID)
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.picture[key]
	if !c.Better(old) {
		return false
	}
	if !ok && len(r.picture) >= maxPicture {
		r.shed.Add(1)
		return true
	}
	r.picture[key] = c
	return true
}

// gone takes over that a container was removed.
func (r *Runtimes) gone(ctx context.Context, key string) {
	r.mu.Lock()
	_, ok := r.picture[key]
	delete(r.picture, key)
	r.mu.Unlock()
	if ok {
		r.publish(ctx, Update{Key: key, Gone: true})
	}
}

// sweep forgets the containers of a runtime that a new listing does not have any more.
func (r *Runtimes) sweep(ctx context.Context, before map[string]bool, listed map[string]bool) {
	for key := range before {
		if !listed[key] {
			r.gone(ctx, key)
		}
	}
}

// publish queues news for the state. When the state is slow, runtimes are not read meanwhile.
func (r *Runtimes) publish(ctx context.Context, u Update) {
	select {
	case r.updates <- u:
		r.waiting.Add(1)
	case <-ctx.Done():
	}
}

// keeper keeps one socket connected.
type keeper struct {
	r       *Runtimes
	kind    string
	path    string
	open    func() runtime
	kick    chan struct{} // somebody waits for the runtime
	current atomic.Pointer[runtime]
	there   atomic.Bool
	seen    atomic.Bool // the socket was there at some time

	mu   sync.Mutex
	said string          // the last trouble that was logged
	mine map[string]bool // containers that this runtime told of; of the keeper's goroutine, except for trouble
}

// String names the runtime in messages.
func (k *keeper) String() string { return k.kind + " at " + k.path }

// look sees whether the socket is there.
func (k *keeper) look() bool {
	_, err := os.Stat(k.path)
	there := err == nil
	if there {
		k.seen.Store(true)
	}
	if k.there.Swap(there) != there {
		if there {
			k.r.present.Add(1)
		} else {
			k.r.present.Add(-1)
		}
	}
	return there
}

// hurry ends the keeper's pause.
func (k *keeper) hurry() {
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// trouble counts a failure and logs it once. Calls that were ended from here are no failures.
func (k *keeper) trouble(err error) {
	if errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "context canceled") {
		return
	}
	k.r.errors.Add(1)
	text := err.Error()
	switch {
	case errors.Is(err, fs.ErrPermission) || strings.Contains(text, "permission denied"):
		text = "the socket refuses access; run as root or in the group that owns the socket"
	case len(text) > 512:
		text = text[:512] + "…"
	}
	k.mu.Lock()
	again := k.said == text
	k.said = text
	k.mu.Unlock()
	if !again {
		k.r.cfg.Log("Warning: container runtime %s: %s", k, text)
	}
}

// run follows the runtime until ctx is done, and comes back to it after it went away.
func (k *keeper) run(ctx context.Context) {
	k.mine = map[string]bool{}
	pause := firstPause
	for first := true; ctx.Err() == nil; first = false {
		wait := lookTime
		began := time.Now()
		if k.look() {
			if !first {
				k.r.reconnects.Add(1)
			}
			err := k.follow(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil && k.look() {
				k.trouble(err)
			}
			if time.Since(began) > longestWait {
				pause = firstPause
			}
			wait, pause = pause, min(2*pause, longestWait)
		} else if k.seen.Load() {
			// A runtime that is being restarted is back soon.
			wait, pause = pause, min(2*pause, lookTime)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		case <-k.kick:
			// At most one attempt in a while, however many containers are asked for.
			select {
			case <-ctx.Done():
			case <-time.After(firstPause - time.Since(began)):
			}
		}
	}
}

// follow connects, subscribes, lists, and then takes what the runtime tells until that ends. Listing after subscribing leaves
// no gap between the two.
func (k *keeper) follow(ctx context.Context) error {
	rt := k.open()
	defer rt.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.current.Store(&rt)
	defer k.current.Store(nil)
	ready := make(chan struct{})
	watched := make(chan error, 1)
	var once sync.Once
	var mu sync.Mutex // found and gone of watch run beside those of list
	listed, complete := map[string]bool{}, false
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		if !complete { // what was told of before may still be there
			for key := range k.mine {
				listed[key] = true
			}
		}
		k.mine = listed
	}()
	found := func(c *Container) {
		key := Key(c.Namespace, c.ID)
		mu.Lock()
		listed[key] = true
		mu.Unlock()
		k.r.found(ctx, c)
	}
	gone := func(key string) {
		mu.Lock()
		delete(listed, key)
		mu.Unlock()
		k.r.gone(ctx, key)
	}
	go func() { watched <- rt.watch(ctx, func() { once.Do(func() { close(ready) }) }, found, gone) }()
	select {
	case <-ctx.Done():
		return <-watched
	case err := <-watched:
		return err
	case <-ready:
	}
	if err := rt.list(ctx, found); err != nil {
		cancel()
		if ended := <-watched; !errors.Is(ended, context.Canceled) {
			return errors.Join(fmt.Errorf("listing the containers: %w", err), ended)
		}
		return fmt.Errorf("listing the containers: %w", err)
	}
	mu.Lock()
	current := make(map[string]bool, len(listed))
	for key := range listed {
		current[key] = true
	}
	mu.Unlock()
	k.r.sweep(ctx, k.mine, current)
	complete = true
	k.mu.Lock()
	recovered := k.said != ""
	k.said = ""
	k.mu.Unlock()
	if recovered {
		k.r.cfg.Log("container runtime %s answers again: %d containers", k, len(current))
	}
	return <-watched
}

// Connected names the runtimes that are followed, for what is logged at the start.
func (r *Runtimes) Connected() []string {
	var out []string
	for _, k := range *r.keepers.Load() {
		if k.current.Load() != nil {
			out = append(out, k.String())
		}
	}
	slices.Sort(out)
	return out
}
