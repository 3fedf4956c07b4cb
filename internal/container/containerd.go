package container

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	containers "github.com/containerd/containerd/api/services/containers/v1"
	content "github.com/containerd/containerd/api/services/content/v1"
	eventsapi "github.com/containerd/containerd/api/services/events/v1"
	images "github.com/containerd/containerd/api/services/images/v1"
	namespaces "github.com/containerd/containerd/api/services/namespaces/v1"
	"github.com/containerd/containerd/api/types"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
)

// containerd speaks containerd's own API, for what nerdctl and ctr run; of what docker and Kubernetes run with it, it knows
// less than they do.
type containerd struct {
	cfg     *Config
	conn    *grpc.ClientConn
	err     error // of the connection
	images  manifests
	trouble func(error)
}

func newContainerd(socket string, cfg *Config, trouble func(error)) *containerd {
	d := &containerd{cfg: cfg, trouble: trouble}
	d.conn, d.err = dial(socket)
	return d
}

func (d *containerd) close() {
	if d.conn != nil {
		_ = d.conn.Close() // it ends the calls; nothing was written that could be lost
	}
}

// maxNamespaces bounds the namespaces that are asked one after the other.
const maxNamespaces = 64

func (d *containerd) namespaces(ctx context.Context) ([]string, error) {
	if d.err != nil {
		return nil, d.err
	}
	resp, err := namespaces.NewNamespacesClient(d.conn).List(ctx, &namespaces.ListNamespacesRequest{})
	if err != nil {
		return nil, said("listing its namespaces", err)
	}
	var out []string
	for _, n := range resp.GetNamespaces()[:min(len(resp.GetNamespaces()), maxNamespaces)] {
		out = append(out, n.GetName())
	}
	return out, nil
}

func (d *containerd) list(ctx context.Context, found func(*Container)) error {
	call, stop := context.WithTimeout(ctx, listTime)
	defer stop()
	all, err := d.namespaces(call)
	if err != nil {
		return err
	}
	for _, ns := range all {
		if err := d.listNamespace(ctx, ns, found); err != nil {
			return err
		}
	}
	return nil
}

func (d *containerd) listNamespace(ctx context.Context, ns string, found func(*Container)) error {
	call, stop := context.WithTimeout(ctx, listTime)
	defer stop()
	resp, err := containers.NewContainersClient(d.conn).List(in(call, ns), &containers.ListContainersRequest{})
	if err != nil {
		return said("listing the containers of namespace "+ns, err)
	}
	hung := 0
	for _, x := range resp.GetContainers()[:min(len(resp.GetContainers()), maxPicture)] {
		one, stop := context.WithTimeout(ctx, callTime)
		found(d.describe(one, ns, x))
		late := one.Err() != nil
		stop()
		if !late {
			hung = 0
		} else if hung++; hung == maxHung {
			return fmt.Errorf("listing the containers of namespace %s: it does not answer any more", ns)
		}
	}
	return nil
}

// topics are the events that tell of containers.
var topics = []string{`topic=="/containers/create"`, `topic=="/containers/update"`, `topic=="/tasks/start"`, `topic=="/containers/delete"`}

func (d *containerd) watch(ctx context.Context, ready func(), found func(*Container), gone func(string)) error {
	if d.err != nil {
		return d.err
	}
	return followContainerd(ctx, d.conn, ready, func(e *types.Envelope, id string) {
		ns := e.GetNamespace()
		if e.GetTopic() == "/containers/delete" {
			gone(Key(ns, id))
			return
		}
		if e.GetTopic() == "/containers/create" && d.cfg.NoCreate {
			return
		}
		call, stop := context.WithTimeout(ctx, callTime)
		defer stop()
		c, err := d.get(call, ns, id)
		switch {
		case err == nil:
			found(c)
		case !errors.Is(err, errNone):
			d.trouble(err)
		}
	})
}

// followContainerd calls f with each event about a container.
func followContainerd(ctx context.Context, conn *grpc.ClientConn, ready func(), f func(e *types.Envelope, id string)) error {
	stream, err := eventsapi.NewEventsClient(conn).Subscribe(ctx, &eventsapi.SubscribeRequest{Filters: topics})
	if err != nil {
		return said("subscribing to its events", err)
	}
	// The server subscribes when it takes the call; it takes one after it only in turn on this connection.
	call, stop := context.WithTimeout(ctx, callTime)
	_, err = namespaces.NewNamespacesClient(conn).List(call, &namespaces.ListNamespacesRequest{})
	stop()
	if err != nil {
		return said("listing its namespaces", err)
	}
	ready()
	for {
		e, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil:
			return said("reading its events", err)
		}
		// In all events that are subscribed to, the container's id is the first field.
		if id := firstText(e.GetEvent().GetValue()); id != "" && len(id) <= maxText {
			f(e, id)
		}
	}
}

// firstText returns field 1 of an encoded message when it is a text.
func firstText(b []byte) string {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return ""
		}
		b = b[n:]
		if num == 1 && kind == protowire.BytesType {
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return ""
			}
			return string(v)
		}
		n = protowire.ConsumeFieldValue(num, kind, b)
		if n < 0 {
			return ""
		}
		b = b[n:]
	}
	return ""
}

func (d *containerd) lookup(ctx context.Context, want Wanted) (*Container, error) {
	if want.Namespace != "" {
		c, err := d.get(ctx, want.Namespace, want.ID)
		if !errors.Is(err, errNone) || !IsID(want.ID) {
			return c, err
		}
	}
	if !IsID(want.ID) {
		return nil, errNone // a name is nothing without its namespace
	}
	all, err := d.namespaces(ctx)
	if err != nil {
		return nil, err
	}
	for _, ns := range all {
		c, err := d.get(ctx, ns, want.ID)
		if !errors.Is(err, errNone) {
			return c, err
		}
	}
	return nil, errNone
}

// get describes the container of a namespace.
func (d *containerd) get(ctx context.Context, ns, id string) (*Container, error) {
	if d.err != nil {
		return nil, d.err
	}
	resp, err := containers.NewContainersClient(d.conn).Get(in(ctx, ns), &containers.GetContainerRequest{ID: id})
	if missing(err) {
		return nil, errNone
	}
	if err != nil {
		return nil, said("asking for container "+cut(id, idDigits), err)
	}
	x := resp.GetContainer()
	if x.GetID() != id {
		return nil, fmt.Errorf("asked for container %s, it answers about %q", cut(id, idDigits), cut(x.GetID(), idDigits))
	}
	return d.describe(ctx, ns, x), nil
}

// describe turns containerd's words into ours.
func (d *containerd) describe(ctx context.Context, ns string, x *containers.Container) *Container {
	c := &Container{ID: x.GetID(), Namespace: ns, Type: "containerd", rank: rankContainerd}
	c.Partial = ns == "k8s.io" && len(d.cfg.CRI) > 0 || ns == "moby" && len(d.cfg.Docker) > 0
	l := x.GetLabels()
	c.Name = cmp.Or(l["nerdctl/name"], l[labelName], Short(x.GetID()))
	c.Sandbox = l["io.cri-containerd.kind"] == "sandbox"
	if raw := x.GetSpec().GetValue(); len(raw) > 0 {
		var s spec
		if err := json.Unmarshal(raw, &s); err != nil {
			d.trouble(fmt.Errorf("reading the configuration of container %s: %w", cut(c.ID, idDigits), err))
		} else {
			s.apply(c)
			c.Pod.SandboxID = s.Annotations["io.kubernetes.cri.sandbox-id"]
		}
	}
	digest, err := d.digest(ctx, ns, x.GetImage())
	if err != nil {
		c.Partial = true
		d.trouble(err)
	}
	var named []string
	if repository, _, _ := reference(x.GetImage()); digest != "" {
		named = append(named, repository+"@"+digest)
	}
	c.setImage(x.GetImage(), nil, named)
	c.ImageID = d.images.id(digest, func(digest string) ([]byte, error) { return d.read(ctx, ns, digest) })
	c.finish(l, d.cfg.LabelLimit)
	return c
}

// digest returns the digest of an image, "" if it has none.
func (d *containerd) digest(ctx context.Context, ns, image string) (string, error) {
	if image == "" || d.conn == nil {
		return "", nil
	}
	resp, err := images.NewImagesClient(d.conn).Get(in(ctx, ns), &images.GetImageRequest{Name: image})
	if err != nil {
		if !missing(err) {
			return "", said("asking for image "+cut(image, maxText), err)
		}
		return "", nil
	}
	digest := resp.GetImage().GetTarget().GetDigest()
	if !strings.Contains(digest, ":") || len(digest) > maxText {
		return "", nil
	}
	return digest, nil
}

// read returns what containerd stores under a digest.
func (d *containerd) read(ctx context.Context, ns, digest string) ([]byte, error) {
	stream, err := content.NewContentClient(d.conn).Read(in(ctx, ns), &content.ReadContentRequest{Digest: digest, Size: maxManifest})
	if err != nil {
		return nil, err
	}
	var out []byte
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if out = append(out, part.GetData()...); len(out) > maxManifest {
			return nil, errors.New("too long")
		}
	}
}
