package field_test

import (
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// containerCtx returns what an event of a thread in a container means when the runtime has told info; nil is nothing yet.
func containerCtx(t *testing.T, info *container.Container) *state.Ctx {
	t.Helper()
	const uid = "0a1b2c3d-0000-4000-8000-0123456789ab"
	id := strings.Repeat("a", 64)
	s := state.New(state.Config{FollowAll: true})
	if info != nil {
		info.ID = id
		s.LearnContainer(container.Update{Key: id[:12], Container: info})
	}
	return closeIn(t, s, "memory=/kubepods/pod"+uid+"/"+id)
}

// closeIn returns what an event of a thread in a control group means.
func closeIn(t *testing.T, s *state.State, cgroup string) *state.Ctx {
	t.Helper()
	s.AddProcess(&event.Process{
		TID: 7, PID: 7, PTID: 1, VTID: 7, VPID: 7, Comm: "cat", Exe: "cat", ExePath: "/bin/cat", Cwd: "/", PidnsInitStart: 5,
		Cgroups: []string{cgroup},
	})
	var enc event.Encoder
	enc.Begin(event.SyscallCloseX, 9, 7)
	enc.Int64(0)
	enc.Int64(3)
	e := &event.Event{}
	if err := e.Decode(enc.Bytes()); err != nil {
		t.Fatal(err)
	}
	return s.Apply(e)
}

func TestContainerFields(t *testing.T) {
	full := func() *container.Container {
		return &container.Container{
			Type: "containerd", Name: "web", Image: "host/team/box:1", ImageID: "c0ffee", Repository: "host/team/box", Tag: "1",
			Digest: "sha256:feed", Privileged: container.True, HostPID: container.False, HostNetwork: container.True,
			Mounts: []container.Mount{
				{Source: "/srv/a", Destination: "/a", Mode: "ro", Propagation: "rprivate"},
				{Source: "/srv/b", Destination: "/b", Mode: "rw", Writable: true},
			},
			Labels: []container.Label{{Key: "annotation.x", Value: "1"}, {Key: "io.kubernetes.pod.name", Value: "web-1"}, {Key: "team", Value: "blue"}, {Key: "tier", Value: "1"}},
			IP:     "10.0.0.1", CNI: `{"a":1}`,
			Pod: container.Pod{
				Name: "web-1", Namespace: "shop", UID: "u-1", SandboxID: strings.Repeat("b", 64), IP: "10.0.0.1", CNI: `{"a":1}`,
				Labels: []container.Label{{Key: "app", Value: "web"}},
			},
		}
	}
	id := strings.Repeat("a", 64)
	for _, c := range []struct{ text, known, unknown string }{
		{"container.id", `"aaaaaaaaaaaa"`, `"aaaaaaaaaaaa"`},
		{"container.full_id", `"` + id + `"`, `"` + id + `"`},
		{"container.name", `"web"`, "null"},
		{"container.type", `"containerd"`, "null"},
		{"container.image", `"host/team/box:1"`, "null"},
		{"container.image.id", `"c0ffee"`, "null"},
		{"container.image.repository", `"host/team/box"`, "null"},
		{"container.image.tag", `"1"`, "null"},
		{"container.image.digest", `"sha256:feed"`, "null"},
		{"container.privileged", "true", "null"},
		{"container.host_pid", "false", "null"},
		{"container.host_network", "true", "null"},
		{"container.host_ipc", "false", "null"}, // the runtime does not say
		{"container.mounts", `"/srv/a:/a:ro:false:rprivate /srv/b:/b:rw:true:"`, "null"},
		{"container.mount[1]", `"/srv/b:/b:rw:true:"`, "null"},
		{"container.mount[/srv/*]", `"/srv/a:/a:ro:false:rprivate"`, "null"},
		{"container.mount[/srv]", "null", "null"},
		{"container.mount[2]", "null", "null"},
		{"container.mount.source[/b]", `"/srv/b"`, "null"},
		{"container.mount.dest[/srv/b]", `"/b"`, "null"},
		{"container.mount.mode[0]", `"ro"`, "null"},
		{"container.mount.rdwr[*/b]", `"true"`, "null"},
		{"container.mount.propagation[/srv/?]", `"rprivate"`, "null"},
		{"container.label[team]", `"blue"`, "null"},
		{"container.label[none]", "null", "null"},
		{"container.labels", `"team:blue, tier:1"`, "null"},
		{"container.ip", `"10.0.0.1"`, "null"},
		{"container.cni.json", `"{\"a\":1}"`, "null"},
		{"container.start_ts", "5", "5"},
		{"container.duration", "4", "4"},
		{"container.id_mismatch", "true", "false"},
		{"container.healthcheck", "null", "null"},
		{"k8s.pod.name", `"web-1"`, "null"},
		{"k8s.ns.name", `"shop"`, "null"},
		{"k8s.pod.uid", `"u-1"`, `"0a1b2c3d-0000-4000-8000-0123456789ab"`},
		{"k8s.pod.id", `"u-1"`, `"0a1b2c3d-0000-4000-8000-0123456789ab"`},
		{"k8s.pod.sandbox_id", `"bbbbbbbbbbbb"`, "null"},
		{"k8s.pod.full_sandbox_id", `"` + strings.Repeat("b", 64) + `"`, "null"},
		{"k8s.pod.label[app]", `"web"`, "null"},
		{"k8s.pod.labels", `"app:web"`, "null"},
		{"k8s.pod.ip", `"10.0.0.1"`, "null"},
		{"k8s.pod.cni.json", `"{\"a\":1}"`, "null"},
		{"k8s.deployment.name", "null", "null"},
	} {
		x := bindOutput(t, field.NewCatalogue(), c.text)
		if got := printed(x, containerCtx(t, full())); got != c.known {
			t.Errorf("%s is %s, want %s", c.text, got, c.known)
		}
		if got := printed(x, containerCtx(t, nil)); got != c.unknown {
			t.Errorf("%s of a container that no runtime told of is %s, want %s", c.text, got, c.unknown)
		}
	}
}

// TestLateExtractorsNeedTheContainerOnly calls every late extractor with what state.(*Ctx).Keep leaves of a context.
func TestLateExtractorsNeedTheContainerOnly(t *testing.T) {
	c := field.NewCatalogue()
	n := 0
	for _, x := range everyExtractor(t, c) {
		if !x.Late {
			continue
		}
		n++
		ctx := containerCtx(t, &container.Container{Name: "web"})
		want := printed(x, ctx)
		if got := printed(x, ctx.Keep()); got != want {
			t.Errorf("%s is %s after the event, and was %s", x.Field.Name, got, want)
		}
	}
	if n < 30 {
		t.Errorf("only %d extractors are late", n)
	}
}

// What Falco 0.44.1 with its container plugin prints of a process outside of containers, read in its replay of a recorded machine.
func TestHostFields(t *testing.T) {
	for text, want := range map[string]string{
		"container.id": `"host"`, "container.full_id": `"host"`, "container.name": `"host"`, "container.type": `"host"`,
		"container.image": `""`, "container.image.id": `""`, "container.image.repository": `""`, "container.image.tag": `""`,
		"container.image.digest": `""`, "container.privileged": "false", "container.host_pid": "false", "container.host_network": "false",
		"container.host_ipc": "false", "container.mounts": `""`, "container.mount[0]": "null", "container.label[a]": "null",
		"container.labels": `""`, "container.ip": `""`, "container.cni.json": `""`, "container.start_ts": "5", "container.duration": "4",
		"k8s.pod.name": "null", "k8s.ns.name": "null", "k8s.pod.uid": "null", "k8s.pod.sandbox_id": `""`, "k8s.pod.full_sandbox_id": `""`,
		"k8s.pod.label[a]": "null", "k8s.pod.labels": `""`, "k8s.pod.ip": `""`, "k8s.pod.cni.json": `""`,
	} {
		x := bindOutput(t, field.NewCatalogue(), text)
		if got := printed(x, closeIn(t, state.New(state.Config{}), "memory=/user.slice")); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}
