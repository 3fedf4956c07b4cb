package state

import (
	"strings"
	"testing"
)

func TestContainerOf(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for path, want := range map[string]string{
		"/docker/ID":                       "0123456789ab",
		"/system.slice/docker-ID.scope":    "0123456789ab",
		"/kubepods/burstable/pod1-2/ID":    "0123456789ab",
		"/kubepods.slice/x/crio-ID.scope":  "0123456789ab",
		"/kubepods.slice/crio-ID":          "0123456789ab",
		"/k.slice/cri-containerd-ID.scope": "0123456789ab",
		"/k.slice/x:cri-containerd:ID":     "0123456789ab",
		"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container": "0123456789ab",
		"/machine.slice/libpod-ID.scope":                   "0123456789ab",
		"/machine.slice/libpod-payload-ID":                 "0123456789ab",
		"/default/nerdctl-ID.scope":                        "0123456789ab",
		"/system.slice/garden.service/garden/bpm-ID.scope": "0123456789ab",
		"/k8s.io/web":                                     "web",
		"/lxc/box/init.scope":                             "box",
		"/lxc.payload/box":                                "box",
		"/lxc.payload.box/system.slice":                   "box",
		"/lxc.payload.a/lxc.payload.b/init.scope":         "b",
		"/lxc.payload.box/docker/ID":                      "0123456789ab",
		"/system.slice/docker-ID.scope/lxc.payload.box/x": "box",
		"/system.slice/docker-ID.scope/machine.slice/machine-web\\x2d1.scope/payload":  "web-1",
		"/machine.slice/machine-a.scope/payload/machine.slice/machine-b.scope/payload": "b",
		"/machine.slice/systemd-nspawn@web-1.service/supervisor":                       "",
		"/machine.slice/vm.libvirt-lxc":                                                "vm",
		"/libvirt/lxc/vm/x":                                                            "vm",
		"/":                                                                            "",
		"":                                                                             "",
		"/user.slice/user-1000.slice/session-5.scope":                                  "",
		"/system.slice/ssh.service":                                                    "",
		"/init.scope":                                                                  "",
		"/docker/" + strings.ToUpper(id):                                               strings.ToUpper(id),
		"/system.slice/docker-0123.scope":                                              "",
		"/docker/ID0/x/y":                                                              "",
	} {
		found := (&finder{}).find([]Cgroup{{"cpu", strings.ReplaceAll(path, "ID", id)}})
		got := found.shown()
		if got != want {
			t.Errorf("%s is container %q, want %q", path, got, want)
		}
	}
}

func TestCgroups(t *testing.T) {
	var cache cgroupCache
	g := cache.parse([]byte("cpuset_cgroup=/a\x00io=/b\x00mem_cgroup=/c\x00perf=/d\x00"))
	if want := "cpuset=/a blkio=/b memory=/c perf_event=/d"; g.Text != want {
		t.Errorf("got %q, want %q", g.Text, want)
	}
	if p, ok := g.Path("blkio"); !ok || p != "/b" {
		t.Errorf("blkio is at %q %v", p, ok)
	}
	if _, ok := g.Path("cpu"); ok {
		t.Error("a hierarchy that is not there was found")
	}
	if cache.parse([]byte("cpuset_cgroup=/a\x00io=/b\x00mem_cgroup=/c\x00perf=/d")) != g {
		t.Error("the same list was parsed twice")
	}
	if bad := cache.parse([]byte("cpu=/x\x00junk\x00")); len(bad.All) != 0 {
		t.Errorf("a broken list gives %v", bad.All)
	}
	if len(cache.parse(nil).All) != 0 {
		t.Error("an empty list gives groups")
	}
}

func TestNoContainerd(t *testing.T) {
	for _, c := range []struct{ path, with, without string }{
		{"/services/web-1", "web-1", ""},
		{"/k8s/" + strings.Repeat("ab", 32), "abababababab", "abababababab"},
	} {
		all := []Cgroup{{"memory", c.path}}
		with, without := (&finder{}).find(all), (&finder{noContainerd: true}).find(all)
		if got := with.shown(); got != c.with {
			t.Errorf("%s with containerd: %q, want %q", c.path, got, c.with)
		}
		if got := without.shown(); got != c.without {
			t.Errorf("%s without containerd: %q, want %q", c.path, got, c.without)
		}
	}
}
