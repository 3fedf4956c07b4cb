package kube

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Collector follows the pods of one node by asking an existing k8s-metacollector.
type Collector struct {
	Mailbox
	node, address string
	creds         credentials.TransportCredentials
	report        *reporter

	mu      sync.Mutex
	objects map[string]*collected // by UID, pods and all else
	pods    int
	round   uint64 // number of the stream that is open
}

// collected is an object as the collector described it.
type collected struct {
	object    *Object
	namespace string
	ip        string
	refs      map[string][]string // of a pod
	round     uint64              // the stream that told of it last
}

// How long to wait before a stream is opened again, and after which time objects that a new stream does not tell of are taken
// for gone: the collector sends all that it knows when a stream begins, without saying where that ends.
const (
	collectFirst = time.Second
	collectMost  = 2 * time.Minute
	settleTime   = time.Minute
	maxObjects   = 1 << 18
	maxMessage   = 16 << 20
)

// NewCollector returns what follows the pods of the named node, once Run runs. caBundle is a file with the certificates that
// the collector's may be signed by; "" speaks without TLS, as Falco's plugin does.
func NewCollector(host string, port int, caBundle, node string, log func(string)) (*Collector, error) {
	if port <= 0 || port > 65535 {
		return nil, fmt.Errorf("collectorPort is %d, expected 1 to 65535; k8s-metacollector listens on 45000", port)
	}
	c := &Collector{
		node: node, address: net.JoinHostPort(host, fmt.Sprint(port)), creds: insecure.NewCredentials(), report: newReporter(log),
		objects: map[string]*collected{},
	}
	if caBundle != "" {
		pem, err := os.ReadFile(caBundle)
		if err != nil {
			return nil, fmt.Errorf("reading caPEMBundle: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("caPEMBundle %s holds no certificate in PEM form", caBundle)
		}
		c.creds = credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
	}
	return c, nil
}

// NewRecorded returns what follows pods by the events of Falco's plugin in a capture (ApplyJSON) rather than by Run.
func NewRecorded() *Collector {
	return &Collector{report: newReporter(nil), objects: map[string]*collected{}}
}

// ApplyJSON takes over an event as Falco's plugin writes it into captures: the message of the collector as JSON.
func (c *Collector) ApplyJSON(data []byte) error {
	var m struct {
		Reason, UID, Kind, Meta, Status string
		Refs                            struct {
			Resources map[string]struct {
				List []string
			}
		}
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("reading an event of k8smeta: %w", err)
	}
	e := message{reason: m.Reason, uid: m.UID, kind: m.Kind, meta: m.Meta, status: m.Status, refs: map[string][]string{}}
	for kind, r := range m.Refs.Resources {
		e.refs[kind] = r.List[:min(len(r.List), maxPerPod)]
	}
	return c.apply(&e)
}

// Stats returns the counters.
func (c *Collector) Stats() Stats {
	c.mu.Lock()
	s := Stats{Pods: uint64(c.pods), Owners: uint64(len(c.objects) - c.pods)}
	c.mu.Unlock()
	c.report.fill(&s)
	return s
}

// Run follows the pods until ctx is done.
func (c *Collector) Run(ctx context.Context) {
	conn, err := grpc.NewClient("passthrough:///"+c.address, grpc.WithTransportCredentials(c.creds), grpc.WithDisableServiceConfig(), grpc.WithUserAgent("saker"),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{}), grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		c.failed(err)
		return
	}
	defer func() { _ = conn.Close() }()
	wait := collectFirst
	for ctx.Err() == nil {
		begin := time.Now()
		err := c.stream(ctx, conn)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, io.EOF) {
			err = errors.New("it ended the stream")
		}
		c.failed(err)
		if time.Since(begin) > collectMost {
			wait = collectFirst
		}
		pause := time.NewTimer(wait + rand.N(wait/2))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
		wait = min(2*wait, collectMost)
	}
}

func (c *Collector) what() string { return "asking the k8s-metacollector at " + c.address }

// failed reports an error of the stream; all of them are one thing until it works again.
func (c *Collector) failed(err error) {
	c.report.errors.Add(1)
	c.report.once(c.what(), fmt.Sprintf("%s: %v; it is tried again until it works", c.what(), err))
}

// stream asks for everything and takes over what comes until the stream ends.
func (c *Collector) stream(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{StreamName: "Watch", ServerStreams: true}, "/metadata.Metadata/Watch")
	if err != nil {
		return err
	}
	// Falco's plugin asks for ReplicaController, a kind that no collector has.
	kinds := []string{"Pod", "Namespace", "Deployment", "Service", "ReplicaSet", "ReplicationController", "DaemonSet"}
	if err := s.SendMsg(&selector{node: c.node, kinds: kinds}); err != nil {
		return err
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	c.mu.Lock()
	c.round++
	c.mu.Unlock()
	defer time.AfterFunc(settleTime, c.settle).Stop()
	var m message
	for first := true; ; first = false {
		if err := s.RecvMsg(&m); err != nil {
			return err
		}
		if first {
			c.report.lists.Add(1)
			c.report.worked(c.what())
		}
		if err := c.apply(&m); err != nil {
			c.report.unreadable.Add(1)
			c.report.once("reading events", fmt.Sprintf("%s: an event cannot be read and is left out: %v", c.what(), err))
		}
	}
}

// settle removes what the stream did not tell of.
func (c *Collector) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for uid, o := range c.objects {
		if o.round != c.round {
			c.remove(uid, o)
		}
	}
}

func (c *Collector) remove(uid string, o *collected) {
	delete(c.objects, uid)
	if o.object.Kind == "Pod" {
		c.pods--
		c.put(uid, nil)
		return
	}
	c.republish(o.object.Kind, uid)
}

// apply takes one event over.
func (c *Collector) apply(m *message) error {
	if m.uid == "" || len(m.uid) > maxName || len(m.kind) > maxName {
		return fmt.Errorf("uid %q, kind %q", clip(m.uid), clip(m.kind))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.objects[m.uid]
	switch m.reason {
	case "Delete":
		if old != nil {
			c.remove(m.uid, old)
		}
		return nil
	case "Create", "Update":
	default:
		return errReason
	}
	var meta metadata
	if err := json.Unmarshal([]byte(m.meta), &meta); err != nil {
		return fmt.Errorf("metadata of %s %s: %w", m.kind, m.uid, err)
	}
	var status struct {
		PodIP string `json:"podIP"`
	}
	if m.status != "" {
		if err := json.Unmarshal([]byte(m.status), &status); err != nil {
			return fmt.Errorf("status of %s %s: %w", m.kind, m.uid, err)
		}
	}
	if old == nil && len(c.objects) >= maxObjects {
		c.report.shed.Add(1)
		return nil
	}
	meta.UID = m.uid
	object := meta.object(text(m.kind), c.report)
	o := &collected{object: &object, namespace: text(meta.Namespace), ip: status.PodIP[:min(len(status.PodIP), maxName)], refs: m.refs, round: c.round}
	if old != nil && (old.object.Kind == "Pod") != (m.kind == "Pod") {
		return fmt.Errorf("%s was a %s and is said to be a %s", m.uid, old.object.Kind, clip(m.kind))
	}
	c.objects[m.uid] = o
	if m.kind != "Pod" {
		c.republish(m.kind, m.uid)
		return nil
	}
	if old == nil {
		c.pods++
	}
	c.publish(m.uid, o)
	return nil
}

// republish hands the pods on that refer to an object.
func (c *Collector) republish(kind, uid string) {
	for podUID, o := range c.objects {
		if slices.Contains(o.refs[kind], uid) {
			c.publish(podUID, o)
		}
	}
}

// publish joins a pod with what it refers to.
func (c *Collector) publish(uid string, o *collected) {
	p := &Pod{Object: *o.object, IP: o.ip, Node: c.node, Namespace: &Object{Kind: "Namespace", Name: o.namespace}}
	if ns := c.referred(o, "Namespace"); ns != nil && ns.Name != "" {
		p.Namespace = ns
	} else if ns != nil {
		p.Namespace = &Object{Kind: "Namespace", Name: o.namespace, UID: ns.UID}
	}
	for _, kind := range []string{"ReplicaSet", "Deployment", "ReplicationController", "DaemonSet"} {
		if owner := c.referred(o, kind); owner != nil {
			p.Owners = append(p.Owners, owner)
		}
	}
	for _, uid := range o.refs["Service"] {
		if known := c.objects[uid]; known != nil {
			p.Services = append(p.Services, known.object)
		} else {
			p.Services = append(p.Services, &Object{Kind: "Service", UID: text(uid)})
		}
	}
	slices.SortFunc(p.Services, func(x, y *Object) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.UID, y.UID)) })
	c.put(uid, p)
}

// referred returns the first object of a kind that a pod refers to: with its UID alone while nothing more is known.
func (c *Collector) referred(o *collected, kind string) *Object {
	uids := o.refs[kind]
	if len(uids) == 0 {
		return nil
	}
	if known := c.objects[uids[0]]; known != nil {
		return known.object
	}
	return &Object{Kind: kind, UID: text(uids[0])}
}
