package app

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/kube/kubetest"
	"github.com/saker-sec/saker/rules"
)

// clusterConfigFile writes a falco.yaml that watches a cluster and nothing else, with the default rules for changes and more.
func clusterConfigFile(t *testing.T, s *kubetest.Server, more string) string {
	t.Helper()
	dir := t.TempDir()
	name, text := rules.K8sChange()
	own := filepath.Join(dir, "own.yaml")
	for path, text := range map[string][]byte{filepath.Join(dir, name): text, own: []byte(more)} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "falco.yaml")
	text = fmt.Appendf(nil, `
rules_files: [%s, %s]
engine: {kind: nodriver}
json_output: true
append_output: []
stdout_output: {enabled: true}
load_plugins: [k8s_change, json]
plugins:
- {name: json, library_path: libjson.so}
- name: k8s_change
  library_path: ""
  init_config: {kubeconfig: %s}
`, filepath.Join(dir, name), own, s.Kubeconfig(t, "token"))
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func binding(kind, name, role string, subjects ...any) kubetest.Object {
	return kubetest.Object{
		"kind": kind, "metadata": kubetest.Object{"name": name, "namespace": "prod", "uid": kind + name},
		"roleRef": kubetest.Object{"kind": "ClusterRole", "name": role}, "subjects": subjects,
	}
}

// withPod returns a workload whose pod's specification has more members; those of "container" go into its container.
func withPod(kind, namespace, name, image string, more kubetest.Object) kubetest.Object {
	o := kubetest.Workload("apps/v1", kind, namespace, name, image)
	spec := o["spec"].(kubetest.Object)["template"].(kubetest.Object)["spec"].(kubetest.Object)
	if inside, ok := more["container"].(kubetest.Object); ok {
		maps.Copy(spec["containers"].([]any)[0].(kubetest.Object), inside)
	}
	maps.Copy(spec, more)
	delete(spec, "container")
	return o
}

// replicated returns a pod of a replica set, with containers that were added to it while it ran.
func replicated(ephemeral []any) kubetest.Object {
	o := kubetest.Owned(kubetest.Pod("prod", "web-1", "u1", "n1", "nginx:1.25"), "apps/v1", "ReplicaSet", "web", "rs1")
	if ephemeral != nil {
		o["spec"].(kubetest.Object)["ephemeralContainers"] = ephemeral
	}
	return o
}

const (
	deployments = "/apis/apps/v1/deployments"
	daemonSets  = "/apis/apps/v1/daemonsets"
	bindings    = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
)

// TestClusterChanges provokes every default rule about changes of a cluster, with a near miss beside each that stays silent,
// through the whole program. The marker, a change that a rule of its own matches, comes after each pair.
func TestClusterChanges(t *testing.T) {
	hostPath := func(path string) kubetest.Object {
		return kubetest.Object{"volumes": []any{kubetest.Object{"name": "v", "hostPath": kubetest.Object{"path": path}}}}
	}
	privileged := kubetest.Object{"container": kubetest.Object{"securityContext": kubetest.Object{"privileged": true}}}
	user := func(kind, name string) kubetest.Object { return kubetest.Object{"kind": kind, "name": name} }
	cases := []struct {
		rule               string
		before             []kubetest.Object // in place before Saker begins
		collection         string
		nearMiss, provokes kubetest.Object
		output             string
	}{
		{
			"DaemonSet created", nil, daemonSets, withPod("DaemonSet", "kube-system", "cni", "cni:1", nil), withPod("DaemonSet", "prod", "agent", "agent:1", nil),
			"DaemonSet created | name=agent ns=prod images=(agent:1) user=kubectl-edit",
		},
		{
			"Workload runs an image that is not pinned", nil, deployments, withPod("Deployment", "prod", "pinned", "a@sha256:00", nil), withPod("Deployment", "prod", "floats", "a:latest", nil),
			"kind=Deployment name=floats ns=prod images=(a:latest) user=kubectl-edit",
		},
		{
			"Workload changed to another registry",
			[]kubetest.Object{withPod("Deployment", "prod", "web", "reg.example/a:1", nil), withPod("Deployment", "prod", "api", "reg.example/a:1", nil)},
			deployments, withPod("Deployment", "prod", "api", "reg.example/b:2", nil), withPod("Deployment", "prod", "web", "evil.example/a:1", nil),
			"name=web ns=prod container=main old=reg.example/a:1 new=evil.example/a:1 user=kubectl-edit",
		},
		{
			"Privileged workload",
			[]kubetest.Object{withPod("Deployment", "prod", "already", "a:1", privileged)},
			deployments,
			withPod("Deployment", "prod", "already", "a:2", privileged), withPod("Deployment", "prod", "root", "a:1", privileged),
			"kind=Deployment name=root ns=prod images=(a:1) user=kubectl-edit",
		},
		{
			"Workload mounts a sensitive path of the host", nil, deployments, withPod("Deployment", "prod", "data", "a:1", hostPath("/data")), withPod("Deployment", "prod", "sock", "a:1", hostPath("/var/run/docker.sock")),
			"name=sock ns=prod paths=(/var/run/docker.sock) images=(a:1)",
		},
		{
			"Workload in the host's process namespace", nil, deployments, withPod("Deployment", "prod", "net", "a:1", kubetest.Object{"hostNetwork": true}), withPod("Deployment", "prod", "pid", "a:1", kubetest.Object{"hostPID": true}),
			"name=pid ns=prod pid=true ipc=false",
		},
		{
			"Pod changed in place",
			[]kubetest.Object{replicated(nil)},
			"/api/v1/pods",
			kubetest.Pod("prod", "second", "u2", "n1", "nginx:1.25"), replicated([]any{kubetest.Object{"name": "debug", "image": "tools:1"}}),
			"name=web-1 ns=prod added=(tools:1) images=(nginx:1.25)",
		},
		{
			"Bound to cluster-admin", nil, bindings, binding("ClusterRoleBinding", "viewers", "view", user("User", "ada")), binding("ClusterRoleBinding", "admins", "cluster-admin", user("User", "ada")),
			"name=admins ns=prod subjects=(User:ada)",
		},
		{
			"Rights given to anonymous requests", nil, bindings, binding("ClusterRoleBinding", "known", "view", user("Group", "system:authenticated")), binding("ClusterRoleBinding", "open", "view", user("User", "system:anonymous")),
			"name=open ns=prod role=view",
		},
		{
			"Admission webhook changed", nil, "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations", nil,
			kubetest.Object{"metadata": kubetest.Object{"name": "hook", "uid": "h1"}, "webhooks": []any{kubetest.Object{"name": "x"}}},
			"verb=create kind=MutatingWebhookConfiguration name=hook",
		},
	}
	marker := `
- rule: marker
  desc: Says that what came before was looked at.
  condition: k8schange.kind = Namespace
  output: marker %k8schange.name %k8schange.label[a.b/c] %evt.source %evt.pluginname %json.value[/verb]
  priority: INFO
  source: k8s_change
`
	name, text := rules.K8sChange()
	for line := range strings.Lines(string(text)) {
		if rule, ok := strings.CutPrefix(line, "- rule: "); ok {
			rule = strings.TrimSpace(rule)
			found := false
			for _, c := range cases {
				found = found || c.rule == rule
			}
			if !found {
				t.Errorf("%s: rule %q is not provoked", name, rule)
			}
		}
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			s := kubetest.New(t)
			s.Token("token")
			for _, o := range c.before {
				s.Put(c.collection, o)
			}
			run := start(t, "-c", clusterConfigFile(t, s, marker))
			run.err.wait(t, "watching no driver and the cluster", 1)
			settled(t, s)
			if c.nearMiss != nil {
				s.Put(c.collection, c.nearMiss)
			}
			s.Put(c.collection, c.provokes)
			run.out.wait(t, `"rule":"`+c.rule+`"`, 1)
			s.Put("/api/v1/namespaces", kubetest.Object{"metadata": kubetest.Object{"name": "mark", "uid": "m", "labels": kubetest.Object{"a.b/c": "d"}}})
			run.out.wait(t, "marker mark d k8s_change k8s_change create", 1)
			if code := run.end(); code != 0 {
				t.Errorf("exit code %d: %s", code, run.err)
			}
			out := run.out.String()
			if !strings.Contains(out, c.output) {
				t.Errorf("no %q in:\n%s", c.output, out)
			}
			if n := strings.Count(out, `"rule":"`+c.rule+`"`); n != 1 {
				t.Errorf("%d alerts, want 1:\n%s", n, out)
			}
			if n := strings.Count(out, `"source":"k8s_change"`); n != strings.Count(out, `"rule":`) {
				t.Errorf("alerts of another source:\n%s", out)
			}
		})
	}
}

// settled waits until all kinds are watched, so that what changes from now on is a change.
func settled(t *testing.T, s *kubetest.Server) {
	t.Helper()
	eventually(t, "all is watched", func() bool {
		for _, path := range []string{deployments, daemonSets, bindings, "/api/v1/namespaces", "/api/v1/pods", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"} {
			if s.Requests("watch "+path) == 0 {
				return false
			}
		}
		return true
	})
}

// TestClusterIsAway begins without an API server: it is no failure, is said once, and ends in order.
func TestClusterIsAway(t *testing.T) {
	s := kubetest.New(t)
	s.Fail(func(w http.ResponseWriter, _ *http.Request) bool { panic(http.ErrAbortHandler) })
	run := start(t, "-c", clusterConfigFile(t, s, "[]"))
	run.err.wait(t, "asking the API server of Kubernetes", 1)
	s.Fail(nil)
	run.err.wait(t, "works again", 1)
	if code := run.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(run.err.String(), "asking the API server of Kubernetes"); n != 1 {
		t.Errorf("said %d times:\n%s", n, run.err)
	}
}

// TestClusterOfConditions uses the condition that documentation shows.
func TestClusterOfConditions(t *testing.T) {
	s := kubetest.New(t)
	s.Put(deployments, withPod("Deployment", "prod", "web", "nginx:1.25", nil))
	run := start(t, "-c", clusterConfigFile(t, s, `
- rule: new image
  desc: d
  condition: k8schange.kind=Deployment and k8schange.image.new != val(k8schange.image.old)
  output: "%k8schange.image.old -> %k8schange.image.new.registry %k8schange.image.new.repository %k8schange.image.new.tag %k8schange.labels %evt.plugininfo"
  priority: INFO
  source: k8s_change
`))
	run.err.wait(t, "watching", 1)
	settled(t, s)
	s.Put(deployments, withPod("Deployment", "prod", "web", "nginx:1.26", nil))
	run.out.wait(t, `nginx:1.25 -> docker.io library/nginx 1.26 (app:web) {\"verb\":\"update\"`, 1)
	s.Put(deployments, withPod("Deployment", "prod", "web", "nginx:1.26", kubetest.Object{"hostNetwork": true}))
	s.Put(deployments, withPod("Deployment", "prod", "web", "nginx:1.27", nil))
	run.out.wait(t, "nginx:1.26 ->", 1)
	run.end()
	if n := strings.Count(run.out.String(), `"rule":"new image"`); n != 2 {
		t.Errorf("%d alerts for two new images:\n%s", n, run.out)
	}
}

func TestClusterOptions(t *testing.T) {
	s := kubetest.New(t)
	config := clusterConfigFile(t, s, "[]")
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"--list", "-N"}, 0, []string{"k8schange.image.new\n", "proc.name\n"}},
		{[]string{"--list=k8s_change", "-N"}, 0, []string{"k8schange.registries.new\n", "evt.time\n"}},
		{[]string{"--list=nothing"}, 1, []string{"must be a valid source type"}},
		{[]string{"--list-plugins"}, 0, []string{"Event Sourcing (ID=1000001, source='k8s_change')"}},
		{[]string{"--plugin-info", "k8s_change"}, 0, []string{`"kubeconfig"`, `"kinds"`}},
		{[]string{"--enable-source", "nothing"}, 1, []string{"unknown event source: nothing"}},
		{[]string{"--disable-source", "syscall", "--disable-source", "k8s_change"}, 1, []string{"Must enable at least one"}},
		{[]string{"--dry-run", "--disable-source", "syscall"}, 0, nil},
	} {
		out, errs := newConsole(), newConsole()
		ctx := t.Context()
		code := Run(ctx, Env{Args: append([]string{"-c", config}, c.args...), Stdout: out, Stderr: errs, Getenv: func(string) string { return "" }})
		if code != c.code {
			t.Errorf("%v: exit code %d, want %d: %s", c.args, code, c.code, errs)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String()+errs.String(), want) {
				t.Errorf("%v: no %q in:\n%s%s", c.args, want, out, errs)
			}
		}
	}
	// A rule about one source cannot name fields of the other.
	for field, source := range map[string]string{"proc.name": "k8s_change", "k8schange.kind": "syscall"} {
		path := filepath.Join(t.TempDir(), "r.yaml")
		text := fmt.Sprintf("- rule: r\n  desc: d\n  condition: %s = x\n  output: o\n  priority: INFO\n  source: %s\n", field, source)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		errs := newConsole()
		if code := Run(t.Context(), Env{Args: []string{"-c", config, "-V", path}, Stdout: newConsole(), Stderr: errs, Getenv: os.Getenv}); code != 1 || !strings.Contains(errs.String(), "nonexistent field "+field) {
			t.Errorf("%s in a rule about %s: exit code %d: %s", field, source, code, errs)
		}
	}
}

func TestNode(t *testing.T) {
	env := map[string]string{"NODE_NAME": "a", "FALCO_HOSTNAME": "h"}
	p := &program{env: Env{Getenv: func(k string) string { return env[k] }}}
	for configured, want := range map[string]string{"": "a", "n": "n", "${NODE_NAME}": "a"} {
		if got, err := p.node(configured); got != want || err != nil {
			t.Errorf("%q: %q %v, want %q", configured, got, err, want)
		}
	}
	if _, err := p.node("${NOTHING}"); err == nil || !strings.Contains(err.Error(), "nodeName ${NOTHING} is empty") {
		t.Error(err)
	}
	delete(env, "NODE_NAME")
	if got, err := p.node(""); got != "h" || err != nil {
		t.Errorf("%q %v, want the host's name", got, err)
	}
}

// TestPodOfAProcess runs a program in the control group of a pod that an API server knows, on the running machine.
func TestPodOfAProcess(t *testing.T) {
	needLive(t)
	const uid = "93f64796-43b9-468d-b77b-c652c985d5e0"
	root := "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cpu/cgroup.procs"); err == nil {
		root += "/cpu"
	}
	pod := filepath.Join(root, "saker-test-kubepods", "pod"+uid)
	group := filepath.Join(pod, strings.Repeat("0123456789abcdef", 4))
	if err := os.MkdirAll(group, 0o755); err != nil {
		t.Skip("making a control group: ", err)
	}
	t.Cleanup(func() {
		for _, dir := range []string{group, pod, filepath.Dir(pod)} {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		}
	})
	s := kubetest.New(t)
	s.Put("/api/v1/namespaces", kubetest.Object{"metadata": kubetest.Object{"name": "prod", "uid": "ns1", "labels": kubetest.Object{"team": "a"}}})
	s.Put(deployments, withPod("Deployment", "prod", "web", "nginx:1.25", nil))
	s.Put("/apis/apps/v1/replicasets", kubetest.Owned(withPod("ReplicaSet", "prod", "web-5d", "nginx:1.25", nil), "apps/v1", "Deployment", "web", "Deployment-prod-web"))
	s.Put("/api/v1/pods", kubetest.Owned(kubetest.Pod("prod", "web-5d-1", uid, "n1", "nginx:1.25"), "apps/v1", "ReplicaSet", "web-5d", "ReplicaSet-prod-web-5d"))
	dir := t.TempDir()
	rule := filepath.Join(dir, "rules.yaml")
	config := filepath.Join(dir, "falco.yaml")
	probe := filepath.Join(dir, "probe")
	for path, text := range map[string]string{
		probe: "", rule: `
- rule: pod
  desc: d
  condition: evt.type = openat and fd.name = ` + probe + ` and k8smeta.deployment.name = web
  output: pod %k8smeta.pod.name of %k8smeta.deployment.name in %k8smeta.ns.name %k8smeta.ns.label[team] %k8smeta.images
  priority: INFO
`, config: `
rules_files: [` + rule + `]
append_output: []
stdout_output: {enabled: true}
load_plugins: [k8smeta]
plugins:
- {name: k8smeta, library_path: libk8smeta.so, init_config: {nodeName: n1, kubeconfig: ` + s.Kubeconfig(t, "x") + `}}
`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := start(t, "-c", config)
	run.err.wait(t, "watching", 1)
	eventually(t, "the owners are looked up", func() bool {
		return s.Requests("get /apis/apps/v1/namespaces/prod/deployments/web") > 0 && s.Requests("get /api/v1/namespaces/prod") > 0
	})
	const want = "pod web-5d-1 of web in prod a (nginx:1.25)"
	eventually(t, "an alert names the pod and its deployment", func() bool {
		out, err := exec.Command("sh", "-c", "echo $$ > "+group+"/cgroup.procs && exec cat "+probe).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.Contains(run.out.String(), want)
	})
	if code := run.end(); code != 0 {
		t.Errorf("exit code %d: %s", code, run.err)
	}
}
