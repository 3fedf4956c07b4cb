package state

import (
	"bytes"
	"strings"

	"github.com/saker-sec/saker/internal/event"
)

// Cgroups are the control groups of a thread; immutable and shared.
type Cgroups struct {
	All  []Cgroup
	Text string // "subsystem=path" pairs joined by blanks, as thread.cgroups prints them

	identity identity
	asked    uint64 // when Config.NeedAccounts was called for the container
	raw      []byte
}

// Cgroup is the path of a thread in one hierarchy.
type Cgroup struct{ Subsystem, Path string }

// Path returns the path in the named hierarchy.
func (c *Cgroups) Path(subsystem string) (string, bool) {
	for i := range c.All {
		if c.All[i].Subsystem == subsystem {
			return c.All[i].Path, true
		}
	}
	return "", false
}

// Container returns the id of the container that the groups belong to, "" for the host.
func (c *Cgroups) Container() string { return c.identity.shown() }

// cgroupCache turns the encoded lists into Cgroups, of which there are few: one per container or service. Entries with
// the same hash replace each other; threads keep what they have.
type cgroupCache struct {
	finder finder

	none  Cgroups
	slots [1024]*Cgroups
}

// maxCachedCgroups bounds the length of the lists that are cached; real ones have a few hundred bytes.
const maxCachedCgroups = 8192

// parse returns the groups of a NUL-separated list of "subsystem=path".
func (c *cgroupCache) parse(raw []byte) *Cgroups {
	raw = trimNUL(raw)
	if len(raw) == 0 {
		return &c.none
	}
	h := uint32(2166136261)
	for _, b := range raw {
		h = (h ^ uint32(b)) * 16777619
	}
	if len(raw) > maxCachedCgroups {
		return c.finder.parse(bytes.Clone(raw))
	}
	slot := &c.slots[(h^h>>16)%uint32(len(c.slots))]
	if *slot == nil || !bytes.Equal((*slot).raw, raw) {
		*slot = c.finder.parse(bytes.Clone(raw))
	}
	return *slot
}

func (f *finder) parse(raw []byte) *Cgroups {
	g := &Cgroups{raw: raw}
	var text strings.Builder
	for _, def := range splitNUL(nil, event.View(raw)) {
		sub, path, ok := strings.Cut(def, "=")
		if !ok {
			// One entry without "=" voids the list, as in Falco.
			return &Cgroups{raw: raw}
		}
		g.All = append(g.All, Cgroup{subsystem(sub), path})
	}
	for i, x := range g.All {
		if i > 0 {
			text.WriteByte(' ')
		}
		text.WriteString(x.Subsystem)
		text.WriteByte('=')
		text.WriteString(x.Path)
	}
	g.Text = text.String()
	g.identity = f.find(g.All)
	return g
}

// subsystem returns the name that a hierarchy has in fields: without "_cgroup", and with the short names spelled out.
func subsystem(name string) string {
	if i := strings.Index(name, "_cgroup"); i >= 0 {
		name = name[:i] + name[i+len("_cgroup"):]
	}
	switch name {
	case "perf":
		return "perf_event"
	case "mem":
		return "memory"
	case "io":
		return "blkio"
	}
	return name
}
