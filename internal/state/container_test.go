package state

import (
	"fmt"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/event"
)

const (
	idA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	idB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// TestIdentity holds what runtimes call their control groups against what is made of it. A and B stand for ids of 64 digits.
func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		what, path          string
		id, kind, pod, home string
	}{
		{what: "docker, cgroupfs", path: "/docker/A", id: "A", home: "/docker/A"},
		{what: "docker, systemd", path: "/system.slice/docker-A.scope", id: "A", home: "/system.slice/docker-A.scope"},
		{what: "docker with a systemd inside", path: "/docker/A/system.slice/ssh.service", id: "A", home: "/docker/A"},
		{what: "docker in docker", path: "/docker/A/docker/B", id: "B", home: "/docker/A/docker/B"},
		{
			what: "kubelet, cgroupfs", path: "/kubepods/besteffort/pod0a1b2c3d-0000-4000-8000-0123456789ab/A", id: "A",
			pod: "0a1b2c3d-0000-4000-8000-0123456789ab", home: "/kubepods/besteffort/pod0a1b2c3d-0000-4000-8000-0123456789ab/A",
		},
		{
			what: "kubelet, systemd, containerd", id: "A", pod: "0a1b2c3d-0000-4000-8000-0123456789ab",
			path: "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_0000_4000_8000_0123456789ab.slice/cri-containerd-A.scope",
			home: "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_0000_4000_8000_0123456789ab.slice/cri-containerd-A.scope",
		},
		{what: "kubelet, systemd, cri-o", path: "/kubepods.slice/kubepods-podx.slice/crio-A.scope", id: "A", home: "/kubepods.slice/kubepods-podx.slice/crio-A.scope"},
		{what: "cri-o's monitor", path: "/kubepods.slice/kubepods-podx.slice/crio-conmon-A.scope"},
		{what: "containerd's systemd driver", path: "/system.slice/containerd.service/kubepods-besteffort.slice:cri-containerd:A", id: "A", home: "/system.slice/containerd.service/kubepods-besteffort.slice:cri-containerd:A"},
		{what: "kind: a node in docker, a pod in it, seven components and more", path: "/docker/A/kubelet/kubepods/burstable/pod1/x/y/z/B", id: "B", home: "/docker/A/kubelet/kubepods/burstable/pod1/x/y/z/B"},
		{what: "podman", path: "/machine.slice/libpod-A.scope/container", id: "A", home: "/machine.slice/libpod-A.scope"},
		{what: "podman without systemd", path: "/libpod_parent/libpod-A", id: "A", home: "/libpod_parent/libpod-A"},
		{
			what: "podman without root", path: "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-A.scope/container", id: "A",
			home: "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-A.scope",
		},
		{what: "podman's monitor", path: "/machine.slice/libpod-conmon-A.scope"},
		{what: "nerdctl", path: "/system.slice/nerdctl-A.scope", id: "A", home: "/system.slice/nerdctl-A.scope"},
		{what: "nerdctl, cgroupfs", path: "/default/A", id: "A", home: "/default/A"},
		{what: "Amazon ECS", path: "/ecs/0123/A", id: "A", home: "/ecs/0123/A"},
		{what: "ctr", path: "/default/web-1", id: "web-1", home: "/default/web-1"},
		{what: "lxc", path: "/lxc.payload.box/system.slice/cron.service", id: "box", kind: "lxc", home: "/lxc.payload.box"},
		{what: "lxc's monitor", path: "/lxc.monitor.box"},
		{what: "lxc with docker inside", path: "/lxc.payload.box/docker/A", id: "A", home: "/lxc.payload.box/docker/A"},
		{what: "libvirt", path: `/machine.slice/machine-lxc\x2d12\x2dvm.scope/libvirt`, id: "12-vm", kind: "libvirt-lxc", home: `/machine.slice/machine-lxc\x2d12\x2dvm.scope`},
		{what: "bpm", path: "/system.slice/runc-bpm.slice/bpm-nats.scope", id: "nats", kind: "bpm", home: "/system.slice/runc-bpm.slice/bpm-nats.scope"},
		{what: "nspawn", path: "/machine.slice/systemd-nspawn@deb-12.service/payload/system.slice/x.service", id: "deb-12", kind: "systemd-nspawn", home: "/machine.slice/systemd-nspawn@deb-12.service"},
		{what: "nspawn's supervisor", path: "/machine.slice/systemd-nspawn@deb.service/supervisor"},
		{what: "nspawn by machined", path: `/machine.slice/machine-deb\x2d12.scope/payload`, id: "deb-12", kind: "systemd-nspawn", home: `/machine.slice/machine-deb\x2d12.scope`},
		{what: "a virtual machine", path: `/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt`},
		{what: "an id with a control character", path: "/default/we\x1bb"},
		{what: "an escape sequence for a name", path: "/lxc/\x1b[31m"},
		{what: "an id that is too long", path: "/docker/A0"},
		{what: "capitals", path: "/system.slice/docker-" + strings.ToUpper(idA) + ".scope"},
		{what: "a user session", path: "/user.slice/user-1000.slice/session-5.scope"},
		{what: "no slash", path: "docker"},
	} {
		stand := strings.NewReplacer("A0", idA+"0", "A", idA, "B", idB)
		if c.what == "capitals" {
			stand = strings.NewReplacer()
		}
		got := (&finder{}).find([]Cgroup{{"memory", stand.Replace(c.path)}})
		if got.id != stand.Replace(c.id) || got.kind != c.kind || got.pod != c.pod || got.home != stand.Replace(c.home) {
			t.Errorf("%s: %s is %+v", c.what, c.path, got)
		}
	}
}

// TestPlainContainerdNeedsAllHierarchies: what other supervisors put into one hierarchy is no container.
func TestPlainContainerdNeedsAllHierarchies(t *testing.T) {
	f := &finder{live: true}
	one := []Cgroup{{"cpu", "/"}, {"memory", "/jobs/web"}}
	if got := f.find(one); got.id != "" {
		t.Errorf("a job in one hierarchy is container %q", got.id)
	}
	all := []Cgroup{{"cpu", "/jobs/web"}, {"memory", "/jobs/web"}}
	if got := f.find(all); got.id != "web" || got.key != "jobs/web" {
		t.Errorf("found %+v", got)
	}
	f.hidden = []string{container.KindLXC}
	if got := f.find([]Cgroup{{"memory", "/lxc/box"}}); got.id != "" {
		t.Errorf("a hidden kind is container %q", got.id)
	}
}

// TestStraying moves processes between control groups: what they were started in decides.
func TestStraying(t *testing.T) {
	runScript(t, Config{FollowAll: true}, shell+`
# A runtime moves its child into the container and executes the program.
101 clone res=0 exe=runc pid=101 ptid=100 vtid=101 vpid=101 comm=runc flags=0 cgroups=memory=/
= 101 container="" strayed=false
101 execve res=0 exe=app comm=app pid=101 ptid=100 cgroups=memory=/docker/`+idA+`
= 101 container=aaaaaaaaaaaa strayed=false
# It leaves for the host's groups, and so does its child.
101 execve res=0 exe=app comm=app pid=101 ptid=100 cgroups=memory=/
= 101 container=aaaaaaaaaaaa strayed=true
102 clone res=0 exe=app pid=102 ptid=101 vtid=102 vpid=102 comm=app flags=0 cgroups=memory=/
= 102 container=aaaaaaaaaaaa strayed=true
# Back again.
102 execve res=0 exe=app comm=app pid=102 ptid=101 cgroups=memory=/docker/`+idA+`/sub
= 102 container=aaaaaaaaaaaa strayed=false
# Into another container, and into one made up below its own, which is what a runtime in it would do.
102 execve res=0 exe=app comm=app pid=102 ptid=101 cgroups=memory=/docker/`+idB+`
= 102 container=aaaaaaaaaaaa strayed=true
102 execve res=0 exe=app comm=app pid=102 ptid=101 cgroups=memory=/docker/`+idA+`/docker/`+idB+`
= 102 container=bbbbbbbbbbbb strayed=false
`)
	// Falco goes by the groups alone; so do replays.
	runScript(t, Config{}, shell+`
101 clone res=0 exe=app pid=101 ptid=100 vtid=101 vpid=101 comm=app flags=0 cgroups=memory=/docker/`+idA+`
101 execve res=0 exe=app comm=app pid=101 ptid=100 cgroups=memory=/
= 101 container="" strayed=false
`)
}

// TestContainerTable asks for containers, learns of them and forgets them.
func TestContainerTable(t *testing.T) {
	var asked []string
	cfg := Config{FollowAll: true, NeedContainer: func(w container.Wanted) bool {
		asked = append(asked, w.Key+" "+w.ID)
		return true
	}}
	s := runScript(t, cfg, shell+`
101 clone res=0 exe=app pid=101 ptid=100 vtid=1 vpid=1 comm=app flags=0x20000000 cgroups=memory=/docker/`+idA+`
102 clone res=0 exe=app pid=102 ptid=101 vtid=2 vpid=2 comm=app flags=0x20000000 cgroups=memory=/docker/`+idA+`
`)
	if want := "[aaaaaaaaaaaa " + idA + "]"; fmt.Sprint(asked) != want {
		t.Errorf("asked for %v, want %s", asked, want)
	}
	c := s.Container("aaaaaaaaaaaa")
	if c == nil || !c.Pending || c.Full != idA || c.threads != 2 {
		t.Fatalf("the container is %+v", c)
	}
	s.LearnContainer(container.Update{Key: "aaaaaaaaaaaa", Missing: true})
	if c.Pending || !c.Missing {
		t.Errorf("after a look-up in vain: %+v", c)
	}
	s.LearnContainer(container.Update{Key: "aaaaaaaaaaaa", Container: &container.Container{ID: idA, Name: "web"}})
	if c.Pending || c.Missing || c.Info.Name != "web" {
		t.Errorf("after an answer: %+v", c)
	}
	s.LearnContainer(container.Update{Key: "aaaaaaaaaaaa", Gone: true})
	s.now += keepFor
	s.sweepContainers(keepFor)
	if s.Container("aaaaaaaaaaaa") != c {
		t.Error("a container with threads was forgotten")
	}
	s.removeThread(101)
	s.removeThread(102)
	s.sweepContainers(keepFor)
	if s.Container("aaaaaaaaaaaa") != c || c.Info == nil {
		t.Error("a container was forgotten at once: late events need it")
	}
	s.now += keepFor
	s.sweepContainers(keepFor)
	if s.Container("aaaaaaaaaaaa") != nil || s.Stats().Containers != 0 {
		t.Error("a container that is gone is still there")
	}
}

// TestContainerBounds tells of more containers than there is room for, all of them stopped but one. Then another one starts.
func TestContainerBounds(t *testing.T) {
	s := runScript(t, Config{FollowAll: true}, shell+`
101 clone res=0 exe=app pid=101 ptid=100 vtid=101 vpid=101 comm=app flags=0 cgroups=memory=/docker/`+idA+`
`)
	tell := func(id string) {
		s.LearnContainer(container.Update{Key: id[:12], Container: &container.Container{ID: id, Name: "name"}})
	}
	tell(idA)
	for i := range maxTable + 10 {
		s.now++
		tell(fmt.Sprintf("%012x%052x", i, 0))
	}
	st := s.Stats()
	if st.Containers > maxTable || st.Containers < maxTable-maxTable/16 || st.ContainersShed+st.Containers != maxTable+11 {
		t.Errorf("%d containers, %d shed", st.Containers, st.ContainersShed)
	}
	if c := s.Thread(101).Container; s.Container(idA[:12]) != c || c.Info == nil {
		t.Error("the container that runs was shed")
	}
	if s.Container(fmt.Sprintf("%012x", maxTable+9)) == nil || s.Container(fmt.Sprintf("%012x", 0)) != nil {
		t.Error("it is not the oldest that were shed")
	}
}

func TestStaticContainer(t *testing.T) {
	s := runScript(t, Config{FollowAll: true, Static: &container.Container{ID: "box", Name: "name", Type: "static"}}, shell+`
101 clone res=0 exe=app pid=101 ptid=100 vtid=101 vpid=101 comm=app flags=0 cgroups=memory=/docker/`+idA+`
= 100 container=box
= 101 container=box strayed=false
`)
	if c := s.Thread(101).Container; c.Info.Name != "name" {
		t.Errorf("the container is %+v", c)
	}
}

// TestContainersOfCaptures takes over what captures of Falco tell.
func TestContainersOfCaptures(t *testing.T) {
	s := New(Config{})
	tell := func(code event.Code, name, json string) {
		var enc event.Encoder
		enc.Begin(code, 1e18, -1)
		if code == event.AsynceventE {
			enc.Uint32(0)
			enc.Text(name)
			enc.Raw([]byte(json))
		} else {
			enc.Text(json)
		}
		var e event.Event
		if err := e.Decode(enc.Bytes()); err != nil {
			t.Fatal(err)
		}
		s.Apply(&e)
	}
	tell(event.ContainerJsonV2E, "", `{"container":{"id":"3ad7b26ded6d","type":0,"name":"old","image":"busybox"}}`)
	tell(event.AsynceventE, "container", `{"container":{"id":"4ad7b26ded6d","full_id":"4ad7b26ded6d`+idA[12:]+`","type":7,"name":"new"}}`)
	tell(event.AsynceventE, "container", `{"container":`)
	for id, want := range map[string]string{"3ad7b26ded6d": "old docker", "4ad7b26ded6d": "new containerd"} {
		c := s.Container(id)
		if c == nil || c.Info == nil || c.Info.Name+" "+c.Info.Type != want {
			t.Errorf("container %s is %+v", id, c)
		}
	}
	if n := s.Stats().Undecodable; n != 1 {
		t.Errorf("%d descriptions were undecodable", n)
	}
	tell(event.AsynceventE, "container_removed", `{"container":{"id":"4ad7b26ded6d","type":7}}`)
	if !s.Container("4ad7b26ded6d").gone {
		t.Error("the container is not gone")
	}
}

// TestContainersAreExported writes down what is known of containers and reads it back.
func TestContainersAreExported(t *testing.T) {
	info := &container.Container{
		ID: idA, Type: "containerd", Name: "web", Image: "team/box:1", ImageID: "c0", Repository: "team/box", Tag: "1", Digest: "sha256:1",
		Privileged: container.True, HostIPC: container.False, IP: "10.0.0.1", CNI: "{}", Sandbox: true,
		Mounts: []container.Mount{{Source: "/s", Destination: "/d", Mode: "rw", Writable: true, Propagation: "shared"}},
		Labels: []container.Label{
			{Key: "io.kubernetes.pod.name", Value: "p"},
			{Key: "io.kubernetes.pod.namespace", Value: "n"},
			{Key: "io.kubernetes.pod.uid", Value: "u"},
			{Key: "team", Value: "blue"},
		},
		Pod: container.Pod{Name: "p", Namespace: "n", UID: "u", SandboxID: idB, Labels: []container.Label{{Key: "a", Value: "b"}}, IP: "10.0.0.1", CNI: "{}"},
	}
	from, to := New(Config{}), New(Config{})
	from.LearnContainer(container.Update{Key: idA[:12], Container: info})
	n := 0
	from.Containers(5, func(e *event.Event) {
		n++
		if e.Time != 5 || e.Dump != event.StateOnly {
			t.Errorf("the event is of %d, marked %d", e.Time, e.Dump)
		}
		to.Apply(e)
	})
	c := to.Container(idA[:12])
	if n != 1 || c == nil {
		t.Fatalf("%d events gave %+v", n, c)
	}
	if got, want := fmt.Sprintf("%+v", *c.Info), fmt.Sprintf("%+v", *info); strings.Replace(got, "rank:4", "rank:0", 1) != want {
		t.Errorf("read back\n%s, want\n%s", got, want)
	}
}

// FuzzCgroups finds containers in arbitrary lists of control groups.
func FuzzCgroups(f *testing.F) {
	f.Add([]byte("cpu=/docker/" + idA + "\x00memory=/default/web"))
	f.Add([]byte(`memory=/machine.slice/machine-lxc\x2d12\x2dvm.scope/libvirt`))
	f.Add([]byte("memory=/machine.slice/systemd-nspawn@x.service/payload"))
	f.Add([]byte("memory=/kubepods/pod0a1b2c3d-0000-4000-8000-0123456789ab/" + idB + "/x"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, find := range []finder{{}, {live: true}, {noContainerd: true}} {
			g := find.parse(raw)
			for _, c := range g.identity.id {
				if c < ' ' || c > '~' || c == '/' {
					t.Errorf("%q gives the id %q", raw, g.identity.id)
				}
			}
			if len(g.identity.id) > 64 || !strings.Contains(string(raw), g.identity.home) {
				t.Errorf("%q gives %+v", raw, g.identity)
			}
		}
	})
}
