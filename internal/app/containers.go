package app

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/metric"
	"github.com/saker-sec/saker/internal/plugin"
	"github.com/saker-sec/saker/internal/state"
)

// containerConfig returns what the configuration of the plugin container says about runtimes.
func (p *program) containerConfig() (container.Config, error) {
	text := ""
	for _, l := range p.plugins {
		if l.Name == plugin.Container {
			text = l.Config.InitConfig
		}
	}
	c, err := container.ParseConfig(text)
	if err != nil {
		return c, err
	}
	c.HostRoot, c.Log = p.env.Getenv("HOST_ROOT"), p.log.printf
	if p.conf.AlertHold > 0 {
		c.Patience = p.conf.AlertHold
	}
	return c, nil
}

// containerd says whether containerd runs on the machine: whether one of its sockets is there.
func containerd(c *container.Config) bool {
	for _, socket := range slices.Concat(c.Containerd, c.CRI) {
		if _, err := os.Stat(filepath.Join("/", c.HostRoot, socket)); err == nil {
			return true
		}
	}
	return false
}

// learn takes over what container runtimes tell.
func learn(s *state.State, r *container.Runtimes) {
	for {
		u, ok := r.Next()
		if !ok {
			return
		}
		s.LearnContainer(u)
	}
}

// containerMetrics translates the counters of the runtimes: ours, and those of Falco's plugin.
func containerMetrics(r *container.Runtimes) (*metric.Containers, []metric.Plugin) {
	s := r.Stats()
	own := &metric.Containers{
		Connected: s.Connected, Known: s.Known, Queued: s.Queued, Lookups: s.Lookups, Misses: s.Misses, Errors: s.Errors, Shed: s.Shed,
		Reconnects: s.Reconnects, Latency: s.Latency, Answers: s.Answers,
	}
	number := func(name string, n int) metric.Plugin {
		return metric.Plugin{Plugin: plugin.Container, Name: name, Gauge: true, Value: alert.Value{Kind: alert.Uint, Num: uint64(n)}}
	}
	return own, []metric.Plugin{number("n_containers", s.Known), number("n_missing_container_images", s.Nameless)}
}
