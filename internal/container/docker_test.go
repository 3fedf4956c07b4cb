package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const testID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// fakeDocker is a daemon whose answers are written down.
type fakeDocker struct {
	mu         sync.Mutex
	containers map[string]string // JSON by id
	events     chan string
	handle     func(w http.ResponseWriter, r *http.Request) bool // looks first; true when it answered
}

func (f *fakeDocker) set(id, inspection string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if inspection == "" {
		delete(f.containers, id)
		return
	}
	f.containers[id] = inspection
}

func (f *fakeDocker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.handle != nil && f.handle(w, r) {
		return
	}
	f.mu.Lock()
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/containers/"), "/json")
	text, ok := f.containers[id]
	var ids []map[string]string
	for id := range f.containers {
		ids = append(ids, map[string]string{"Id": id})
	}
	f.mu.Unlock()
	switch {
	case r.URL.Path == "/version":
		fmt.Fprint(w, `{"ApiVersion":"1.43"}`)
	case r.URL.Path == "/containers/json":
		json.NewEncoder(w).Encode(ids)
	case r.URL.Path == "/events":
		w.(http.Flusher).Flush()
		for {
			select {
			case <-r.Context().Done():
				return
			case e, ok := <-f.events:
				if !ok {
					return
				}
				fmt.Fprintln(w, e)
				w.(http.Flusher).Flush()
			}
		}
	case strings.HasPrefix(r.URL.Path, "/images/"):
		fmt.Fprint(w, `{"RepoTags":["team/box:1"],"RepoDigests":["team/box@sha256:feed"]}`)
	case ok:
		fmt.Fprint(w, text)
	default:
		http.Error(w, `{"message":"No such container"}`, http.StatusNotFound)
	}
}

// serve listens at a socket until the test ends, or until the function that it returns is called.
func serve(t *testing.T, socket string, h http.Handler) (stop func()) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &http.Server{Handler: h, BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			s.Close()
			<-done
		})
	}
	t.Cleanup(stop)
	return stop
}

// recorded is what docker 20.10 answered about a container, shortened.
const recorded = `{"Id":"` + testID + `","Created":"2024-01-02T03:04:05.6Z","Name":"/web","Image":"sha256:c0ffee","Path":"/bin/sh",
"HostConfig":{"Privileged":true,"NetworkMode":"default","PidMode":"host","IpcMode":"private"},
"Mounts":[{"Type":"bind","Source":"/srv/data","Destination":"/data","Mode":"ro","RW":false,"Propagation":"rprivate"},
{"Type":"volume","Name":"v","Source":"/var/lib/docker/volumes/v/_data","Destination":"/v","Mode":"z","RW":true,"Propagation":""}],
"Config":{"Image":"team/box","Labels":{"team":"blue","long":"%s","io.kubernetes.pod.name":"web-1","io.kubernetes.pod.namespace":"shop",
"io.kubernetes.pod.uid":"u-1","io.kubernetes.sandbox.id":"5a"}},
"NetworkSettings":{"IPAddress":"","Networks":{"z":{"IPAddress":"10.0.0.9"},"a":{"IPAddress":"10.0.0.2"}}}}`

func TestDockerDescribes(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	serve(t, socket, &fakeDocker{containers: map[string]string{testID: fmt.Sprintf(recorded, strings.Repeat("x", 100_000))}})
	d := newDocker("docker", socket, &Config{LabelLimit: 100}, func(err error) { t.Error(err) })
	defer d.close()
	c, err := d.lookup(t.Context(), Wanted{Key: testID[:12], ID: testID})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ what, got, want string }{
		{"id", c.ID, testID},
		{"type", c.Type, "docker"},
		{"name", c.Name, "web"},
		{"image", c.Image, "team/box"},
		{"image id", c.ImageID, "c0ffee"},
		{"repository", c.Repository, "team/box"},
		{"tag", c.Tag, "latest"},
		{"digest", c.Digest, "sha256:feed"},
		{"ip", c.IP, "10.0.0.2"},
		{"pod", fmt.Sprintf("%s/%s %s %s", c.Pod.Namespace, c.Pod.Name, c.Pod.UID, c.Pod.SandboxID), "shop/web-1 u-1 5a"},
		{"mounts", fmt.Sprint(c.Mounts), "[{/srv/data /data ro false rprivate} {/var/lib/docker/volumes/v/_data /v z true }]"},
		{"truths", fmt.Sprint(c.Privileged, c.HostPID, c.HostNetwork, c.HostIPC), fmt.Sprint(True, True, False, False)},
	} {
		if x.got != x.want {
			t.Errorf("%s is %q, want %q", x.what, x.got, x.want)
		}
	}
	if v, ok := c.Label("team"); v != "blue" || !ok {
		t.Errorf("label team is %q %v", v, ok)
	}
	if _, ok := c.Label("long"); ok {
		t.Error("a label of 100 kB was kept")
	}
}

// TestDockerBadAnswers sees that nothing a runtime says does harm: an error says what was wrong, and the time and the memory
// are bounded.
func TestDockerBadAnswers(t *testing.T) {
	cases := []struct {
		name, want string
		handle     func(w http.ResponseWriter, r *http.Request) bool
	}{
		{"rubbish", "is not what was asked for", func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, "\x00{]"); return true }},
		{"another type", "is not what was asked for", func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, `{"Id":7}`); return true }},
		{"10 MB", "longer than 8388608 bytes", func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprintf(w, `{"Id":"%s"}`, strings.Repeat("a", 10<<20))
			return true
		}},
		{"another container", `answers about "ffff`, func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprintf(w, `{"Id":"%s"}`, strings.Repeat("f", 64))
			return true
		}},
		{"no id", `answers about ""`, func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, `{}`); return true }},
		{"an error", "500 Internal Server Error", func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "no", http.StatusInternalServerError)
			return true
		}},
		{"elsewhere", "302 Found", func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
			return true
		}},
		{"hangs", "deadline exceeded", func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "d.sock")
			serve(t, socket, &fakeDocker{handle: c.handle})
			d := newDocker("docker", socket, &Config{LabelLimit: 100}, func(error) {})
			defer d.close()
			limit := time.Minute
			if c.name == "hangs" {
				limit = 200 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := d.lookup(ctx, Wanted{Key: testID[:12], ID: testID})
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, errNone) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestReference(t *testing.T) {
	for name, want := range map[string]string{
		"box":                             "box||",
		"box:1":                           "box|1|",
		"host:5000/a/box":                 "host:5000/a/box||",
		"host:5000/a/box:1.2@sha256:feed": "host:5000/a/box|1.2|sha256:feed",
		"box@sha256:feed":                 "box||sha256:feed",
		"":                                "||",
	} {
		r, tag, d := reference(name)
		if got := r + "|" + tag + "|" + d; got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		name          string
		tags, digests []string
		want          string
	}{
		{"sha256:" + testID, []string{"a/b:2"}, []string{"x@sha256:1", "a/b@sha256:2"}, "a/b|2|sha256:2"},
		{"a/b:2", nil, []string{"x@sha256:1", "a/b@sha256:2"}, "a/b|2|sha256:2"},
		{"a/b@sha256:9", nil, []string{"a/b@sha256:2"}, "a/b||sha256:9"},
		{testID, nil, nil, "||"},
		{"sha256:" + testID, []string{"<none>:<none>"}, []string{"<none>@<none>"}, "||"},
	} {
		var k Container
		k.setImage(c.name, c.tags, c.digests)
		if got := k.Repository + "|" + k.Tag + "|" + k.Digest; got != c.want {
			t.Errorf("image %s with %v, %v: %s, want %s", c.name, c.tags, c.digests, got, c.want)
		}
	}
}

// FuzzDocker sees that no answer about a container makes the description panic or grow beyond its bounds.
func FuzzDocker(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(recorded, "x")))
	f.Add([]byte(`{"Id":"a","Mounts":[{}],"NetworkSettings":{"Networks":null}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var in inspection
		if json.Unmarshal(raw, &in) != nil {
			return
		}
		d := &docker{kind: "docker", cfg: &Config{LabelLimit: 100}}
		c := d.describe(&in, []string{string(raw)}, []string{string(raw)})
		if len(c.Name) > maxText || len(c.Image) > maxText || len(c.Labels) > maxLabels || len(c.Mounts) > maxMounts {
			t.Errorf("the description is not bounded: %d %d %d %d", len(c.Name), len(c.Image), len(c.Labels), len(c.Mounts))
		}
	})
}

// FuzzJSON does the same for the descriptions that captures carry.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"container":{"id":"3ad7b26ded6d","type":0,"name":"x","image":"busybox","Mounts":[{"Source":"/a","RW":true}],"labels":{"a":"b"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseJSON(raw)
		if err == nil && (c.ID == "" || len(c.ID) > maxText || len(c.Labels) > maxLabels) {
			t.Errorf("the description is not bounded: %+v", c)
		}
	})
}
