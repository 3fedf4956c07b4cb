package sinktest

import (
	"encoding/json"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// KubernetesToken is the token that a server of Kubernetes with TLS wants.
const KubernetesToken = "s3cretServiceAccountToken"

// Kubernetes is an API server that keeps objects as a real one does as far as writers can see: it refuses an update of what
// has changed since it was read, an object that is there, a namespace that is not, and what its validation does not take.
type Kubernetes struct {
	// Refuse says whether an object that is written is invalid; nil takes all.
	Refuse func(body []byte) bool
	// Namespaces are those that there are; with false, they are about to go.
	Namespaces map[string]bool
	// Resources are the names of the resources that there are, with their groups.
	Resources []string
	// Read is called after an object was read and before it is answered, without a lock; nil is nothing.
	Read func(path string)

	mu        sync.Mutex
	objects   map[string]map[string]any // by path
	version   int
	conflicts int
}

// NewKubernetes returns a server with the namespaces default, falco, kube-system and shop, and one that is about to go.
func NewKubernetes(resources ...string) *Kubernetes {
	return &Kubernetes{
		Namespaces: map[string]bool{"default": true, "falco": true, "kube-system": true, "shop": true, "going": false}, Resources: resources,
		objects: map[string]map[string]any{}, version: 100,
	}
}

// Start serves. It returns the path of a kubeconfig whose namespace is falco.
func (k *Kubernetes) Start(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		k.Serve(w, r, body)
	}))
	t.Cleanup(s.Close)
	return Kubeconfig(t, s.URL)
}

// Kubeconfig writes a kubeconfig for a server, with the token, and returns its path. No pod's service account goes before it.
func Kubeconfig(t *testing.T, url string) string {
	t.Helper()
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u","namespace":"falco"}}],`+
		`"clusters":[{"name":"c","cluster":{"server":%q}}],"users":[{"name":"u","user":{"token":%q}}]}`, url, KubernetesToken)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Put puts an object.
func (k *Kubernetes) Put(path, object string) {
	var o map[string]any
	if err := json.Unmarshal([]byte(object), &o); err != nil {
		panic(err) // a test's own object
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.store(path, o)
}

// Delete deletes an object.
func (k *Kubernetes) Delete(path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.objects, path)
}

// Object decodes an object into v; it says whether it is there.
func (k *Kubernetes) Object(path string, v any) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	o, ok := k.objects[path]
	if !ok {
		return false
	}
	text, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	return err == nil
}

// Paths returns the paths of all objects.
func (k *Kubernetes) Paths() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for p := range k.objects {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// Conflicts returns how many updates were refused because of others.
func (k *Kubernetes) Conflicts() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conflicts
}

func (k *Kubernetes) store(path string, o map[string]any) {
	k.version++
	meta, _ := o["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
		o["metadata"] = meta
	}
	meta["resourceVersion"] = strconv.Itoa(k.version)
	if meta["uid"] == nil {
		meta["uid"] = "uid-" + strconv.Itoa(k.version)
	}
	k.objects[path] = o
}

// Serve answers a request.
func (k *Kubernetes) Serve(w nethttp.ResponseWriter, r *nethttp.Request, body []byte) {
	status, answer := k.serve(r, body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client may have gone
}

// failure is a Status (k8s.io/apimachinery, metav1.Status).
func failure(code int, reason, message, kind string, causes ...string) (int, any) {
	var list []map[string]string
	for _, c := range causes {
		list = append(list, map[string]string{"reason": c})
	}
	return code, map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure", "code": code, "reason": reason, "message": message,
		"details": map[string]any{"kind": kind, "causes": list},
	}
}

var apiPath = regexp.MustCompile(`^/(?:api/v1|apis/([^/]+/[^/]+))(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?$`)

func (k *Kubernetes) serve(r *nethttp.Request, body []byte) (int, any) {
	if r.TLS != nil && r.Header.Get("Authorization") != "Bearer "+KubernetesToken { // clients send none without TLS
		return failure(401, "Unauthorized", "Unauthorized", "")
	}
	if len(body) > 0 && k.Refuse != nil && k.Refuse(body) {
		return failure(422, "Invalid", "the object is invalid", "")
	}
	at := apiPath.FindStringSubmatch(r.URL.EscapedPath())
	if at == nil || !slices.Contains(k.Resources, strings.TrimPrefix(at[1]+"/"+at[3], "/")) {
		return failure(404, "NotFound", "the server could not find the requested resource", "")
	}
	group, namespace, resource := at[1], at[2], at[3]
	if r.Method == nethttp.MethodGet {
		status, answer := k.get(r.URL.Path, resource)
		if k.Read != nil {
			k.Read(r.URL.Path)
		}
		return status, answer
	}
	if len(body) > 3<<19 {
		return failure(413, "RequestEntityTooLarge", "etcdserver: request is too large", "")
	}
	var o map[string]any
	if err := json.Unmarshal(body, &o); err != nil {
		return failure(400, "BadRequest", err.Error(), "")
	}
	meta, _ := o["metadata"].(map[string]any)
	if o["apiVersion"] != group || meta["namespace"] != nil && meta["namespace"] != namespace {
		return failure(400, "BadRequest", fmt.Sprintf("the object of %v in %v does not match the request", o["apiVersion"], meta["namespace"]), "")
	}
	if wrong := valid(group, namespace, o); wrong != "" {
		return failure(422, "Invalid", wrong, "")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if r.Method == nethttp.MethodPost {
		return k.create(r.URL.Path, namespace, resource, o, meta)
	}
	there, ok := k.objects[r.URL.Path]
	if !ok {
		return failure(404, "NotFound", fmt.Sprintf("%s %q not found", resource, at[4]), resource)
	}
	switch version := meta["resourceVersion"]; version {
	case nil:
		return failure(422, "Invalid", "metadata.resourceVersion: Invalid value: must be specified for an update", resource)
	case there["metadata"].(map[string]any)["resourceVersion"]:
	default:
		k.conflicts++
		return failure(409, "Conflict", "the object has been modified; please apply your changes to the latest version and try again", resource)
	}
	k.store(r.URL.Path, o)
	return 200, o
}

func (k *Kubernetes) get(path, resource string) (int, any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o, ok := k.objects[path]
	if !ok {
		return failure(404, "NotFound", fmt.Sprintf("%s not found", resource), resource)
	}
	text, err := json.Marshal(o) // it may change before it is answered
	if err != nil {
		return failure(500, "InternalError", err.Error(), "")
	}
	return 200, json.RawMessage(text)
}

func (k *Kubernetes) create(path, namespace, resource string, o, meta map[string]any) (int, any) {
	name, _ := meta["name"].(string)
	path += "/" + name
	alive, known := k.Namespaces[namespace]
	switch {
	case namespace != "" && !known:
		return failure(404, "NotFound", fmt.Sprintf("namespaces %q not found", namespace), "namespaces")
	case namespace != "" && !alive:
		return failure(403, "Forbidden", "unable to create new content in namespace "+namespace+" because it is being terminated", resource, "NamespaceTerminating")
	case !regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`).MatchString(name) || len(name) > 253:
		return failure(422, "Invalid", "metadata.name", resource)
	case k.objects[path] != nil:
		return failure(409, "AlreadyExists", fmt.Sprintf("%s %q already exists", resource, name), resource)
	}
	k.store(path, o)
	return 201, o
}

// valid says what the server does not take of an object: of an event as pkg/apis/core/validation/events.go of Kubernetes says
// it, of a report as its custom resource definition does.
func valid(group, namespace string, o map[string]any) string {
	text := func(key string, least, most int) string {
		if s, _ := o[key].(string); len(s) < least || len(s) > most {
			return fmt.Sprintf("%s has %d bytes, must have %d to %d", key, len(s), least, most)
		}
		return ""
	}
	if group == "events.k8s.io/v1" {
		about, _ := o["regarding"].(map[string]any)
		want := "default"
		if ns, _ := about["namespace"].(string); ns != "" {
			want = ns
		}
		if want != namespace {
			return "regarding.namespace: does not match event.namespace"
		}
		if s, _ := o["eventTime"].(string); !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`).MatchString(s) {
			return "eventTime: " + s
		} else if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
			return err.Error()
		}
		if o["type"] != "Normal" && o["type"] != "Warning" {
			return "type"
		}
		return text("reportingController", 1, 253) + text("reportingInstance", 1, 128) + text("action", 1, 128) + text("reason", 1, 128) + text("note", 0, 1024)
	}
	list, _ := o["results"].([]any)
	for _, one := range list {
		r, _ := one.(map[string]any)
		at, _ := r["timestamp"].(map[string]any)
		_, seconds := at["seconds"].(float64)
		_, nanos := at["nanos"].(float64)
		if policy, _ := r["policy"].(string); policy == "" || !seconds || !nanos {
			return "results: policy and timestamp are required"
		}
		if !slices.Contains([]any{"pass", "fail", "warn", "error", "skip"}, r["result"]) || !slices.Contains([]any{"critical", "high", "low", "medium", "info"}, r["severity"]) {
			return "results: unsupported value"
		}
		properties, _ := r["properties"].(map[string]any)
		for name, v := range properties {
			if _, ok := v.(string); !ok {
				return "results.properties." + name
			}
		}
	}
	return ""
}
