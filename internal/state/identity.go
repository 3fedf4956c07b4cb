package state

import (
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/container"
)

// identity is the container that control groups name; the zero value is the host.
type identity struct {
	key       string // see container.Key; "" for the host
	id        string // whole, as far as the groups tell it
	namespace string // of containerd, where the id is a name
	kind      string // container.KindLXC and so on where the groups tell all there is to know, else ""
	home      string // the path up to the container's own group
	pod       string // uid of the Kubernetes pod, "" if the groups name none
}

// shown returns the id as container.id has it, "" for the host.
func (i *identity) shown() string { return container.Short(i.id) }

// finder finds containers in control groups.
type finder struct {
	noContainerd bool     // Config.NoContainerd
	live         bool     // Config.FollowAll: what Falco takes for containerd on little evidence is looked at more closely
	hidden       []string // Config.HiddenKinds
}

// find returns the container that the groups of a thread name. Of containers in containers it is the innermost.
func (f *finder) find(all []Cgroup) identity {
	var best identity
	for _, match := range [](func(string) identity){f.numbered, matchLXC, matchLibvirt, matchNspawn} {
		for i := range all {
			if id := match(all[i].Path); id.id != "" && len(id.home) > len(best.home) {
				best = id
			}
		}
	}
	for i := range all {
		if best.id != "" {
			break
		}
		if id := f.named(all[i].Path); id.id != "" && (!f.live || agree(all, all[i].Path)) {
			best = id
		}
	}
	if best.kind != "" && slices.Contains(f.hidden, best.kind) {
		return identity{}
	}
	if !f.live {
		best.namespace = "" // captures tell of containers without it
	}
	return best.clone()
}

// clone makes the identity independent of the text it was found in.
func (i identity) clone() identity {
	i.id, i.namespace, i.home, i.pod = strings.Clone(i.id), strings.Clone(i.namespace), strings.Clone(i.home), strings.Clone(i.pod)
	i.key = container.Key(i.namespace, i.id)
	return i
}

// agree reports whether all hierarchies have a thread in the same group. A path of two components says little; a runtime
// puts its containers into every hierarchy.
func agree(all []Cgroup, path string) bool {
	for i := range all {
		if all[i].Path != path {
			return false
		}
	}
	return true
}

// numberedNames are what runtimes that number containers with 64 hexadecimal digits call a container's group: what stands
// before and after the id (falco-core.md §6.4).
var numberedNames = []struct{ before, after string }{
	{"", ""},
	{"libpod-", ".scope"},
	{"libpod-", ""},
	{"libpod-payload-", ".scope"},
	{"libpod-payload-", ""},
	{"docker-", ".scope"},
	{"crio-", ".scope"},
	{"crio-", ""},
	{"cri-containerd-", ".scope"},
	{"nerdctl-", ".scope"},
}

// numbered finds the last component of a path that is a numbered container's group. What lies below it belongs to the
// container: it makes groups of its own.
func (f *finder) numbered(path string) identity {
	for end := len(path); end > 0; {
		start := strings.LastIndexByte(path[:end], '/') + 1
		if start == 0 {
			break // a path begins with a slash
		}
		if id := numberedID(path[start:end]); id != "" {
			return identity{id: id, home: path[:end], pod: podUID(path[:start])}
		}
		if id, ok := strings.CutPrefix(path[start:end], "bpm-"); ok {
			if id = strings.TrimSuffix(id, ".scope"); isName(id) {
				return identity{id: id, kind: container.KindBPM, home: path[:end]}
			}
		}
		end = start - 1
	}
	return identity{}
}

func numberedID(name string) string {
	// slice:prefix:id, of the driver that asks systemd for groups.
	if i := strings.LastIndex(name, ":cri-containerd:"); i >= 0 && container.IsID(name[i+len(":cri-containerd:"):]) {
		return name[i+len(":cri-containerd:"):]
	}
	for _, n := range numberedNames {
		if len(name) == len(n.before)+64+len(n.after) && strings.HasPrefix(name, n.before) && strings.HasSuffix(name, n.after) {
			if id := name[len(n.before) : len(n.before)+64]; container.IsID(id) {
				return id
			}
		}
	}
	return ""
}

// podUID finds the uid of a pod in the path above its containers: "pod<uid>", or "…-pod<uid>.slice" with underscores.
func podUID(path string) string {
	path = strings.TrimSuffix(path, "/")
	name := strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".slice")
	i := strings.LastIndex(name, "pod")
	if i < 0 || i > 0 && name[i-1] != '-' || len(name)-i-3 != 36 && len(name)-i-3 != 32 {
		return ""
	}
	uid := name[i+3:]
	for j := range len(uid) {
		if c := uid[j]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c == '-' || c == '_') {
			return ""
		}
	}
	return strings.ReplaceAll(uid, "_", "-")
}

// named finds "/namespace/id" paths of plain containerd (ctr): exactly two components, the id at most 64 bytes and no
// systemd unit.
func (f *finder) named(path string) identity {
	if f.noContainerd {
		return identity{}
	}
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return identity{}
	}
	ns, id, ok := strings.Cut(rest, "/")
	if !ok || !isName(id) || !isNamespace(ns) {
		return identity{}
	}
	for _, unit := range []string{".service", ".slice", ".scope"} {
		if strings.HasSuffix(id, unit) || strings.HasSuffix(ns, unit) {
			return identity{}
		}
	}
	return identity{id: id, namespace: ns, home: path}
}

// isName reports whether s can be the name of a container: 1 to 64 letters, digits and punctuation of names. Nothing else
// gets from a path into an id.
func isName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '_' || c == '-' || c == '@' || c == '+') {
			return false
		}
	}
	return true
}

// isNamespace says whether ns has the form of a containerd namespace: runs of letters and digits joined by one of "._-".
func isNamespace(ns string) bool {
	sep := true
	for i := 0; i < len(ns); i++ {
		c := ns[i]
		switch {
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			sep = false
		case (c == '.' || c == '_' || c == '-') && !sep:
			sep = true
		default:
			return false
		}
	}
	return !sep
}

func matchLXC(path string) identity {
	var best identity
	for _, mark := range []string{"/lxc/", "/lxc.payload/", "/lxc.payload."} {
		if i := strings.LastIndex(path, mark); i >= 0 {
			end := i + len(mark)
			if id, _, _ := strings.Cut(path[end:], "/"); isName(id) && end+len(id) > len(best.home) {
				best = identity{id: id, kind: container.KindLXC, home: path[:end+len(id)]}
			}
		}
	}
	return best
}

func matchLibvirt(path string) identity {
	found := func(id, home string) identity {
		if !isName(id) {
			return identity{}
		}
		return identity{id: id, kind: container.KindLibvirt, home: home}
	}
	if p, ok := strings.CutSuffix(path, ".libvirt-lxc"); ok {
		if i := strings.LastIndexByte(p, '/'); i >= 0 {
			return found(p[i+1:], path)
		}
	}
	p := strings.TrimSuffix(path, "/libvirt")
	if p, ok := strings.CutSuffix(p, ".scope"); ok {
		if _, id, ok := strings.Cut(p, `-lxc\x2`); ok {
			return found(strings.ReplaceAll(strings.TrimPrefix(id, "d"), `\x2d`, "-"), p+".scope")
		}
	}
	if before, rest, ok := strings.Cut(path, "/libvirt/lxc/"); ok {
		id, _, _ := strings.Cut(rest, "/")
		return found(id, before+"/libvirt/lxc/"+id)
	}
	return identity{}
}

// matchNspawn finds containers of systemd-nspawn: the group payload of its service, or the scope that it registers with
// systemd-machined, whose names of virtual machines begin with qemu (systemd-nspawn(1), systemd-machined(8)). Of several it is the
// innermost.
func matchNspawn(path string) identity {
	var best identity
	for start := 0; start < len(path); {
		end := len(path)
		if i := strings.IndexByte(path[start+1:], '/'); i >= 0 {
			end = start + 1 + i
		}
		part, rest := path[start+1:end], path[end:]
		name, ok := strings.CutPrefix(part, "systemd-nspawn@")
		if ok {
			name, ok = strings.CutSuffix(name, ".service")
			// Beside the payload there is the supervisor, which belongs to the host.
			ok = ok && (rest == "/payload" || strings.HasPrefix(rest, "/payload/"))
		} else if name, ok = strings.CutPrefix(part, "machine-"); ok {
			name, ok = strings.CutSuffix(name, ".scope")
			ok = ok && !strings.HasPrefix(name, `qemu\x2d`) && rest != "/supervisor"
		}
		if name = strings.ReplaceAll(name, `\x2d`, "-"); ok && isName(name) {
			best = identity{id: name, kind: container.KindNspawn, home: path[:end]}
		}
		start = end
	}
	return best
}
