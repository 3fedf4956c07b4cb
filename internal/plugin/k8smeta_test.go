package plugin

import (
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/kube"
	"github.com/saker-sec/saker/internal/state"
)

const podUID = "93f64796-43b9-468d-b77b-c652c985d5e0"

// somePod is a pod with all that can be known.
func somePod() *kube.Pod {
	labels := func(v string) []kube.Label {
		return []kube.Label{{Key: "app.kubernetes.io/name", Value: v}, {Key: "tier", Value: "1"}}
	}
	return &kube.Pod{
		Object: kube.Object{Kind: "Pod", Name: "web-5d-1", UID: podUID, Labels: labels("pod")}, Hash: strings.Repeat("ab", 16), IP: "10.0.0.7", Node: "n1",
		ServiceAccount: "default", Namespace: &kube.Object{Kind: "Namespace", Name: "prod", UID: "ns1", Labels: labels("ns")},
		Owners: []*kube.Object{
			{Kind: "ReplicaSet", Name: "web-5d", UID: "rs1", Labels: labels("set")}, {Kind: "Deployment", Name: "web", UID: "d1", Labels: labels("deployment")},
		},
		Services: []*kube.Object{{Kind: "Service", Name: "front", UID: "s1", Labels: labels("svc")}, {Kind: "Service", Name: "other", UID: "s2"}},
		Images:   []kube.Image{{Container: "main", Image: "nginx:1.25", Digest: "sha256:00"}, {Container: "side", Image: "envoy:1"}},
	}
}

// inGroup returns the context of an event of a process in a control group.
func inGroup(t testing.TB, s *state.State, path string) *state.Ctx {
	t.Helper()
	s.AddProcess(&event.Process{TID: 7, PID: 7, VTID: 7, VPID: 7, Comm: "x", Exe: "x", Cgroups: []string{"cpu=" + path}})
	var c event.Encoder
	c.Begin(event.SyscallGetcwdX, 1000, 7)
	c.Int64(0)
	c.Text("/")
	e := &event.Event{Num: 1}
	if err := e.Decode(c.Bytes()); err != nil {
		t.Fatal(err)
	}
	return s.Apply(e)
}

// show binds a field and renders its value, "-" for none.
func show(t testing.TB, class *field.Class, name, arg string, c *state.Ctx) string {
	t.Helper()
	for i := range class.Fields {
		f := &class.Fields[i]
		if f.Name != name {
			continue
		}
		x, err := f.Bind(arg, true)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case x.Multi != nil:
			values, ok := x.Multi(c, nil)
			var parts []string
			for _, v := range values {
				parts = append(parts, v.Text)
			}
			if !ok {
				return "-"
			}
			return "(" + strings.Join(parts, ",") + ")"
		case x.Text != nil:
			if v, ok := x.Text(c); ok {
				return v
			}
			return "-"
		}
		if v, ok := x.Num(c); ok {
			return map[uint64]string{0: "false", 1: "true"}[v]
		}
		return "-"
	}
	t.Fatalf("no field %s", name)
	return ""
}

var id64 = strings.Repeat("0123456789abcdef", 4)

func TestK8smetaFields(t *testing.T) {
	s := state.New(state.Config{FollowAll: true})
	s.LearnPod(podUID, somePod())
	c := inGroup(t, s, "/kubepods/besteffort/pod"+podUID+"/"+id64)
	class := k8smetaClass()
	for name, want := range map[string]string{
		"k8smeta.pod.name": "web-5d-1", "k8smeta.pod.uid": podUID, "k8smeta.pod.ip": "10.0.0.7",
		"k8smeta.pod.label[app.kubernetes.io/name]": "pod", "k8smeta.pod.label[nothing]": "-", "k8smeta.pod.labels": "(app.kubernetes.io/name:pod,tier:1)",
		"k8smeta.ns.name": "prod", "k8smeta.ns.uid": "ns1", "k8smeta.ns.label[tier]": "1", "k8smeta.ns.labels": "(app.kubernetes.io/name:ns,tier:1)",
		"k8smeta.deployment.name": "web", "k8smeta.deployment.uid": "d1", "k8smeta.deployment.label[tier]": "1",
		"k8smeta.deployment.labels": "(app.kubernetes.io/name:deployment,tier:1)",
		"k8smeta.rs.name":           "web-5d", "k8smeta.rs.uid": "rs1", "k8smeta.rs.label[tier]": "1", "k8smeta.rs.labels": "(app.kubernetes.io/name:set,tier:1)",
		"k8smeta.rc.name": "-", "k8smeta.rc.uid": "-", "k8smeta.rc.label[tier]": "-", "k8smeta.rc.labels": "-",
		"k8smeta.svc.name": "(front,other)", "k8smeta.svc.uid": "(s1,s2)", "k8smeta.svc.label[tier]": "(1)", "k8smeta.svc.label[no]": "-",
		"k8smeta.svc.labels":    "(app.kubernetes.io/name:svc,tier:1)",
		"k8smeta.workload.kind": "Deployment", "k8smeta.workload.name": "web", "k8smeta.workload.uid": "d1", "k8smeta.ds.name": "-",
		"k8smeta.node.name": "n1", "k8smeta.sa.name": "default", "k8smeta.images": "(nginx:1.25,envoy:1)", "k8smeta.image.digests": "(sha256:00)",
	} {
		field, arg, _ := strings.Cut(strings.TrimSuffix(name, "]"), "[")
		if got := show(t, class, field, arg, c); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	s.LearnPod(podUID, nil)
	for i := range class.Fields {
		if got := show(t, class, class.Fields[i].Name, "tier", c); got != "-" {
			t.Errorf("%s is %s after the pod is gone", class.Fields[i].Name, got)
		}
	}
	if s.NumPods() != 0 {
		t.Errorf("%d pods are kept", s.NumPods())
	}
}

// TestK8smetaFindsPods finds the pod by all that can name it.
func TestK8smetaFindsPods(t *testing.T) {
	info := func(p container.Pod) *container.Container { return &container.Container{ID: id64, Pod: p} }
	systemd := strings.ReplaceAll(podUID, "-", "_")
	for name, c := range map[string]struct {
		path  string
		info  *container.Container
		found bool
	}{
		"cgroupfs":                      {"/kubepods/besteffort/pod" + podUID + "/" + id64, nil, true},
		"systemd":                       {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + systemd + ".slice/cri-containerd-" + id64 + ".scope", nil, true},
		"a static pod":                  {"/kubepods/burstable/pod" + strings.Repeat("ab", 16) + "/" + id64, nil, true},
		"another pod":                   {"/kubepods/burstable/pod" + strings.Repeat("cd", 16) + "/" + id64, nil, false},
		"the runtime knows the uid":     {"/docker/" + id64, info(container.Pod{UID: podUID}), true},
		"the runtime knows the name":    {"/docker/" + id64, info(container.Pod{Name: "web-5d-1", Namespace: "prod"}), true},
		"the runtime knows another uid": {"/docker/" + id64, info(container.Pod{UID: "other", Name: "web-5d-1", Namespace: "prod"}), false},
		"a container without a pod":     {"/docker/" + id64, nil, false},
		"the host":                      {"/", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := state.New(state.Config{FollowAll: true})
			s.LearnPod(podUID, somePod())
			ctx := inGroup(t, s, c.path)
			if c.info != nil {
				s.LearnContainer(container.Update{Key: container.Key("", id64), Container: c.info})
			}
			want := "-"
			if c.found {
				want = "web-5d-1"
			}
			if got := show(t, k8smetaClass(), "k8smeta.pod.name", "", ctx); got != want {
				t.Errorf("pod %s, want %s", got, want)
			}
		})
	}
}

// TestK8smetaOfCaptures applies the events that Falco's plugin leaves in captures.
func TestK8smetaOfCaptures(t *testing.T) {
	s := state.New(state.Config{})
	for _, text := range []string{
		`{"reason":"Create","uid":"` + podUID + `","kind":"Pod","meta":"{\"name\":\"web-1\",\"namespace\":\"prod\",\"labels\":{\"a\":\"b\"}}","status":"{\"podIP\":\"10.0.0.1\"}",` +
			`"refs":{"resources":{"Namespace":{"list":["ns1"]},"Deployment":{"list":["d1"]},"Service":{"list":["s1","s2"]}}}}`,
		`{"reason":"Create","uid":"d1","kind":"Deployment","meta":"{\"name\":\"web\",\"namespace\":\"prod\"}"}`,
		`{"reason":"Create","uid":"s2","kind":"Service","meta":"{\"name\":\"front\",\"namespace\":\"prod\"}"}`,
		`rubbish`,
	} {
		var c event.Encoder
		c.Begin(event.AsynceventE, 1000, -1)
		c.Uint32(0)
		c.Text("k8s")
		c.Raw(append([]byte(text), 0))
		e := &event.Event{Num: 1}
		if err := e.Decode(c.Bytes()); err != nil {
			t.Fatal(err)
		}
		s.Apply(e)
	}
	c, class := inGroup(t, s, "/kubepods/besteffort/pod"+podUID+"/"+id64), k8smetaClass()
	for name, want := range map[string]string{
		"k8smeta.pod.name": "web-1", "k8smeta.pod.ip": "10.0.0.1", "k8smeta.pod.labels": "(a:b)", "k8smeta.ns.name": "prod", "k8smeta.ns.uid": "ns1",
		"k8smeta.deployment.name": "web", "k8smeta.svc.name": "(front)", "k8smeta.svc.uid": "(s1,s2)", "k8smeta.rs.name": "-",
	} {
		if got := show(t, class, name, "", c); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if n := s.Stats().Undecodable; n != 1 {
		t.Errorf("%d events are undecodable, want 1", n)
	}
}

// TestClusterExtractorsAllocateNothing runs every extractor of the two plugins; what they own has grown after the first run.
func TestClusterExtractorsAllocateNothing(t *testing.T) {
	s := state.New(state.Config{FollowAll: true})
	s.LearnPod(podUID, somePod())
	ctx := inGroup(t, s, "/kubepods/besteffort/pod"+podUID+"/"+id64)
	for class, c := range map[*field.Class]*state.Ctx{k8smetaClass(): ctx, k8sChangeClass(): changed(t, payload)} {
		for i := range class.Fields {
			f := &class.Fields[i]
			x, err := f.Bind("tier", true)
			if err != nil {
				t.Fatal(err)
			}
			dst := make([]field.Value, 0, 16)
			extract := func() {
				switch {
				case x.Multi != nil:
					dst, _ = x.Multi(c, dst[:0])
				case x.Text != nil:
					_, _ = x.Text(c)
				default:
					_, _ = x.Num(c)
				}
			}
			extract()
			if n := testing.AllocsPerRun(20, extract); n != 0 {
				t.Errorf("%s allocates %v times", f.Name, n)
			}
		}
	}
}
