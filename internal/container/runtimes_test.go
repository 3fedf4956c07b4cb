package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// started is a Runtimes with what it logged.
type started struct {
	*Runtimes
	mu  sync.Mutex
	log []string
}

func start(t *testing.T, cfg Config) *started {
	t.Helper()
	s := &started{}
	cfg.Log = func(format string, args ...any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log = append(s.log, fmt.Sprintf(format, args...))
	}
	cfg.LabelLimit = DefaultLabelLimit
	s.Runtimes = Start(cfg)
	t.Cleanup(s.Close)
	return s
}

func (s *started) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, "\n")
}

// next waits for news.
func (s *started) next(t *testing.T) Update {
	t.Helper()
	var u Update
	await(t, "news", func() (ok bool) { u, ok = s.Next(); return ok })
	return u
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

func inspect(id, name string) string {
	return fmt.Sprintf(`{"Id":%q,"Name":"/%s","Config":{"Image":"team/box:1"}}`, id, name)
}

func idOf(digit string) string { return strings.Repeat(digit, 64) }

// TestPictureFollows lists, follows events, survives a restart of the runtime, and notices what went away meanwhile.
func TestPictureFollows(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	f := &fakeDocker{containers: map[string]string{idOf("a"): inspect(idOf("a"), "one")}, events: make(chan string)}
	stop := serve(t, socket, f)
	s := start(t, Config{Docker: []string{socket}})
	if u := s.next(t); u.Key != idOf("a")[:12] || u.Container.Name != "one" || u.Container.Tag != "1" {
		t.Fatalf("the listing gave %+v", u)
	}
	f.set(idOf("b"), inspect(idOf("b"), "two"))
	f.events <- `{"Type":"container","Action":"create","Actor":{"ID":"` + idOf("b") + `"}}`
	if u := s.next(t); u.Key != idOf("b")[:12] || u.Container.Name != "two" {
		t.Fatalf("the event gave %+v", u)
	}
	f.set(idOf("b"), "")
	f.events <- `{"Type":"container","Action":"destroy","Actor":{"ID":"` + idOf("b") + `"}}`
	if u := s.next(t); u.Key != idOf("b")[:12] || !u.Gone {
		t.Fatalf("the end gave %+v", u)
	}
	stop()
	os.Remove(socket)
	f.set(idOf("a"), "")
	f.set(idOf("c"), inspect(idOf("c"), "three"))
	serve(t, socket, f)
	gone, came := false, false
	for !gone || !came {
		u := s.next(t)
		gone = gone || u.Gone && u.Key == idOf("a")[:12]
		came = came || u.Container != nil && u.Container.Name == "three"
	}
	if st := s.Stats(); st.Connected != 1 || st.Known != 1 || st.Reconnects == 0 {
		t.Errorf("counters after the restart: %+v", st)
	}
}

func TestNeed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	f := &fakeDocker{containers: map[string]string{}, events: make(chan string)}
	serve(t, socket, f)
	s := start(t, Config{Docker: []string{socket}})
	await(t, "the connection", func() bool { return s.Stats().Connected == 1 })
	if !s.Need(Wanted{Key: testID[:12], ID: testID}) {
		t.Fatal("nobody to ask")
	}
	if u := s.next(t); !u.Missing || u.Failed || u.Key != testID[:12] {
		t.Errorf("a container that is not there: %+v", u)
	}
	f.set(testID, inspect(testID, "web"))
	s.Need(Wanted{Key: testID[:12], ID: testID})
	if u := s.next(t); u.Container == nil || u.Container.Name != "web" {
		t.Errorf("a container that is there: %+v", u)
	}
	if st := s.Stats(); st.Lookups != 2 || st.Misses != 1 || st.Answers != 1 || st.Known != 1 {
		t.Errorf("counters: %+v", st)
	}
}

// TestUserComes finds the socket of a user who was not there at the start, once a container is asked for.
func TestUserComes(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Config{Podman: []string{filepath.Join(dir, "*", "p.sock")}})
	if s.Need(Wanted{Key: testID[:12], ID: testID}) {
		t.Fatal("nobody was there, and somebody can be asked")
	}
	if err := os.Mkdir(filepath.Join(dir, "1000"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := &fakeDocker{containers: map[string]string{testID: inspect(testID, "web")}, events: make(chan string)}
	serve(t, filepath.Join(dir, "1000", "p.sock"), f)
	await(t, "the new socket", func() bool {
		s.Need(Wanted{Key: testID[:12], ID: testID})
		return s.Stats().Connected == 1
	})
	await(t, "news of the container", func() bool {
		u, ok := s.Next()
		return ok && u.Container != nil && u.Container.Name == "web" && u.Container.Type == "podman"
	})
}

// TestUserLies sees that root's runtime is believed rather than a service of some user, whoever answers first.
func TestUserLies(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: gives a socket to another user")
	}
	dir := t.TempDir()
	lie, truth := filepath.Join(dir, "lie"), filepath.Join(dir, "truth")
	serve(t, lie, &fakeDocker{containers: map[string]string{testID: inspect(testID, "harmless")}, events: make(chan string)})
	if err := os.Chown(lie, 4711, 4711); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Podman: []string{lie}})
	if u := s.next(t); u.Container == nil || u.Container.Name != "harmless" {
		t.Fatalf("the user alone: %+v", u)
	}
	serve(t, truth, &fakeDocker{containers: map[string]string{testID: inspect(testID, "web")}, events: make(chan string)})
	both := start(t, Config{Podman: []string{lie}, Docker: []string{truth}})
	await(t, "both runtimes", func() bool { return both.Stats().Connected == 2 })
	var last Update
	await(t, "root's word", func() bool {
		if u, ok := both.Next(); ok {
			last = u
		}
		return last.Container != nil && last.Container.Name == "web"
	})
	both.Need(Wanted{Key: testID[:12], ID: testID})
	if u := both.next(t); u.Container == nil || u.Container.Name != "web" {
		t.Errorf("asked again: %+v", u)
	}
}

// TestNoRuntime sees that a machine without runtimes costs a line.
func TestNoRuntime(t *testing.T) {
	s := start(t, Config{Docker: []string{filepath.Join(t.TempDir(), "none.sock")}})
	if s.Need(Wanted{Key: "x", ID: "x"}) {
		t.Error("somebody is to answer though nobody is there")
	}
	if got := s.logged(); got != "no container runtime is running: none of the configured sockets is there" {
		t.Errorf("logged: %q", got)
	}
}

// TestBadRuntimes sees that a runtime that hangs, lies or talks rubbish is named once, and that others answer meanwhile.
func TestBadRuntimes(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.sock"), filepath.Join(dir, "bad.sock")
	serve(t, good, &fakeDocker{containers: map[string]string{testID: inspect(testID, "web")}, events: make(chan string)})
	for _, c := range []struct {
		name, says string
		handle     func(w http.ResponseWriter, r *http.Request) bool
	}{
		{"hangs", "", func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }},
		{"rubbish", "is not what was asked for", func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, "}"); return true }},
		{"lies", "it answers about", func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/containers/"+testID) {
				fmt.Fprint(w, inspect(idOf("e"), "liar"))
				return true
			}
			return false
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			stop := serve(t, bad, &fakeDocker{handle: c.handle, containers: map[string]string{}, events: make(chan string)})
			s := start(t, Config{Docker: []string{bad}, Podman: []string{good}})
			await(t, "the good one", func() bool { return s.Stats().Connected >= 1 && s.Stats().Known == 1 })
			s.Need(Wanted{Key: testID[:12], ID: testID})
			if u := s.next(t); u.Container == nil || u.Container.Name != "web" || u.Container.Type != "podman" {
				t.Errorf("the good runtime's answer: %+v", u)
			}
			if c.name == "lies" {
				s.Need(Wanted{Key: idOf("d")[:12], ID: testID}) // an id that nobody asked for under this key
			}
			if c.says != "" {
				await(t, "the complaint", func() bool { return strings.Contains(s.logged(), c.says) })
			}
			if n := strings.Count(s.logged(), "Warning"); n > 2 {
				t.Errorf("%d warnings:\n%s", n, s.logged())
			}
			s.Close()
			stop()
			os.Remove(bad)
		})
	}
}

// TestHangingRuntimeIsWaitedForBriefly asks a runtime that only hangs.
func TestHangingRuntimeIsWaitedForBriefly(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	serve(t, socket, &fakeDocker{handle: func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }})
	s := start(t, Config{Docker: []string{socket}})
	begin := time.Now()
	s.Need(Wanted{Key: testID[:12], ID: testID})
	if took := time.Since(begin); took >= callTime {
		t.Errorf("asking took %v", took)
	}
	u := s.next(t)
	if !u.Missing || !u.Failed {
		t.Errorf("the answer is %+v", u)
	}
}

// slow is a runtime that answers in a second each time, and not at all about some containers.
type slow struct {
	runtime
	hangs func(id string) bool
}

func (r slow) lookup(ctx context.Context, want Wanted) (*Container, error) {
	answer := time.After(time.Second)
	if r.hangs(want.ID) {
		answer = nil
	}
	select {
	case <-answer:
		return &Container{ID: want.ID}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestListingGoesOn lists many containers of a slow runtime, and some about which it does not answer.
func TestListingGoesOn(t *testing.T) {
	var ids []string
	for i := range 100 {
		ids = append(ids, fmt.Sprint(i))
	}
	for _, c := range []struct {
		name  string
		hangs func(id string) bool
		found int
		ends  bool
	}{
		{"slow", func(string) bool { return false }, 100, true},
		{"every other hangs", func(id string) bool { return id[len(id)-1]&1 == 1 }, 50, true},
		{"all hang from the tenth on", func(id string) bool { return len(id) > 1 }, 10, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				found := 0
				begin := time.Now()
				err := describe(t.Context(), slow{hangs: c.hangs}, ids, func(*Container) { found++ }, func(error) {})
				if found != c.found || (err == nil) != c.ends {
					t.Errorf("%d containers, want %d; error %v", found, c.found, err)
				}
				if took := time.Since(begin); !c.ends && took > 10*time.Second+maxHung*callTime {
					t.Errorf("a runtime that hangs was waited for %v", took)
				}
			})
		})
	}
}

// listing is a runtime that tells of containers when they are listed, and breaks off then if it says so.
type listing struct {
	runtime
	ids  []string
	fail error
}

func (r listing) list(_ context.Context, found func(*Container)) error {
	for _, id := range r.ids {
		found(&Container{ID: id, rank: rankDocker})
	}
	return r.fail
}

func (r listing) watch(ctx context.Context, ready func(), _ func(*Container), _ func(string)) error {
	ready()
	if r.fail == nil {
		return errors.New("gone away")
	}
	<-ctx.Done()
	return ctx.Err()
}

func (r listing) close() {}

// TestBrokenListing forgets what a listing told of that broke off, when the next one does not have it any more.
func TestBrokenListing(t *testing.T) {
	r := &Runtimes{updates: make(chan Update, 16), picture: map[string]*Container{}, cfg: Config{Log: func(string, ...any) {}}}
	k := &keeper{r: r, mine: map[string]bool{}}
	for _, step := range []listing{
		{ids: []string{"a", "b"}, fail: errors.New("broken")},
		{ids: []string{"c"}, fail: errors.New("broken")},
		{ids: []string{"b"}},
	} {
		k.open = func() runtime { return step }
		for range 100 { // until it was listed before the runtime went away
			if err := k.follow(t.Context()); err == nil {
				t.Fatal("it goes on")
			}
			if len(k.mine) == 1 || step.fail != nil {
				break
			}
		}
	}
	var keys []string
	for key := range r.picture {
		keys = append(keys, key)
	}
	if strings.Join(keys, " ") != "b" {
		t.Errorf("known are %v, want b alone", keys)
	}
}

// TestPermission names the socket that refuses. Root, whom none refuses, becomes nobody for a while.
func TestPermission(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "d.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(socket, 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755), syscall.Seteuid(65534)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Seteuid(0); err != nil {
				t.Fatal(err)
			}
		})
	}
	s := start(t, Config{Docker: []string{socket}})
	await(t, "the complaint", func() bool {
		return strings.Contains(s.logged(), "docker at "+socket+": the socket refuses access")
	})
}

// TestNeedIsBounded asks for more than can be looked for.
func TestNeedIsBounded(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	serve(t, socket, &fakeDocker{handle: func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }})
	s := start(t, Config{Docker: []string{socket}})
	for i := range 4 * maxAsked {
		key := fmt.Sprintf("%012x%052x", i, 0)
		s.Need(Wanted{Key: key[:12], ID: key})
	}
	if st := s.Stats(); st.Shed == 0 {
		t.Errorf("nothing was shed: %+v", st)
	}
}

// TestNextCostsNothing looks for news where there are none.
func TestNextCostsNothing(t *testing.T) {
	s := start(t, Config{})
	if n := testing.AllocsPerRun(100, func() { s.Next() }); n != 0 {
		t.Errorf("a look allocates %v times", n)
	}
}

func TestParseConfig(t *testing.T) {
	c, err := ParseConfig(`{"label_max_len":7,"hooks":["start"],"engines":{"docker":{"enabled":false},"podman":{"sockets":["/p.sock"]},"lxc":{"enabled":false}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if c.Docker != nil || len(c.Podman) != 1 || c.Podman[0] != "/p.sock" || len(c.CRI) != 4 || c.LabelLimit != 7 || !c.NoCreate || len(c.Hidden) != 1 {
		t.Errorf("read %+v", c)
	}
	c, err = ParseConfig(`{"engines":{"static":{"enabled":true,"container_id":"id","container_name":"name","container_image":"a/b:1"}}}`)
	if err != nil || c.Static == nil || c.Static.Repository != "a/b" || c.Static.Tag != "1" || c.Docker != nil {
		t.Errorf("read %+v, error %v", c, err)
	}
	for _, bad := range []string{`{"label_max_len":-1}`, `{"engines":{"cri":{"sockets":["run/x.sock"]}}}`, `[`} {
		if _, err := ParseConfig(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestParseJSON(t *testing.T) {
	c, err := ParseJSON([]byte(`{"container":{"Mounts":[{"Destination":"/d","Mode":"ro","Propagation":"","RW":false,"Source":"/s"}],"id":"3ad7b26ded6d",
"full_id":"3ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e","image":"busybox:1","imagedigest":"sha256:1","imageid":"c0","imagerepo":"busybox",
"imagetag":"1","ip":"10.0.0.1","is_pod_sandbox":false,"labels":{"io.kubernetes.pod.uid":"u"},"name":"x","privileged":true,"type":11}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.ID[:14], c.Type, c.Name, c.Image, c.Digest, c.Privileged, c.HostPID, c.Mounts, c.Pod.UID, c.Pod.IP); got !=
		"3ad7b26ded6d8epodmanxbusybox:1sha256:1"+fmt.Sprint(True, Unknown)+" [{/s /d ro false }]u10.0.0.1" {
		t.Errorf("read %s", got)
	}
	for _, bad := range []string{``, `{}`, `{"container":{"id":7}}`, `{"container":{"id":""}}`} {
		if _, err := ParseJSON([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
