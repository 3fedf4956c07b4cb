package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/engine"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/kube"
	"github.com/saker-sec/saker/internal/metric"
	"github.com/saker-sec/saker/internal/plugin"
	"github.com/saker-sec/saker/internal/state"
)

// cluster is what Kubernetes tells while the machine is watched: the pods of the node, and what changes in the cluster. It is
// asked in goroutines of its own; the loop takes over what came between two events.
type cluster struct {
	pods    *kube.Mailbox // nil when no plugin asks for pods
	changes *kube.Changes // nil when no plugin asks for changes
	source  uint16        // index of the event source of changes
	run     []func(context.Context)
	stats   func() kube.Stats // of the pods; nil without

	waiting [][]byte // payloads of changes that the loop took over
	enc     event.Encoder
	num     uint64

	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// clusterConfig is the init_config of the plugins k8smeta and k8s_change.
type clusterConfig struct {
	CollectorHostname string   `json:"collectorHostname"`
	CollectorPort     *int     `json:"collectorPort"`
	NodeName          string   `json:"nodeName"`
	CABundle          string   `json:"caPEMBundle"`
	Kubeconfig        string   `json:"kubeconfig"`
	Kinds             []string `json:"kinds"`
}

// collectorPort is where k8s-metacollector listens unless it is told otherwise.
const collectorPort = 45000

// openCluster prepares what the plugins ask for; nil if they ask for nothing. No server is asked yet.
func (p *program) openCluster() (*cluster, error) {
	k := &cluster{}
	if l := p.loadedPlugin(plugin.K8smeta); l != nil {
		if err := p.openPods(k, l.Config.InitConfig); err != nil {
			return nil, fmt.Errorf("plugin %s: %w", l.Name, err)
		}
	}
	if l := p.loadedPlugin(plugin.K8sChange); l != nil && !p.off[l.Source] {
		if err := p.openChanges(k, l.Config.InitConfig); err != nil {
			return nil, fmt.Errorf("plugin %s: %w", l.Name, err)
		}
		k.source = uint16(slices.Index(p.fields.Sources, l.Source))
	}
	if len(k.run) == 0 {
		return nil, nil
	}
	return k, nil
}

func parseCluster(text string) (clusterConfig, error) {
	var c clusterConfig
	if strings.TrimSpace(text) == "" {
		return c, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("reading init_config: %w", err)
	}
	return c, nil
}

func (p *program) logLine(line string) { p.log.printf("%s", line) }

func (p *program) openPods(k *cluster, text string) error {
	c, err := parseCluster(text)
	if err != nil {
		return err
	}
	node, err := p.node(c.NodeName)
	if err != nil {
		return err
	}
	if c.CollectorHostname != "" {
		port := collectorPort
		if c.CollectorPort != nil {
			port = *c.CollectorPort
		}
		w, err := kube.NewCollector(c.CollectorHostname, port, c.CABundle, node, p.logLine)
		if err != nil {
			return err
		}
		k.pods, k.stats, k.run = &w.Mailbox, w.Stats, append(k.run, w.Run)
		return nil
	}
	client, err := kube.Connect(p.kubeconfig(&c))
	if err != nil {
		return err
	}
	w := kube.NewAPI(client, node, p.logLine)
	k.pods, k.stats, k.run = &w.Mailbox, w.Stats, append(k.run, w.Run)
	return nil
}

func (p *program) openChanges(k *cluster, text string) error {
	c, err := parseCluster(text)
	if err != nil {
		return err
	}
	client, err := kube.Connect(p.kubeconfig(&c))
	if err != nil {
		return err
	}
	if k.changes, err = kube.OpenChanges(client, c.Kinds, p.logLine); err != nil {
		return err
	}
	k.run = append(k.run, k.changes.Run)
	return nil
}

// kubeconfig returns the file that says where the API server is, "" for the service account of a pod. As with kubectl, a
// service account counts only where no file is named.
func (p *program) kubeconfig(c *clusterConfig) string {
	return cmp.Or(c.Kubeconfig, p.env.Getenv("KUBECONFIG"))
}

// node returns the name of the node: the configured one, in which ${NAME} stands for a variable of the environment.
func (p *program) node(configured string) (string, error) {
	if configured != "" {
		name := os.Expand(configured, p.env.Getenv)
		if name == "" {
			return "", fmt.Errorf("nodeName %s is empty: the variable has to be set from spec.nodeName of the pod", configured)
		}
		return name, nil
	}
	if name := cmp.Or(p.env.Getenv("FALCO_K8S_NODE_NAME"), p.env.Getenv("NODE_NAME")); name != "" {
		return name, nil
	}
	if name := p.hostname(); name != "" {
		return name, nil
	}
	return "", errors.New("the name of the node is not known: set nodeName in init_config, or FALCO_K8S_NODE_NAME")
}

// join begins to ask, and ends that when the source is closed.
func (o *opened) join(k *cluster) {
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	for _, run := range k.run {
		k.ended.Go(func() { run(ctx) })
	}
	o.cluster = k
	end := o.close
	o.close = func() error {
		k.cancel()
		k.ended.Wait()
		return end()
	}
	if k.changes != nil {
		o.what += " and the cluster"
	}
}

// joined returns the source with what is beside it.
func (o *opened) joined() engine.Source {
	if o.cluster == nil {
		return o.source
	}
	return &withCluster{source: o.source, state: o.state, cluster: o.cluster}
}

// withCluster is a source and the cluster beside it.
type withCluster struct {
	source  engine.Source
	state   *state.State
	cluster *cluster
}

// Next takes over what is known of pods, and gives the next change of the cluster, or else the next event of the source.
func (w *withCluster) Next(e *event.Event) error {
	k := w.cluster
	if k.pods != nil && k.pods.Waiting() {
		k.pods.Take(w.state.LearnPod)
	}
	if k.changes != nil && (len(k.waiting) > 0 || k.changes.Waiting()) {
		return k.next(e)
	}
	e.Source = 0
	return w.source.Next(e)
}

// next gives the next change.
func (k *cluster) next(e *event.Event) error {
	if len(k.waiting) == 0 {
		if k.waiting = k.changes.Take(); len(k.waiting) == 0 {
			return event.ErrIdle
		}
	}
	payload := k.waiting[0]
	k.waiting[0], k.waiting = nil, k.waiting[1:]
	k.num++
	k.enc.Begin(event.PlugineventE, uint64(time.Now().UnixNano()), -1)
	k.enc.Uint32(plugin.K8sChangeID)
	k.enc.Raw(payload)
	e.Num, e.CPU, e.Dump, e.Source = k.num, 0, 0, k.source
	return e.Decode(k.enc.Bytes())
}

// metrics translates the counters.
func (k *cluster) metrics() *metric.Cluster {
	m := &metric.Cluster{}
	add := func(s kube.Stats) {
		m.Lists += s.Lists
		m.Lookups += s.Lookups
		m.LookupsFailed += s.LookupsFailed
		m.Errors += s.Errors
		m.Unreadable += s.Unreadable
		m.Shed += s.Shed
	}
	if k.stats != nil {
		s := k.stats()
		m.Pods, m.Services, m.Owners = s.Pods, s.Services, s.Owners
		add(s)
	}
	if k.changes != nil {
		s := k.changes.Stats()
		m.Objects, m.Dropped = s.Owners, k.changes.Dropped()
		add(s)
	}
	return m
}
