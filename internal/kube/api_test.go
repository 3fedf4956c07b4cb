package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/kube/kubetest"
)

const (
	podsPath     = "/api/v1/pods"
	servicesPath = "/api/v1/services"
	setsPath     = "/apis/apps/v1/replicasets"
	deployPath   = "/apis/apps/v1/deployments"
)

// logs collects log lines.
type logs struct {
	mu    sync.Mutex
	lines []string
}

func (l *logs) log(s string) {
	l.mu.Lock()
	l.lines = append(l.lines, s)
	l.mu.Unlock()
}

func (l *logs) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, s := range l.lines {
		if strings.Contains(s, text) {
			n++
		}
	}
	return n
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(60 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("it never came true that %s", what)
		}
	}
}

// loop is the side of the loop: it takes records over when it is asked.
type loop struct {
	box  *Mailbox
	pods map[string]*Pod
}

func (l *loop) take() map[string]*Pod {
	if l.box.Waiting() {
		l.box.Take(func(uid string, p *Pod) {
			if p == nil {
				delete(l.pods, uid)
			} else {
				l.pods[uid] = p
			}
		})
	}
	return l.pods
}

// follower runs an API against a server for the length of the test.
func follower(t *testing.T, s *kubetest.Server, token string) (*API, *loop, *logs) {
	t.Helper()
	client, err := Connect(s.Kubeconfig(t, token))
	if err != nil {
		t.Fatal(err)
	}
	l := &logs{}
	a := NewAPI(client, "n1", l.log)
	background(t, a.Run)
	return a, &loop{&a.Mailbox, map[string]*Pod{}}, l
}

func background(t *testing.T, run func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
}

func describePod(p *Pod) string {
	if p == nil {
		return "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s %s ip=%s sa=%s ns=%s%v", p.Namespace.Name, p.Name, p.UID, p.IP, p.ServiceAccount, p.Namespace.UID, p.Namespace.Labels)
	for _, o := range p.Owners {
		fmt.Fprintf(&b, " <%s %s %s%v", o.Kind, o.Name, o.UID, o.Labels)
	}
	for _, s := range p.Services {
		fmt.Fprintf(&b, " svc %s", s.Name)
	}
	for _, i := range p.Images {
		fmt.Fprintf(&b, " image %s %s", i.Image, i.Digest[:min(len(i.Digest), 9)])
	}
	return b.String()
}

// populate puts a deployment's pod with all that surrounds it.
func populate(s *kubetest.Server) {
	meta := func(kind, name, uid, label string) kubetest.Object {
		o := kubetest.Object{"kind": kind, "metadata": kubetest.Object{"namespace": "prod", "name": name, "uid": uid, "labels": kubetest.Object{"of": label}}}
		if kind == "Namespace" {
			delete(o["metadata"].(kubetest.Object), "namespace")
		}
		return o
	}
	s.Put("/api/v1/namespaces", meta("Namespace", "prod", "ns1", "ns"))
	s.Put(deployPath, meta("Deployment", "web", "d1", "deployment"))
	s.Put(setsPath, kubetest.Owned(meta("ReplicaSet", "web-5d", "rs1", "set"), "apps/v1", "Deployment", "web", "d1"))
	s.Put(podsPath, kubetest.Owned(kubetest.Pod("prod", "web-5d-1", "u1", "n1", "nginx:1.25"), "apps/v1", "ReplicaSet", "web-5d", "rs1"))
	s.Put(podsPath, kubetest.Pod("prod", "elsewhere", "u2", "n2", "nginx:1.25"))
	for name, app := range map[string]string{"front": "web-5d-1", "other": "x"} {
		s.Put(servicesPath, kubetest.Object{
			"kind": "Service", "metadata": kubetest.Object{"namespace": "prod", "name": name, "uid": "svc-" + name},
			"spec": kubetest.Object{"selector": kubetest.Object{"app": app}},
		})
	}
}

const whole = "prod/web-5d-1 u1 ip=10.0.0.7 sa=default ns=ns1[{of ns}] <ReplicaSet web-5d rs1[{of set}] <Deployment web d1[{of deployment}] svc front image nginx:1.25 sha256:aa"

// TestNoPods says that there are none, which a wrong name of the node would explain.
func TestNoPods(t *testing.T) {
	s := kubetest.New(t)
	s.Put(podsPath, kubetest.Pod("prod", "elsewhere", "u2", "n1.example", "nginx:1.25"))
	_, _, log := follower(t, s, "")
	eventually(t, "it is said", func() bool { return log.count("no pod on node n1: if that is wrong, nodeName has to be") == 1 })
}

func TestPodWithItsSurroundings(t *testing.T) {
	for _, streaming := range []bool{true, false} {
		t.Run(fmt.Sprintf("streaming %v", streaming), func(t *testing.T) {
			s := kubetest.New(t)
			s.Streaming(streaming)
			populate(s)
			a, l, log := follower(t, s, "")
			eventually(t, "the pod is known with all that surrounds it", func() bool { return describePod(l.take()["u1"]) == whole })
			if l.pods["u2"] != nil {
				t.Error("a pod of another node is known")
			}
			if p := l.pods["u1"]; p.Workload().Name != "web" || p.Owner("ReplicaSet").UID != "rs1" || p.Owner("Job") != nil {
				t.Errorf("owners: %s", describePod(p))
			}
			s.Delete(servicesPath, "prod", "front")
			eventually(t, "the service is gone", func() bool { return len(l.take()["u1"].Services) == 0 })
			s.Delete(podsPath, "prod", "web-5d-1")
			eventually(t, "the pod is gone", func() bool { return len(l.take()) == 0 })
			s.Put(podsPath, kubetest.Owned(kubetest.Pod("prod", "run-1", "u3", "n1", "job:1"), "batch/v1", "Job", "run", "j1"))
			eventually(t, "the job is known by its reference", func() bool { p := l.take()["u3"]; return p != nil && p.Workload().Name == "run" })
			if st := a.Stats(); st.Pods != 1 || st.Services != 1 || st.Lists == 0 || st.Lookups < 3 || st.Unreadable != 0 {
				t.Errorf("counters: %+v", st)
			}
			if log.String() != "" && !strings.Contains(log.String(), "works again") {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

// TestServerComesLate begins while nobody listens, which is said once.
func TestServerComesLate(t *testing.T) {
	s := kubetest.New(t)
	populate(s)
	s.Fail(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	a, l, log := follower(t, s, "")
	eventually(t, "requests failed", func() bool { return a.Stats().Errors >= 4 })
	s.Fail(nil)
	eventually(t, "the pod is known", func() bool { return describePod(l.take()["u1"]) == whole })
	if n := log.count("asking the API server"); n != 1 {
		t.Errorf("said %d times that the server cannot be reached:\n%s", n, log)
	}
	if log.count("works again") == 0 {
		t.Errorf("did not say that it works again:\n%s", log)
	}
}

// TestInterruptions changes things while the watch is cut, with and without the server remembering.
func TestInterruptions(t *testing.T) {
	for _, streaming := range []bool{true, false} {
		t.Run(fmt.Sprintf("streaming %v", streaming), func(t *testing.T) {
			t.Parallel()
			s := kubetest.New(t)
			s.Streaming(streaming)
			populate(s)
			a, l, _ := follower(t, s, "")
			eventually(t, "the pod is known", func() bool { return l.take()["u1"] != nil })
			s.Disconnect()
			s.Put(podsPath, kubetest.Pod("prod", "second", "u5", "n1", "a:1"))
			eventually(t, "the new pod is known after a disconnect", func() bool { return l.take()["u5"] != nil })
			before := a.Stats().Lists
			s.Delete(podsPath, "prod", "web-5d-1")
			s.Delete(podsPath, "prod", "second")
			s.Put(podsPath, kubetest.Pod("prod", "third", "u6", "n1", "a:1"))
			s.Forget()
			s.Disconnect()
			eventually(t, "only the third pod is known after 410 Gone", func() bool { p := l.take(); return len(p) == 1 && p["u6"] != nil })
			// The deletions may have come before the history was forgotten; that a new listing follows is certain.
			eventually(t, "all is listed anew", func() bool { return a.Stats().Lists > before })
		})
	}
}

// TestTokenExpires has the token that the kubelet wrote run out: the next one is read from the same file.
func TestTokenExpires(t *testing.T) {
	s := kubetest.New(t)
	populate(s)
	s.Token("first")
	token := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	config, err := clientConfig(s.Kubeconfig(t, "unused"))
	if err != nil {
		t.Fatal(err)
	}
	config.BearerToken, config.BearerTokenFile = "", token
	client, err := connect(config)
	if err != nil {
		t.Fatal(err)
	}
	log := &logs{}
	a := NewAPI(client, "n1", log.log)
	background(t, a.Run)
	l := &loop{&a.Mailbox, map[string]*Pod{}}
	eventually(t, "the pod is known", func() bool { return describePod(l.take()["u1"]) == whole })
	s.Token("second")
	s.Disconnect()
	eventually(t, "the refusal is reported", func() bool { return log.count("Unauthorized") > 0 })
	write("second")
	s.Put(podsPath, kubetest.Pod("prod", "late", "u4", "n1", "a:1"))
	eventually(t, "a new pod is known with the new token", func() bool { return l.take()["u4"] != nil })
	if n := log.count("watching the pods of node n1: Unauthorized"); n > 1 {
		t.Errorf("said %d times that the token is refused:\n%s", n, log)
	}
}

// TestHostileServers sends what no API server should: nothing of it panics, all of it is bounded and reported.
func TestHostileServers(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	pod := func(change func(meta kubetest.Object)) kubetest.Object {
		o := kubetest.Pod("prod", "odd", "u9", "n1", "a:1")
		change(o["metadata"].(kubetest.Object))
		return o
	}
	list := func(items string) string { return `{"metadata":{"resourceVersion":"7"},"items":[` + items + `]}` }
	text := func(o kubetest.Object) string {
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	good := text(kubetest.Pod("prod", "good", "u8", "n1", "a:1"))
	many := kubetest.Pod("prod", "many", "u9", "n1", "a:1")
	containers := []any{}
	for i := range 300 {
		containers = append(containers, kubetest.Object{"name": fmt.Sprint(i), "image": "a:1"})
	}
	many["spec"].(kubetest.Object)["containers"] = containers
	cases := []struct {
		name, answer string
		reported     string // in the log; "" for a pod that is taken over in spite of all
		check        func(*Pod) bool
	}{
		{"no JSON", "<html>", "not what the API promises", nil},
		{"an array", "[]", "not what the API promises", nil},
		{"no items", `{"kind":"PodList"}`, "not what the API promises", nil},
		{"items that are none", `{"items":7}`, "not what the API promises", nil},
		{"cut off", list(good)[:90], "unexpected EOF", nil},
		{"nothing", "", "EOF", nil},
		{"an object of 10 MB", list(text(pod(func(m kubetest.Object) { m["annotations"] = kubetest.Object{"a": strings.Repeat("y", 10<<20)} })) + "," + good), "an object is larger than 4 MiB and is left out", func(p *Pod) bool { return p.Name == "good" }},
		{"metadata of 10 MB", `{"metadata":{"resourceVersion":"` + strings.Repeat("7", 10<<20) + `"},"items":[` + good + `]}`, "larger than 4 MiB", nil},
		{"something else of 10 MB", `{"x":["` + strings.Repeat("y", 10<<20) + `"],` + list(good)[1:], "", func(p *Pod) bool { return p.Name == "good" }},
		{"300 containers", list(text(many)), "more than 256 containers", func(p *Pod) bool { return len(p.Images) == maxImages }},
		{"10 MB in small objects", list(strings.Repeat(text(kubetest.Pod("prod", "other", "u7", "n2", strings.Repeat("z", 1000)))+",", 8000) + good), "", func(p *Pod) bool { return p.Name == "good" }},
		{"labels that are a number beside a good pod", list(`{"metadata":{"name":"x","uid":"u9","labels":7}},` + good), "cannot be read and is left out", func(p *Pod) bool { return p.Name == "good" }},
		{"a label of 100 kB", list(text(pod(func(m kubetest.Object) { m["labels"] = kubetest.Object{"a": long, "b": "c"} }))), "too long", func(p *Pod) bool {
			v, ok := p.Label("b")
			_, cut := p.Label("a")
			return ok && v == "c" && !cut && len(p.Labels) == 1
		}},
		{"a name of 100 kB", list(text(pod(func(m kubetest.Object) { m["name"] = long }))), "", func(p *Pod) bool { return len(p.Name) == maxName }},
		{"10000 labels", list(text(pod(func(m kubetest.Object) {
			labels := kubetest.Object{}
			for i := range 10_000 {
				labels[fmt.Sprint(i)] = "v"
			}
			m["labels"] = labels
		}))), "too many", func(p *Pod) bool { return len(p.Labels) == maxLabels }},
		{"an owner that leads elsewhere", list(text(kubetest.Owned(kubetest.Pod("..", "odd", "u9", "n1", "a"), "apps/v1", "ReplicaSet", "../../../../api/v1/secrets?x=", "r"))), "", func(p *Pod) bool { return p.Owners[0].UID == "r" }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := kubetest.New(t)
			s.Streaming(false)
			var asked sync.Map
			s.Fail(func(w http.ResponseWriter, r *http.Request) bool {
				asked.Store(r.URL.EscapedPath(), true)
				if r.URL.Path != podsPath || r.URL.Query().Get("watch") == "true" {
					return false
				}
				_, _ = w.Write([]byte(c.answer))
				return true
			})
			_, l, log := follower(t, s, "")
			if c.reported != "" {
				eventually(t, "it is reported: "+c.reported, func() bool { return log.count(c.reported) == 1 })
			}
			if c.check != nil {
				eventually(t, "the pod is as it should be", func() bool {
					for _, p := range l.take() {
						if c.check(p) {
							return true
						}
					}
					return false
				})
			}
			for _, line := range strings.Split(log.String(), "\n") {
				if len(line) > 1000 {
					t.Errorf("a log line of %d bytes", len(line))
				}
			}
			asked.Range(func(path, _ any) bool {
				if strings.Contains(path.(string), "secrets") || strings.Contains(path.(string), "..") || strings.Contains(path.(string), "%") {
					t.Errorf("asked for %s", path)
				}
				return true
			})
		})
	}
}

// TestHostileWatches sends rubbish in the middle of a stream; what follows afterwards is known all the same.
func TestHostileWatches(t *testing.T) {
	for name, c := range map[string]struct{ sent, reported string }{
		"no JSON":               {"}}}}\n", "not what the API promises"},
		"an unknown change":     {`{"type":"EXPLODED","object":{}}` + "\n", "EXPLODED"},
		"an object of 10 MB":    {`{"type":"ADDED","object":{"x":"` + strings.Repeat("y", 10<<20) + `"}}` + "\n", "larger than 4 MiB and is left out"},
		"an object that is odd": {`{"type":"ADDED","object":{"metadata":{"uid":"u1","labels":[]}}}` + "\n", "cannot be read"},
		"an error":              {`{"type":"ERROR","object":"` + strings.Repeat("z", 100_000) + `"}` + "\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := kubetest.New(t)
			s.Streaming(false)
			once := sync.Once{}
			s.Fail(func(w http.ResponseWriter, r *http.Request) bool {
				odd := false
				if r.URL.Path == podsPath && r.URL.Query().Get("watch") == "true" {
					once.Do(func() { odd = true })
				}
				if odd {
					_, _ = w.Write([]byte(c.sent))
				}
				return odd
			})
			_, l, log := follower(t, s, "")
			if c.reported != "" {
				eventually(t, "it is reported", func() bool { return log.count(c.reported) >= 1 })
			}
			s.Put(podsPath, kubetest.Pod("prod", "late", "u4", "n1", "a:1"))
			eventually(t, "what follows is known", func() bool { return l.take()["u4"] != nil })
		})
	}
}

// TestForbidden runs as a service account that may see pods only: what is missing is said once, and the pods are known.
func TestForbidden(t *testing.T) {
	s := kubetest.New(t)
	populate(s)
	s.Fail(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == podsPath {
			return false
		}
		kubetest.Refuse(w, http.StatusForbidden, "Forbidden", "not allowed: "+r.URL.Path+"\n\x1b[2JError: forged")
		return true
	})
	a, l, log := follower(t, s, "")
	eventually(t, "look-ups failed", func() bool { return a.Stats().LookupsFailed >= 2 })
	want := "prod/web-5d-1 u1 ip=10.0.0.7 sa=default ns=[] <ReplicaSet web-5d rs1[] image nginx:1.25 sha256:aa"
	eventually(t, "the pod is known by itself", func() bool { return describePod(l.take()["u1"]) == want })
	if strings.Contains(log.String(), "\x1b") || log.count("\n") > 0 {
		t.Errorf("a log line has control characters: %q", log)
	}
	eventually(t, "each kind is said once", func() bool {
		return log.count("watching services: not allowed") == 1 && log.count("kind ReplicaSet: not allowed") == 1 && log.count("kind Namespace: not allowed") == 1
	})
}

// TestLyingOwner answers a look-up with another object: it is not believed.
func TestLyingOwner(t *testing.T) {
	s := kubetest.New(t)
	populate(s)
	s.Put(setsPath, kubetest.Object{"metadata": kubetest.Object{"namespace": "prod", "name": "web-5d", "uid": "another", "labels": kubetest.Object{"evil": "yes"}}})
	a, l, _ := follower(t, s, "")
	eventually(t, "the look-up counts as failed", func() bool { return a.Stats().LookupsFailed == 1 })
	eventually(t, "the namespace is known", func() bool { p := l.take()["u1"]; return p != nil && p.Namespace.UID == "ns1" })
	if o := l.pods["u1"].Owner("ReplicaSet"); o.UID != "rs1" || len(o.Labels) != 0 {
		t.Errorf("owner %+v", o)
	}
}

func TestStaticPod(t *testing.T) {
	s := kubetest.New(t)
	o := kubetest.Owned(kubetest.Pod("kube-system", "etcd-n1", "u1", "n1", "etcd:3"), "v1", "Node", "n1", "node-uid")
	o["metadata"].(kubetest.Object)["annotations"] = kubetest.Object{"kubernetes.io/config.hash": "0123456789abcdef0123456789abcdef"}
	s.Put(podsPath, o)
	_, l, _ := follower(t, s, "")
	eventually(t, "the pod is known", func() bool { return l.take()["u1"] != nil })
	if p := l.pods["u1"]; p.Hash != "0123456789abcdef0123456789abcdef" || p.Workload().Kind != "Node" {
		t.Errorf("%+v", p)
	}
}

func TestConnectErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte("clusters: 7"), 0o600); err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{"": "KUBECONFIG", path: "reading kubeconfig " + path, path + "x": "no such file"} {
		t.Setenv("KUBERNETES_SERVICE_HOST", "")
		if _, err := Connect(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", config, err, want)
		}
	}
}

// heap returns what is in use on the heap.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestMemory measures what 5000 pods on one node cost (docs/performance.md).
func TestMemory(t *testing.T) {
	const n = 5000
	s := kubetest.New(t)
	for i := range n {
		name := fmt.Sprintf("app-%d-5d9c7b9f6-%05d", i/10, i)
		o := kubetest.Owned(kubetest.Pod(fmt.Sprintf("team-%d", i/100), name, fmt.Sprintf("%08d-1111-2222-3333-444444444444", i), "n1", fmt.Sprintf("registry.example/app-%d:1.%d", i/10, i%3)),
			"apps/v1", "ReplicaSet", fmt.Sprintf("app-%d-5d9c7b9f6", i/10), fmt.Sprintf("rs-%d", i/10))
		o["metadata"].(kubetest.Object)["labels"] = kubetest.Object{
			"app": fmt.Sprintf("app-%d", i/10), "pod-template-hash": "5d9c7b9f6", "app.kubernetes.io/name": fmt.Sprintf("app-%d", i/10),
			"app.kubernetes.io/part-of": fmt.Sprintf("team-%d", i/100), "app.kubernetes.io/managed-by": "Helm", "version": "v1",
		}
		o["metadata"].(kubetest.Object)["managedFields"] = []any{kubetest.Object{"manager": "kubelet", "fieldsV1": strings.Repeat("f", 3000)}}
		s.Put(podsPath, o)
	}
	before := heap()
	a, l, _ := follower(t, s, "")
	eventually(t, "all pods are known", func() bool { return len(l.take()) == n && a.Stats().Owners >= n/100 })
	eventually(t, "nothing waits", func() bool { l.take(); return !a.Waiting() })
	after := heap()
	per := int64(after-before) / n
	t.Logf("%d pods, %d B each on the heap with owners, namespaces and images, %.1f MB in all", n, per, float64(after-before)/1e6)
	if per > 4096 {
		t.Errorf("a pod costs %d B, more than 4096", per)
	}
	runtime.KeepAlive(l)
}

func TestMailboxKeepsTheLatest(t *testing.T) {
	var m Mailbox
	for i := range 1000 {
		m.put("u", &Pod{Object: Object{Name: fmt.Sprint(i)}})
	}
	m.put("v", nil)
	var got []string
	m.Take(func(uid string, p *Pod) {
		if p == nil {
			got = append(got, uid+" gone")
		} else {
			got = append(got, uid+" "+p.Name)
		}
	})
	slices.Sort(got)
	if !slices.Equal(got, []string{"u 999", "v gone"}) || m.Waiting() {
		t.Errorf("took %v, more waits: %v", got, m.Waiting())
	}
}

func TestParseImage(t *testing.T) {
	for name, want := range map[string]Reference{
		"nginx":                          {"docker.io", "library/nginx", "", ""},
		"nginx:1.25":                     {"docker.io", "library/nginx", "1.25", ""},
		"team/app@sha256:00":             {"docker.io", "team/app", "", "sha256:00"},
		"localhost/app":                  {"localhost", "app", "", ""},
		"reg.example:5000/a/b/c:x@sha:1": {"reg.example:5000", "a/b/c", "x", "sha:1"},
		"reg.example:5000/a":             {"reg.example:5000", "a", "", ""},
		"":                               {"docker.io", "library/", "", ""},
	} {
		if got := ParseImage(name); got != want {
			t.Errorf("%q: %+v, want %+v", name, got, want)
		}
	}
}
