// Package kubetest is an API server of Kubernetes for tests: it serves, over HTTP on loopback, the objects that a test puts
// into it, as listings, single objects and streams of changes, and it can fail in the ways in which real ones do.
package kubetest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Object is an object of the API as JSON has it.
type Object = map[string]any

// Server is an API server.
type Server struct {
	URL string

	http *httptest.Server

	mu        sync.Mutex
	version   int
	objects   map[string]map[string]Object // by collection and namespace/name
	history   []change
	forgotten int // changes up to this version are not known any more
	news      chan struct{}
	cut       chan struct{} // closed to end all watches
	fault     func(http.ResponseWriter, *http.Request) bool
	streaming bool
	token     string
	requests  map[string]int
}

type change struct {
	version    int
	collection string
	kind       string // ADDED, MODIFIED or DELETED
	object     Object
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{version: 1, objects: map[string]map[string]Object{}, news: make(chan struct{}), cut: make(chan struct{}), streaming: true, requests: map[string]int{}}
	s.http = httptest.NewUnstartedServer(s)
	s.http.EnableHTTP2 = true
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0) // requests that are broken off on purpose
	s.http.StartTLS()
	s.URL = s.http.URL
	t.Cleanup(func() {
		s.Disconnect()
		s.http.Close()
	})
	return s
}

// Kubeconfig writes a kubeconfig for the server and returns its path. The token may be "".
func (s *Server) Kubeconfig(t testing.TB, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: test, user: {token: %q}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
`, s.URL, base64.StdEncoding.EncodeToString(ca), token)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Put creates or changes an object of a collection, such as /api/v1/pods.
func (s *Server) Put(collection string, o Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	meta := maps.Clone(o["metadata"].(Object))
	o = maps.Clone(o)
	o["metadata"] = meta
	meta["resourceVersion"] = strconv.Itoa(s.version)
	m := s.objects[collection]
	if m == nil {
		m = map[string]Object{}
		s.objects[collection] = m
	}
	kind := "ADDED"
	if m[key(o)] != nil {
		kind = "MODIFIED"
	}
	m[key(o)] = o
	s.told(change{s.version, collection, kind, o})
}

// Delete removes an object.
func (s *Server) Delete(collection, namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[collection][namespace+"/"+name]
	if o == nil {
		return
	}
	delete(s.objects[collection], namespace+"/"+name)
	s.version++
	o = maps.Clone(o)
	meta := maps.Clone(o["metadata"].(Object))
	meta["resourceVersion"] = strconv.Itoa(s.version)
	o["metadata"] = meta
	s.told(change{s.version, collection, "DELETED", o})
}

func (s *Server) told(c change) {
	s.history = append(s.history, c)
	close(s.news)
	s.news = make(chan struct{})
}

// Forget makes the server forget the changes so far: watches that want to go on from one of them are refused with 410 Gone.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.forgotten, s.history = s.version, nil
}

// Disconnect ends all watches in the middle.
func (s *Server) Disconnect() {
	s.mu.Lock()
	close(s.cut)
	s.cut = make(chan struct{})
	s.mu.Unlock()
}

// Fail makes f answer requests: those for which it returns true. nil ends that.
func (s *Server) Fail(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	s.fault = f
	s.mu.Unlock()
}

// Streaming says whether watches may begin with what there is, as servers from 1.34 on allow.
func (s *Server) Streaming(on bool) {
	s.mu.Lock()
	s.streaming = on
	s.mu.Unlock()
}

// Token makes the server refuse other tokens with 401; "" allows any.
func (s *Server) Token(token string) {
	s.mu.Lock()
	s.token = token
	s.mu.Unlock()
}

// Requests returns how many requests of a kind there were: "list /api/v1/pods", "watch …", "get …".
func (s *Server) Requests(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[what]
}

func key(o Object) string {
	meta := o["metadata"].(Object)
	namespace, _ := meta["namespace"].(string)
	return namespace + "/" + meta["name"].(string)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	fault, token := s.fault, s.token
	s.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	if token != "" && r.Header.Get("Authorization") != "Bearer "+token {
		Refuse(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
		return
	}
	if r.URL.Query().Get("watch") == "true" {
		s.watch(w, r)
		return
	}
	s.get(w, r)
}

// Refuse answers as API servers do when they refuse a request.
func Refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(status(code, reason, message))
}

func status(code int, reason, message string) Object {
	return Object{"kind": "Status", "apiVersion": "v1", "metadata": Object{}, "status": "Failure", "message": message, "reason": reason, "code": code}
}

// get answers a listing, or a single object.
func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	collection, namespace, name := split(r.URL.Path)
	if name != "" {
		s.requests["get "+r.URL.Path]++
		o := s.objects[collection][namespace+"/"+name]
		if o == nil {
			Refuse(w, http.StatusNotFound, "NotFound", name+" not found")
			return
		}
		_ = json.NewEncoder(w).Encode(o)
		return
	}
	s.requests["list "+collection]++
	list := []Object{}
	for _, k := range slices.Sorted(maps.Keys(s.objects[collection])) {
		if o := s.objects[collection][k]; selected(r, o) {
			list = append(list, o)
		}
	}
	meta := Object{"resourceVersion": strconv.Itoa(s.version)}
	start, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	list = list[min(start, len(list)):]
	if limit > 0 && len(list) > limit && r.URL.Query().Get("resourceVersion") != "0" {
		list = list[:limit]
		meta["continue"] = strconv.Itoa(start + limit)
	}
	_ = json.NewEncoder(w).Encode(Object{"kind": "List", "apiVersion": "v1", "metadata": meta, "items": list})
}

// split takes the path of an object apart: /apis/apps/v1/namespaces/NAMESPACE/deployments/NAME.
func split(path string) (collection, namespace, name string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	head := 2 // api/v1
	if parts[0] == "apis" {
		head = 3
	}
	if len(parts) < head {
		return path, "", ""
	}
	prefix, rest := "/"+strings.Join(parts[:head], "/")+"/", parts[head:]
	switch {
	case len(rest) == 4 && rest[0] == "namespaces":
		return prefix + rest[2], rest[1], rest[3]
	case len(rest) == 2:
		return prefix + rest[0], "", rest[1]
	}
	return path, "", ""
}

// selected applies the one field selector that is used.
func selected(r *http.Request, o Object) bool {
	node, ok := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "spec.nodeName=")
	if !ok {
		return true
	}
	spec, _ := o["spec"].(Object)
	return spec["nodeName"] == node
}

// watch streams changes.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	initial := q.Get("sendInitialEvents") == "true"
	s.mu.Lock()
	if initial && !s.streaming {
		s.mu.Unlock()
		Refuse(w, http.StatusUnprocessableEntity, "Invalid", "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")
		return
	}
	s.requests["watch "+r.URL.Path]++
	at, _ := strconv.Atoi(q.Get("resourceVersion"))
	out := json.NewEncoder(w)
	w.Header().Set("Content-Type", "application/json")
	send := func(kind string, o Object) bool {
		if err := out.Encode(Object{"type": kind, "object": o}); err != nil {
			return false
		}
		return true
	}
	if initial {
		for _, o := range s.objects[r.URL.Path] {
			if selected(r, o) {
				send("ADDED", o)
			}
		}
		at = s.version
		send("BOOKMARK", Object{"metadata": Object{
			"resourceVersion": strconv.Itoa(at), "annotations": Object{"k8s.io/initial-events-end": "true"},
		}})
	}
	cut := s.cut
	s.mu.Unlock()
	flush := http.NewResponseController(w).Flush
	for {
		s.mu.Lock()
		if at < s.forgotten && !initial {
			s.mu.Unlock()
			send("ERROR", status(http.StatusGone, "Expired", "too old resource version"))
			return
		}
		var fresh []change
		for _, c := range s.history {
			if c.version > at && c.collection == r.URL.Path && selected(r, c.object) {
				fresh = append(fresh, c)
			}
		}
		at, initial = s.version, false
		news := s.news
		s.mu.Unlock()
		for _, c := range fresh {
			if !send(c.kind, c.object) {
				return
			}
		}
		if flush() != nil {
			return
		}
		select {
		case <-news:
		case <-cut:
			return
		case <-r.Context().Done():
			return
		case <-time.After(time.Minute):
			return
		}
	}
}

// Pod returns a pod of a node with one container.
func Pod(namespace, name, uid, node, image string) Object {
	return Object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": Object{"namespace": namespace, "name": name, "uid": uid, "labels": Object{"app": name}},
		"spec": Object{
			"nodeName": node, "serviceAccountName": "default",
			"containers": []any{Object{"name": "main", "image": image}},
		},
		"status": Object{
			"podIP":             "10.0.0.7",
			"containerStatuses": []any{Object{"name": "main", "imageID": "docker.io/library/x@sha256:" + strings.Repeat("a", 64)}},
		},
	}
}

// Workload returns a deployment or the like, with one container.
func Workload(version, kind, namespace, name, image string) Object {
	return Object{
		"apiVersion": version, "kind": kind,
		"metadata": Object{
			"namespace": namespace, "name": name, "uid": kind + "-" + namespace + "-" + name, "labels": Object{"app": name},
			"managedFields": []any{
				Object{"manager": "kube-controller-manager", "operation": "Update", "time": "2026-01-02T03:04:06Z", "subresource": "status"},
				Object{"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T03:04:05Z", "fieldsV1": Object{"f:spec": Object{}}},
			},
		},
		"spec": Object{"template": Object{"spec": Object{"containers": []any{Object{"name": "main", "image": image}}}}},
	}
}

// Owned returns an object with a controller.
func Owned(o Object, version, kind, name, uid string) Object {
	o = maps.Clone(o)
	meta := maps.Clone(o["metadata"].(Object))
	meta["ownerReferences"] = []any{Object{"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": true}}
	o["metadata"] = meta
	return o
}
