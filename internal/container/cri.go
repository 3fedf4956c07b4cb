package container

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/api/types"
	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// criRuntime speaks the interface that the kubelet speaks with runtimes.
type criRuntime struct {
	cfg     *Config
	conn    *grpc.ClientConn
	err     error // of the connection
	trouble func(error)

	mu   sync.Mutex
	kind string // from the runtime's name; "" before it was asked
}

func newCRI(socket string, cfg *Config, trouble func(error)) *criRuntime {
	d := &criRuntime{cfg: cfg, trouble: trouble}
	d.conn, d.err = dial(socket)
	return d
}

func (d *criRuntime) close() {
	if d.conn != nil {
		_ = d.conn.Close() // it ends the calls; nothing was written that could be lost
	}
}

func (d *criRuntime) runtime() cri.RuntimeServiceClient { return cri.NewRuntimeServiceClient(d.conn) }

// identify asks for the name of the runtime, which is the type of its containers.
func (d *criRuntime) identify(ctx context.Context) (string, error) {
	if d.err != nil {
		return "", d.err
	}
	d.mu.Lock()
	kind := d.kind
	d.mu.Unlock()
	if kind != "" {
		return kind, nil
	}
	v, err := d.runtime().Version(ctx, &cri.VersionRequest{})
	if err != nil {
		return "", err
	}
	switch v.GetRuntimeName() {
	case "containerd", "cri-o":
		kind = v.GetRuntimeName()
	default:
		kind = "cri"
	}
	d.mu.Lock()
	d.kind = kind
	d.mu.Unlock()
	return kind, nil
}

// relist is how often containers are listed where a runtime tells nothing by itself.
const relist = 30 * time.Second

func (d *criRuntime) watch(ctx context.Context, ready func(), found func(*Container), gone func(string)) error {
	call, stop := context.WithTimeout(ctx, callTime)
	kind, err := d.identify(call)
	stop()
	if unsupported(err) {
		// A containerd without its CRI plugin: there is nothing to follow until it is configured anew.
		ready()
		<-ctx.Done()
		return ctx.Err()
	}
	if err != nil {
		return said("asking for its version", err)
	}
	stream, err := d.runtime().GetContainerEvents(ctx, &cri.GetEventsRequest{})
	if err != nil {
		return said("subscribing to its events", err)
	}
	ready()
	began := time.Now()
	for first := true; ; first = false {
		e, err := stream.Recv()
		switch {
		case unsupported(err) && kind == "containerd":
			return d.watchContainerd(ctx, found, gone)
		case unsupported(err), errors.Is(err, io.EOF) && first && time.Since(began) < callTime:
			// cri-o without enable_pod_events, which is off by default, ends the stream at once.
			return d.poll(ctx, found, gone)
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil:
			return said("reading its events", err)
		}
		if e.GetContainerEventType() == cri.ContainerEventType_CONTAINER_DELETED_EVENT {
			gone(Short(e.GetContainerId()))
			continue
		}
		d.changed(ctx, e.GetContainerId(), found)
	}
}

// changed describes a container that something happened to.
func (d *criRuntime) changed(ctx context.Context, id string, found func(*Container)) {
	call, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	c, err := d.lookup(call, Wanted{ID: id})
	switch {
	case err == nil:
		found(c)
	case !errors.Is(err, errNone):
		d.trouble(err)
	}
}

// watchContainerd follows the events of containerd itself, for versions before 1.7, which tell nothing by CRI.
func (d *criRuntime) watchContainerd(ctx context.Context, found func(*Container), gone func(string)) error {
	return followContainerd(ctx, d.conn, func() {}, func(e *types.Envelope, id string) {
		switch {
		case e.GetNamespace() != "k8s.io":
		case e.GetTopic() == "/containers/delete":
			gone(Short(id))
		default:
			d.changed(ctx, id, found)
		}
	})
}

// poll lists containers again and again.
func (d *criRuntime) poll(ctx context.Context, found func(*Container), gone func(string)) error {
	t := time.NewTicker(relist)
	defer t.Stop()
	// Who calls lists too, and at the same time: what is gone between the two is told of here.
	before, err := d.ids(ctx)
	for ; err == nil; before, err = d.again(ctx, before, found, gone) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
	return err
}

// again lists the containers once more: those that were there before and are not any more are gone. It returns those that there are.
func (d *criRuntime) again(ctx context.Context, before []string, found func(*Container), gone func(string)) ([]string, error) {
	ids, err := d.ids(ctx)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(ids))
	for _, id := range ids {
		there[id] = true
	}
	for _, id := range before {
		if !there[id] {
			gone(Short(id))
		}
	}
	return ids, describe(ctx, d, ids, found, d.trouble)
}

func (d *criRuntime) list(ctx context.Context, found func(*Container)) error {
	ids, err := d.ids(ctx)
	if err != nil {
		return err
	}
	return describe(ctx, d, ids, found, d.trouble)
}

// ids lists the ids of all pods and containers.
func (d *criRuntime) ids(ctx context.Context) ([]string, error) {
	call, stop := context.WithTimeout(ctx, listTime)
	defer stop()
	if _, err := d.identify(call); unsupported(err) {
		return nil, nil
	} else if err != nil {
		return nil, said("asking for its version", err)
	}
	pods, err := d.runtime().ListPodSandbox(call, &cri.ListPodSandboxRequest{})
	if err != nil {
		return nil, said("listing its pods", err)
	}
	all, err := d.runtime().ListContainers(call, &cri.ListContainersRequest{})
	if err != nil {
		return nil, said("listing its containers", err)
	}
	var ids []string
	for _, p := range pods.GetItems() {
		ids = append(ids, p.GetId())
	}
	for _, c := range all.GetContainers() {
		ids = append(ids, c.GetId())
	}
	return ids, nil
}

// criInfo is what is used of the JSON text that runtimes add to a status.
type criInfo struct {
	SandboxID  string          `json:"sandboxID"`
	Privileged *bool           `json:"privileged"`
	Image      string          `json:"image"`
	CNIResult  json.RawMessage `json:"cniResult"`
	Spec       *spec           `json:"runtimeSpec"`
	Config     struct {
		Linux struct {
			SecurityContext struct {
				Privileged *bool `json:"privileged"`
			} `json:"security_context"`
		} `json:"linux"`
	} `json:"config"`
}

func parseInfo(m map[string]string) (*criInfo, error) {
	out := &criInfo{}
	text := m["info"]
	if text == "" {
		return out, nil
	}
	if err := json.Unmarshal([]byte(text), out); err != nil {
		return out, fmt.Errorf("its further information is not what was expected: %w", err)
	}
	return out, nil
}

// privileged looks in the three places where runtimes have it.
func (i *criInfo) privileged() Truth {
	switch {
	case i.Privileged != nil:
		return truth(*i.Privileged)
	case i.Config.Linux.SecurityContext.Privileged != nil:
		return truth(*i.Config.Linux.SecurityContext.Privileged)
	case i.Spec != nil:
		if v, ok := i.Spec.Annotations["io.kubernetes.cri-o.PrivilegedRuntime"]; ok {
			return truth(v == "true")
		}
		// What is missing from the configuration is false.
		return False
	}
	return Unknown
}

func (d *criRuntime) lookup(ctx context.Context, want Wanted) (*Container, error) {
	if !IsID(want.ID) {
		return nil, errNone // pods are run under ids of 64 digits
	}
	kind, err := d.identify(ctx)
	if unsupported(err) {
		return nil, errNone
	}
	if err != nil {
		return nil, said("asking for its version", err)
	}
	resp, err := d.runtime().ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: want.ID, Verbose: true})
	if missing(err) {
		return d.sandbox(ctx, kind, want.ID)
	}
	if err != nil {
		return nil, said("asking for container "+want.ID, err)
	}
	s := resp.GetStatus()
	if s.GetId() != want.ID {
		return nil, fmt.Errorf("asked for container %s, it answers about %q", want.ID, cut(s.GetId(), 2*idDigits))
	}
	info, err := parseInfo(resp.GetInfo())
	if err != nil {
		d.trouble(err)
	}
	c := &Container{ID: s.GetId(), Type: kind, rank: rankCRI, Name: s.GetMetadata().GetName(), Privileged: info.privileged()}
	d.image(ctx, c, s, info)
	for _, m := range s.GetMounts()[:min(len(s.GetMounts()), maxMounts)] {
		c.Mounts = append(c.Mounts, Mount{
			Source: m.GetHostPath(), Destination: m.GetContainerPath(), Mode: mode(m.GetReadonly()), Writable: !m.GetReadonly(),
			Propagation: criPropagation(m.GetPropagation()),
		})
	}
	c.Pod.SandboxID = info.SandboxID
	if c.Pod.SandboxID == "" && info.Spec != nil {
		c.Pod.SandboxID = cmp.Or(info.Spec.Annotations["io.kubernetes.cri.sandbox-id"], info.Spec.Annotations["io.kubernetes.cri-o.SandboxID"])
	}
	d.pod(ctx, c, c.Pod.SandboxID)
	c.finish(s.GetLabels(), d.cfg.LabelLimit)
	return c, nil
}

// image fills in the image. Where the runtime gives an id for its name, the name stands in an annotation.
func (d *criRuntime) image(ctx context.Context, c *Container, s *cri.ContainerStatus, info *criInfo) {
	name := s.GetImage().GetImage()
	if (name == "" || isImageID(name)) && info.Spec != nil {
		a := info.Spec.Annotations
		name = cmp.Or(a["io.kubernetes.cri.image-name"], a["io.kubernetes.cri-o.ImageName"], s.GetImage().GetUserSpecifiedImage(), name)
	}
	ref := s.GetImageRef()
	id := cmp.Or(s.GetImageId(), ref)
	var tags, digests []string
	if strings.Contains(ref, "@") {
		digests = append(digests, ref)
	}
	if st, err := cri.NewImageServiceClient(d.conn).ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: cmp.Or(id, name)}}); err == nil {
		tags = st.GetImage().GetRepoTags()
		digests = append(digests, st.GetImage().GetRepoDigests()...)
		id = cmp.Or(st.GetImage().GetId(), id)
	} else if !missing(err) && !unsupported(err) {
		c.Partial = true
		d.trouble(said("asking for an image", err))
	}
	c.setImage(name, tags, digests)
	if isImageID(id) {
		c.ImageID = strings.TrimPrefix(id, "sha256:")
	}
}

// pod fills in what the sandbox of a container tells.
func (d *criRuntime) pod(ctx context.Context, c *Container, id string) {
	if id == "" {
		return
	}
	resp, err := d.runtime().PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id, Verbose: true})
	if err != nil {
		if !missing(err) {
			c.Partial = true
			d.trouble(said("asking for pod sandbox "+cut(id, idDigits), err))
		}
		return
	}
	d.describePod(c, resp)
}

func (d *criRuntime) describePod(c *Container, resp *cri.PodSandboxStatusResponse) *criInfo {
	s := resp.GetStatus()
	info, err := parseInfo(resp.GetInfo())
	if err != nil {
		d.trouble(err)
	}
	m, p := s.GetMetadata(), &c.Pod
	p.Name, p.Namespace, p.UID, p.SandboxID = m.GetName(), m.GetNamespace(), m.GetUid(), s.GetId()
	p.Labels = labels(s.GetLabels(), d.cfg.LabelLimit)
	p.IP = s.GetNetwork().GetIp()
	c.IP = p.IP
	if o := s.GetLinux().GetNamespaces().GetOptions(); o != nil {
		c.HostNetwork = truth(o.GetNetwork() == cri.NamespaceMode_NODE)
		c.HostPID = truth(o.GetPid() == cri.NamespaceMode_NODE)
		c.HostIPC = truth(o.GetIpc() == cri.NamespaceMode_NODE)
	}
	p.CNI = string(info.CNIResult)
	if p.CNI == "null" {
		p.CNI = ""
	}
	if p.CNI == "" && info.Spec != nil {
		p.CNI = info.Spec.Annotations["io.kubernetes.cri-o.CNIResult"]
	}
	c.CNI = p.CNI
	return info
}

// sandbox describes the container that holds a pod together.
func (d *criRuntime) sandbox(ctx context.Context, kind, id string) (*Container, error) {
	resp, err := d.runtime().PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id, Verbose: true})
	if missing(err) {
		return nil, errNone
	}
	if err != nil {
		return nil, said("asking for pod sandbox "+id, err)
	}
	if got := resp.GetStatus().GetId(); got != id {
		return nil, fmt.Errorf("asked for pod sandbox %s, it answers about %q", id, cut(got, 2*idDigits))
	}
	c := &Container{ID: id, Type: kind, rank: rankCRI, Sandbox: true, Privileged: False}
	info := d.describePod(c, resp)
	c.Name = c.Pod.Name
	image := info.Image
	if info.Spec != nil {
		image = cmp.Or(image, info.Spec.Annotations["io.kubernetes.cri.image-name"], info.Spec.Annotations["io.kubernetes.cri-o.ImageName"])
	}
	c.setImage(image, nil, nil)
	c.finish(resp.GetStatus().GetLabels(), d.cfg.LabelLimit)
	return c, nil
}

func criPropagation(p cri.MountPropagation) string {
	switch p {
	case cri.MountPropagation_PROPAGATION_HOST_TO_CONTAINER:
		return "rslave"
	case cri.MountPropagation_PROPAGATION_BIDIRECTIONAL:
		return "rshared"
	}
	return "private"
}
