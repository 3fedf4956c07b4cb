package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/kube/kubetest"
)

// watcher runs Changes against a server for the length of the test.
type watcher struct {
	*Changes
	seen []Change
}

func watchChanges(t *testing.T, s *kubetest.Server, kinds ...string) (*watcher, *logs) {
	t.Helper()
	client, err := Connect(s.Kubeconfig(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	l := &logs{}
	c, err := OpenChanges(client, kinds, l.log)
	if err != nil {
		t.Fatal(err)
	}
	background(t, c.Run)
	eventually(t, "all kinds are listed", func() bool { return int(c.Stats().Lists) >= len(c.kinds) })
	return &watcher{Changes: c}, l
}

// take appends what came and returns the whole as text, one change a line.
func (w *watcher) take() string {
	for _, payload := range w.Take() {
		var c Change
		if err := json.Unmarshal(payload, &c); err != nil {
			panic(err)
		}
		w.seen = append(w.seen, c)
	}
	var b strings.Builder
	for i := range w.seen {
		b.WriteString(line(&w.seen[i]) + "\n")
	}
	return b.String()
}

func line(c *Change) string {
	s := fmt.Sprintf("%s %s %s/%s", c.Verb, c.Kind, c.Namespace, c.Name)
	if c.User != "" {
		s += " by " + c.User
	}
	if c.OldImage != nil && c.OldImage.Name != c.Image.Name {
		s += fmt.Sprintf(" %s: %s -> %s", c.Container, c.OldImage.Name, c.Image.Name)
	}
	if len(c.Floating) > 0 {
		s += fmt.Sprint(" floating ", c.Floating)
	}
	if len(c.NewRegistries) > 0 {
		s += fmt.Sprint(" registries ", c.NewRegistries)
	}
	if c.Privileged {
		s += " privileged"
		if c.OldPrivileged {
			s += " as before"
		}
	}
	if len(c.NewHostPaths) > 0 {
		s += fmt.Sprint(" mounts ", c.NewHostPaths)
	}
	if len(c.NewSubjects) > 0 {
		s += fmt.Sprint(" ", c.Role, " to ", c.NewSubjects)
	}
	if c.Missed {
		s += " missed"
	}
	return s
}

func (w *watcher) want(t *testing.T, lines ...string) {
	t.Helper()
	want := strings.Join(lines, "\n") + "\n"
	eventually(t, "the changes are those wanted", func() bool { return len(w.take()) >= len(want) })
	if got := w.take(); got != want {
		t.Fatalf("changes:\n%swant:\n%s", got, want)
	}
}

const dsPath = "/apis/apps/v1/daemonsets"

func workload(kind, name, image string) kubetest.Object {
	return kubetest.Workload("apps/v1", kind, "prod", name, image)
}

func TestChangesOfWorkloads(t *testing.T) {
	s := kubetest.New(t)
	s.Put(deployPath, workload("Deployment", "web", "nginx:1.25"))
	w, _ := watchChanges(t, s, "Deployment", "DaemonSet")

	s.Put(deployPath, workload("Deployment", "web", "nginx:1.26"))
	w.want(t, "update Deployment prod/web by kubectl-edit main: nginx:1.25 -> nginx:1.26")

	// Another status, another revision: no change that counts.
	same := workload("Deployment", "web", "nginx:1.26")
	same["status"] = kubetest.Object{"replicas": 7}
	same["metadata"].(kubetest.Object)["annotations"] = kubetest.Object{"deployment.kubernetes.io/revision": "2"}
	s.Put(deployPath, same)

	s.Put(deployPath, workload("Deployment", "web", "evil.example/nginx"))
	privileged := workload("DaemonSet", "miner", "miner@sha256:00")
	spec := privileged["spec"].(kubetest.Object)["template"].(kubetest.Object)["spec"].(kubetest.Object)
	spec["containers"] = append(spec["containers"].([]any), kubetest.Object{
		"name": "root", "image": "root:1", "securityContext": kubetest.Object{"privileged": true, "capabilities": kubetest.Object{"add": []any{"SYS_ADMIN"}}},
	})
	spec["volumes"] = []any{kubetest.Object{"name": "v", "hostPath": kubetest.Object{"path": "/"}}, kubetest.Object{"name": "e", "emptyDir": kubetest.Object{}}}
	spec["hostPID"] = true
	w.want(t, "update Deployment prod/web by kubectl-edit main: nginx:1.25 -> nginx:1.26",
		"update Deployment prod/web by kubectl-edit main: nginx:1.26 -> evil.example/nginx floating [evil.example/nginx] registries [evil.example]")
	s.Put(dsPath, privileged)
	quiet := workload("Deployment", "web", "evil.example/nginx")
	quiet["status"] = kubetest.Object{"replicas": 8}
	s.Put(deployPath, quiet)
	s.Delete(deployPath, "prod", "web") // by whom is not known
	eventually(t, "four changes are seen", func() bool { w.take(); return len(w.seen) == 4 })
	ds, gone := w.seen[2], w.seen[3]
	if ds.Kind != "DaemonSet" {
		ds, gone = gone, ds
	}
	if got, want := line(&ds), "create DaemonSet prod/miner by kubectl-edit privileged mounts [/]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := line(&gone), "delete Deployment prod/web"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if !ds.HostPID || ds.HostIPC || !slices.Equal(ds.Capabilities, []string{"SYS_ADMIN"}) || !slices.Equal(ds.Images, []string{"miner@sha256:00", "root:1"}) ||
		ds.Image.Digest != "sha256:00" || ds.Labels["app"] != "miner" || ds.APIVersion != "apps/v1" {
		t.Errorf("%+v %+v", ds, ds.Image)
	}
}

// TestChangesOfLargeObjects reads a workload with more of everything than is kept: what is left out is counted and said.
func TestChangesOfLargeObjects(t *testing.T) {
	log := &logs{}
	c, err := OpenChanges(nil, nil, log.log)
	if err != nil {
		t.Fatal(err)
	}
	o := workload("DaemonSet", "big", "a:1")
	spec := o["spec"].(kubetest.Object)["template"].(kubetest.Object)["spec"].(kubetest.Object)
	containers, volumes := []any{}, []any{}
	for i := range maxImages + 3 {
		capability := kubetest.Object{"capabilities": kubetest.Object{"add": []any{fmt.Sprint("CAP_", i)}}}
		containers = append(containers, kubetest.Object{"name": fmt.Sprint(i), "image": "a:1", "securityContext": capability})
		volumes = append(volumes, kubetest.Object{"hostPath": kubetest.Object{"path": fmt.Sprint("/", i)}})
	}
	spec["containers"], spec["volumes"] = containers, volumes
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		now, err := c.readContent("DaemonSet", raw)
		if err != nil {
			t.Fatal(err)
		}
		if len(now.images) != maxImages || len(now.capabilities) != maxImages || len(now.hostPaths) != maxImages {
			t.Errorf("kept %d images, %d capabilities, %d paths", len(now.images), len(now.capabilities), len(now.hostPaths))
		}
	}
	if got := c.report.shed.Load(); got != 18 {
		t.Errorf("%d are counted, want 18", got)
	}
	for _, what := range []string{"containers", "capabilities", "paths of the host"} {
		if log.count("DaemonSet prod/big has more than 256 "+what) != 1 {
			t.Errorf("%s are not reported once:\n%s", what, log)
		}
	}
}

// TestChangesOfContainers changes the image of the second of two containers.
func TestChangesOfContainers(t *testing.T) {
	s := kubetest.New(t)
	two := func(second string) kubetest.Object {
		o := kubetest.Workload("batch/v1", "CronJob", "prod", "night", "x")
		template := o["spec"].(kubetest.Object)
		containers := template["template"].(kubetest.Object)["spec"].(kubetest.Object)
		containers["containers"] = []any{kubetest.Object{"name": "a", "image": "a:1"}, kubetest.Object{"name": "b", "image": second}}
		o["spec"] = kubetest.Object{"schedule": "@daily", "jobTemplate": kubetest.Object{"spec": template}}
		return o
	}
	s.Put("/apis/batch/v1/cronjobs", two("b:1"))
	w, _ := watchChanges(t, s, "CronJob")
	s.Put("/apis/batch/v1/cronjobs", two("b:latest"))
	w.want(t, "update CronJob prod/night by kubectl-edit b: b:1 -> b:latest floating [b:latest]")
}

func TestChangesOfBindings(t *testing.T) {
	s := kubetest.New(t)
	binding := func(subjects ...any) kubetest.Object {
		return kubetest.Object{
			"kind": "ClusterRoleBinding", "metadata": kubetest.Object{"name": "admins", "uid": "b1"},
			"roleRef": kubetest.Object{"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": subjects,
		}
	}
	path := "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
	ada := kubetest.Object{"kind": "User", "name": "ada"}
	s.Put(path, binding(ada))
	w, _ := watchChanges(t, s, "ClusterRoleBinding")
	s.Put(path, binding(ada, kubetest.Object{"kind": "ServiceAccount", "namespace": "dev", "name": "ci"}))
	w.want(t, "update ClusterRoleBinding /admins cluster-admin to [ServiceAccount:dev/ci]")
}

// TestChangesOfPods leaves it to controllers to tell that their pods appear and go away. Static pods, which the kubelet makes
// from a file, count, and so do pods that name an owner which makes none, and pods whose controller let go of them.
func TestChangesOfPods(t *testing.T) {
	s := kubetest.New(t)
	w, _ := watchChanges(t, s, "Pod", "ReplicaSet", "Deployment", "Job")
	owned := func(name, uid, version, kind string) kubetest.Object {
		return kubetest.Owned(kubetest.Pod("prod", name, uid, "n1", "nginx:1"), version, kind, "x", "x1")
	}
	s.Put(podsPath, owned("web-1", "u1", "apps/v1", "ReplicaSet"))
	s.Put(podsPath, owned("web-2", "u4", "apps/v1", "ReplicaSet"))
	s.Put(podsPath, kubetest.Pod("prod", "alone", "u2", "", "a:1"))
	s.Put(podsPath, kubetest.Pod("prod", "alone", "u2", "n1", "a:1")) // scheduled: no change that counts
	s.Put(podsPath, owned("static", "u3", "v1", "Node"))
	s.Put(podsPath, owned("forged", "u5", "apps/v1", "Deployment"))
	s.Put(podsPath, owned("custom", "u6", "argoproj.io/v1alpha1", "Rollout"))
	s.Put(podsPath, owned("unfollowed", "u7", "apps/v1", "DaemonSet"))
	s.Put(podsPath, kubetest.Pod("prod", "web-2", "u4", "n1", "nginx:1")) // released
	attached := owned("web-1", "u1", "apps/v1", "ReplicaSet")
	attached["spec"].(kubetest.Object)["ephemeralContainers"] = []any{kubetest.Object{"name": "debug", "image": "tools"}}
	s.Put(podsPath, attached)
	s.Delete(podsPath, "prod", "web-1")
	s.Delete(podsPath, "prod", "alone")
	w.want(t, "create Pod prod/alone", "create Pod prod/static", "create Pod prod/forged", "create Pod prod/custom", "create Pod prod/unfollowed",
		"create Pod prod/web-2", "update Pod prod/web-1 floating [tools]", "delete Pod prod/alone")
	if c := w.seen[6]; !slices.Equal(c.Added, []string{"tools"}) {
		t.Errorf("%+v", c)
	}
}

// TestChangesOfReplicaSets scales a deployment's replica set, which is no change, and makes one by itself, which is.
func TestChangesOfReplicaSets(t *testing.T) {
	s := kubetest.New(t)
	w, _ := watchChanges(t, s)
	set := func(name string, replicas int) kubetest.Object {
		o := workload("ReplicaSet", name, "a:1")
		o["spec"].(kubetest.Object)["replicas"] = replicas
		return o
	}
	s.Put(setsPath, kubetest.Owned(set("web-5d", 1), "apps/v1", "Deployment", "web", "d1"))
	s.Put(setsPath, kubetest.Owned(set("web-5d", 2), "apps/v1", "Deployment", "web", "d1"))
	s.Put(setsPath, set("bare", 1))
	s.Put(setsPath, set("bare", 2))
	w.want(t, "create ReplicaSet prod/bare by kubectl-edit", "update ReplicaSet prod/bare by kubectl-edit")
}

// TestMemoryOfChanges measures what 5000 deployments cost that are followed (docs/performance.md).
func TestMemoryOfChanges(t *testing.T) {
	const n = 5000
	s := kubetest.New(t)
	for i := range n {
		s.Put(deployPath, kubetest.Workload("apps/v1", "Deployment", fmt.Sprint("team-", i/50), fmt.Sprint("app-", i), fmt.Sprintf("registry.example/app-%d:1.%d", i, i%3)))
	}
	before := heap()
	w, _ := watchChanges(t, s, "Deployment")
	eventually(t, "all are known", func() bool { return w.Stats().Owners == n })
	per := int64(heap()-before) / n
	t.Logf("%d deployments, %d B each on the heap", n, per)
	if per > 4096 {
		t.Errorf("a deployment costs %d B, more than 4096", per)
	}
	runtime.KeepAlive(w)
}

// TestChangesMissed cuts the watch and makes the server forget: what changed meanwhile is found by comparing.
func TestChangesMissed(t *testing.T) {
	for _, streaming := range []bool{true, false} {
		t.Run(fmt.Sprintf("streaming %v", streaming), func(t *testing.T) {
			t.Parallel()
			s := kubetest.New(t)
			s.Streaming(streaming)
			s.Put(dsPath, workload("DaemonSet", "stays", "a:1"))
			s.Put(dsPath, workload("DaemonSet", "changes", "a:1"))
			s.Put(dsPath, workload("DaemonSet", "goes", "a:1"))
			w, _ := watchChanges(t, s, "DaemonSet")
			s.Fail(func(w http.ResponseWriter, _ *http.Request) bool {
				kubetest.Refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "upgrading")
				return true
			})
			s.Disconnect()
			eventually(t, "a request is refused", func() bool { return w.Stats().Errors > 0 })
			s.Put(dsPath, workload("DaemonSet", "changes", "a:2"))
			s.Delete(dsPath, "prod", "goes")
			s.Put(dsPath, workload("DaemonSet", "comes", "a:1"))
			s.Forget()
			s.Fail(nil)
			eventually(t, "three changes are found", func() bool { w.take(); return len(w.seen) == 3 })
			got := strings.Split(strings.TrimSpace(w.take()), "\n")
			slices.Sort(got)
			want := []string{
				"create DaemonSet prod/comes by kubectl-edit missed", "delete DaemonSet prod/goes missed",
				"update DaemonSet prod/changes by kubectl-edit main: a:1 -> a:2 missed",
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestChangesAreBounded(t *testing.T) {
	s := kubetest.New(t)
	w, log := watchChanges(t, s, "Namespace")
	for i := range maxWaiting + 100 {
		s.Put("/api/v1/namespaces", kubetest.Object{"metadata": kubetest.Object{"name": fmt.Sprint("n", i), "uid": fmt.Sprint("u", i)}})
	}
	eventually(t, "changes are dropped", func() bool { return w.Dropped() == 100 })
	if n := len(w.Take()); n != maxWaiting || w.Waiting() {
		t.Errorf("%d changes waited, more: %v", n, w.Waiting())
	}
	if log.count("are dropped") != 1 {
		t.Errorf("logged: %s", log)
	}
}

func TestChangesOfUnknownKinds(t *testing.T) {
	if _, err := OpenChanges(nil, []string{"Deployment", "Secret"}, nil); err == nil || !strings.Contains(err.Error(), `"Secret" cannot be followed; possible are Deployment`) {
		t.Error(err)
	}
}

// FuzzContent reads whatever an API server might send.
func FuzzContent(f *testing.F) {
	for _, o := range []kubetest.Object{kubetest.Pod("a", "b", "c", "d", "e"), workload("Deployment", "w", "i:1")} {
		b, err := json.Marshal(o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	c, err := OpenChanges(nil, nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	a := NewAPI(nil, "n", nil)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, k := range changeKinds {
			now, err := c.readContent(k.Kind, raw)
			if err != nil || now == nil {
				continue
			}
			if len(now.name) > maxName || len(now.images) > maxImages {
				t.Errorf("not bounded: %+v", now)
			}
			if _, err := json.Marshal(describe(k, "u", nil, now, false)); err != nil {
				t.Error(err)
			}
		}
		_, _ = a.readPod(raw)
		_, _ = a.readService(raw)
		var m message
		if (codec{}).Unmarshal(raw, &m) == nil {
			col := &Collector{report: newReporter(nil), objects: map[string]*collected{}}
			_ = col.apply(&m)
		}
	})
}
