// Package kubernetesevents makes an Event of Kubernetes of each alert, on the pod, node or namespace that the alert is about:
// what "kubectl describe" and "kubectl get events" show.
//
// The event is named by the alert's uuid: an alert that comes again is there already, which is success. Its note has 1024
// bytes, as the API server wants; a longer output is cut, which "[...]" at its end shows. The server forgets events after an
// hour, unless it is configured otherwise: this is no archive.
//
// The service account needs the right to create events of events.k8s.io in all namespaces. With the right to get pods, events
// carry the uid of a pod whose alert has none (k8s.pod.uid), without which "kubectl describe pod" does not show them.
package kubernetesevents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"unicode"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/kubeapi"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration. All keys are ours.
type Config struct {
	Enabled bool // enabled: the destination is off without
	API     kubeapi.Config
}

// Settings binds the keys.
func (c *Config) Settings() setting.List {
	return append(c.API.Settings(), setting.Switch(&c.Enabled, "make an Event of each alert"))
}

// Sink makes events.
type Sink struct {
	api      *kubeapi.Client
	instance string // who we are, in events
}

// New returns a sink. It fails when no API server is configured.
func New(cfg Config) (*Sink, error) {
	if !cfg.Enabled {
		return nil, errors.New("kubernetesevents: it is not enabled")
	}
	api, err := kubeapi.Open("kubernetesevents", cfg.API)
	if err != nil {
		return nil, err
	}
	instance, err := os.Hostname()
	if err != nil || instance == "" {
		instance = "saker"
	}
	return &Sink{api, message.CutBytes(instance, 128)}, nil
}

// event is one of events.k8s.io/v1.
type event struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Time       string   `json:"eventTime"` // with microseconds
	Controller string   `json:"reportingController"`
	Instance   string   `json:"reportingInstance"`
	Action     string   `json:"action"`
	Reason     string   `json:"reason"`
	Regarding  object   `json:"regarding"`
	Note       string   `json:"note"`
	Type       string   `json:"type"`
}

type metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// object is what an event is about.
type object struct {
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	UID        string `json:"uid,omitempty"`
	APIVersion string `json:"apiVersion"`
}

// Bounds of an event (Kubernetes, validation of events.k8s.io/v1).
const (
	limitNote   = 1024
	limitReason = 128
	limitLabel  = 4096 // of an annotation; ours
)

// Send makes the event. When the namespace is gone, the event is about that namespace, and stands where events about the
// cluster do.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	about := concerned(a)
	if about.Kind == "Pod" && about.UID == "" {
		var err error
		if about.UID, err = s.uid(ctx, about); err != nil {
			return err
		}
	}
	err := s.create(ctx, a, about)
	if about.Namespace != "" && kubeapi.NoNamespace(err) {
		err = s.create(ctx, a, object{Kind: "Namespace", Name: about.Namespace, APIVersion: "v1"})
	}
	if kubeapi.Code(err) == http.StatusNotFound || kubeapi.NoNamespace(err) {
		return httpsink.Passing(err) // it says nothing of the alert that where all events stand is not there
	}
	return err
}

// create makes an event, unless it is there.
func (s *Sink) create(ctx context.Context, a *alert.Alert, about object) error {
	e := s.event(a, about)
	body, err := httpsink.Encode(e)
	if err != nil {
		return s.api.Refuse(err.Error())
	}
	_, err = s.api.Do(ctx, http.MethodPost, "/apis/events.k8s.io/v1/namespaces/"+e.Metadata.Namespace+"/events", body)
	if kubeapi.Code(err) == http.StatusConflict {
		return nil
	}
	if err != nil {
		return fmt.Errorf("making an event in namespace %s: %w", e.Metadata.Namespace, err)
	}
	return nil
}

// uid looks up a pod's. That it is gone, or that we may not, is no reason not to make the event.
func (s *Sink) uid(ctx context.Context, pod object) (string, error) {
	text, err := s.api.Do(ctx, http.MethodGet, "/api/v1/namespaces/"+pod.Namespace+"/pods/"+pod.Name, nil)
	switch code := kubeapi.Code(err); {
	case code == http.StatusNotFound, code == http.StatusForbidden:
		return "", nil
	case err != nil:
		return "", fmt.Errorf("looking up pod %s of namespace %s: %w", pod.Name, pod.Namespace, err)
	}
	var said struct{ Metadata struct{ UID string } }
	if err := json.Unmarshal(text, &said); err != nil {
		return "", s.api.Fail("the answer to a look-up of a pod is no object")
	}
	return said.Metadata.UID, nil
}

// concerned returns what an alert is about: its pod, the pod of an audit event, its namespace, its node, or the cluster's
// default namespace.
func concerned(a *alert.Alert) object {
	ns := message.Field(a, "k8s.ns.name")
	if pod := message.Field(a, "k8s.pod.name"); name(ns, 63) && name(pod, 253) {
		return object{Kind: "Pod", Namespace: ns, Name: pod, UID: known(message.Field(a, "k8s.pod.uid")), APIVersion: "v1"}
	}
	if target := message.Field(a, "ka.target.namespace"); name(target, 63) {
		if pod := message.Field(a, "ka.target.name"); message.Field(a, "ka.target.resource") == "pods" && name(pod, 253) {
			return object{Kind: "Pod", Namespace: target, Name: pod, APIVersion: "v1"}
		}
		if !name(ns, 63) {
			ns = target
		}
	}
	switch {
	case name(ns, 63):
		return object{Kind: "Namespace", Name: ns, APIVersion: "v1"}
	case a.Source == "syscall" && name(a.Hostname, 253):
		return object{Kind: "Node", Name: a.Hostname, UID: a.Hostname, APIVersion: "v1"} // kubelet's events have the name as uid, too
	}
	return object{Kind: "Namespace", Name: "default", APIVersion: "v1"}
}

// known returns a value, if it is one.
func known(s string) string {
	if s == "<NA>" || len(s) > 128 {
		return ""
	}
	return s
}

// name says whether a text is a name of Kubernetes. It comes from outside and becomes a part of a URL.
func name(s string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" && !strings.HasPrefix(s, ".") && !strings.Contains(s, "..")
}

// event returns the event for an alert. One about an object without namespace stands in "default", as the server wants.
func (s *Sink) event(a *alert.Alert, about object) event {
	e := event{
		APIVersion: "events.k8s.io/v1", Kind: "Event", Time: a.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		Metadata: metadata{
			Name: "saker-" + id(a), Namespace: about.Namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "saker"},
			Annotations: map[string]string{"falco.org/rule": message.CutBytes(a.Rule, limitLabel), "falco.org/priority": a.Priority.String(), "falco.org/source": message.CutBytes(a.Source, limitLabel)},
		},
		Controller: "saker", Instance: s.instance, Action: "Alert", Reason: reason(a.Rule), Regarding: about,
		Note: message.CutBytes(strings.ToValidUTF8(a.OutputText(), "\uFFFD"), limitNote), Type: "Normal",
	}
	if about.Namespace == "" {
		e.Metadata.Namespace = "default"
	}
	if len(a.Tags) > 0 {
		e.Metadata.Annotations["falco.org/tags"] = message.CutBytes(strings.Join(a.Tags, ","), limitLabel)
	}
	if a.Hostname != "" {
		e.Metadata.Annotations["falco.org/hostname"] = message.CutBytes(a.Hostname, limitLabel)
	}
	if a.Priority <= alert.Warning {
		e.Type = "Warning"
	}
	return e
}

// id returns the part of an event's name that tells alerts apart. The same alert has the same.
func id(a *alert.Alert) string {
	if id := strings.ToLower(a.UUID); name(id, 200) && strings.Trim(id, "-.") == id {
		return id
	}
	sum := sha256.Sum256(append(a.AppendSidekick(nil), a.UUID...))
	return hex.EncodeToString(sum[:16])
}

// reason returns a rule's name as one word: "Read sensitive file untrusted" is ReadSensitiveFileUntrusted.
func reason(rule string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(rule, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		for i, r := range word {
			if i == 0 {
				r = unicode.ToUpper(r)
			}
			b.WriteRune(r)
		}
	}
	text := b.String()
	for len(text) > limitReason { // a word cannot have a mark
		text = strings.ToValidUTF8(text[:limitReason], "")
	}
	if text == "" {
		return "Alert"
	}
	return text
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.api.Close()
	return nil
}
