package container

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/sys/unix"
)

// docker speaks the API that docker's daemon and podman's service have in common.
type docker struct {
	kind    string // docker or podman
	rank    rank
	cfg     *Config
	client  *http.Client
	trouble func(error)
}

// maxAnswer bounds an answer: the inspection of one container has a few kB, a listing about 1 kB for each.
const maxAnswer = 8 << 20

// maxEvent bounds one event, which carries the labels of its container.
const maxEvent = 1 << 20

func newDocker(kind, socket string, cfg *Config, trouble func(error)) *docker {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	standing := rankDocker
	var st unix.Stat_t
	if unix.Stat(socket, &st) == nil && st.Uid != 0 {
		standing = rankUser
	}
	return &docker{
		kind: kind, rank: standing, cfg: cfg, trouble: trouble,
		client: &http.Client{
			Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 8, DisableCompression: true, MaxResponseHeaderBytes: 1 << 16},
			// A runtime has nowhere to send anybody.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (d *docker) close() { d.client.CloseIdleConnections() }

// open sends a GET and returns the body of a good answer.
func (d *docker) open(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://runtime"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.Body, nil
	case http.StatusNotFound:
		err = errNone
	default:
		err = fmt.Errorf("it answers %s to GET %s", resp.Status, path)
	}
	resp.Body.Close()
	return nil, err
}

// get decodes an answer.
func (d *docker) get(ctx context.Context, path string, into any) error {
	body, err := d.open(ctx, path)
	if err != nil {
		return err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("reading the answer to GET %s: %w", path, err)
	}
	if len(data) > maxAnswer {
		return fmt.Errorf("the answer to GET %s is longer than %d bytes", path, maxAnswer)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("the answer to GET %s is not what was asked for: %w", path, err)
	}
	return nil
}

func (d *docker) list(ctx context.Context, found func(*Container)) error {
	var all []struct{ ID string }
	call, stop := context.WithTimeout(ctx, listTime)
	err := d.get(call, "/containers/json?all=true", &all)
	stop()
	if err != nil {
		return err
	}
	ids := make([]string, len(all))
	for i, x := range all {
		ids[i] = x.ID
	}
	return describe(ctx, d, ids, found, d.trouble)
}

// dockerEvent is one line of the stream of events. Older versions have Status and ID in place of Action and Actor.
type dockerEvent struct {
	Type   string
	Action string
	Status string `json:"status"`
	Actor  struct{ ID string }
	ID     string `json:"id"`
}

func (d *docker) watch(ctx context.Context, ready func(), found func(*Container), gone func(string)) error {
	filters := `{"type":["container"],"event":["create","start","rename","destroy","remove"]}`
	// The head of the answer comes with the first event only, or at once: asking is what subscribes.
	type answer struct {
		body io.ReadCloser
		err  error
	}
	opened := make(chan answer, 1)
	go func() {
		body, err := d.open(ctx, "/events?filters="+url.QueryEscape(filters))
		opened <- answer{body, err}
	}()
	// A second question proves that the server took the first connection.
	var version struct{ APIVersion string }
	call, stop := context.WithTimeout(ctx, callTime)
	err := d.get(call, "/version", &version)
	stop()
	if err != nil {
		return fmt.Errorf("asking for its version: %w", err)
	}
	ready()
	a := <-opened
	if a.err != nil {
		return fmt.Errorf("subscribing to its events: %w", a.err)
	}
	defer a.body.Close()
	lines := bufio.NewScanner(a.body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var e dockerEvent
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("an event of it is no JSON: %w", err)
		}
		d.event(ctx, &e, found, gone)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading its events: %w", err)
	}
	return io.ErrUnexpectedEOF
}

func (d *docker) event(ctx context.Context, e *dockerEvent, found func(*Container), gone func(string)) {
	action, id := e.Action, e.Actor.ID
	if action == "" {
		action = e.Status
	}
	if id == "" {
		id = e.ID
	}
	if !IsID(id) || e.Type != "" && e.Type != "container" {
		return
	}
	switch action {
	case "destroy", "remove":
		gone(Short(id))
		return
	case "create":
		if d.cfg.NoCreate {
			return
		}
	}
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

// inspection is what is used of the answer about one container.
type inspection struct {
	ID     string `json:"Id"`
	Name   string
	Image  string // its id
	Config struct {
		Image  string
		Labels map[string]string
	}
	HostConfig struct {
		Privileged                    bool
		NetworkMode, PidMode, IpcMode string
	}
	Mounts []struct {
		Name, Source, Destination, Mode, Propagation string
		RW                                           bool
	}
	NetworkSettings struct {
		IPAddress string
		Networks  map[string]struct{ IPAddress string }
	}
}

// lookup describes a container. An id may be a part of it, as long as that is unique.
func (d *docker) lookup(ctx context.Context, want Wanted) (*Container, error) {
	if want.Namespace != "" && !IsID(want.ID) {
		return nil, errNone
	}
	var in inspection
	if err := d.get(ctx, "/containers/"+url.PathEscape(want.ID)+"/json", &in); err != nil {
		return nil, err
	}
	if !IsID(in.ID) || !strings.HasPrefix(in.ID, want.ID) {
		return nil, fmt.Errorf("asked for container %s, it answers about %q", want.ID, cut(in.ID, 2*idDigits))
	}
	var image struct{ RepoTags, RepoDigests []string }
	partial := false
	if in.Image != "" {
		err := d.get(ctx, "/images/"+url.PathEscape(in.Image)+"/json", &image)
		if err != nil && !errors.Is(err, errNone) {
			partial = true // the container is known all the same
			d.trouble(err)
		}
	}
	c := d.describe(&in, image.RepoTags, image.RepoDigests)
	c.Partial = partial
	if other, ok := strings.CutPrefix(in.HostConfig.NetworkMode, "container:"); ok && c.IP == "" && other != "" {
		var joined inspection
		if err := d.get(ctx, "/containers/"+url.PathEscape(other)+"/json", &joined); err == nil {
			c.IP = joined.address()
		}
	}
	return c, nil
}

// describe turns docker's words into ours.
func (d *docker) describe(in *inspection, tags, digests []string) *Container {
	c := &Container{
		ID: in.ID, Type: d.kind, rank: d.rank, Name: strings.TrimPrefix(in.Name, "/"), ImageID: strings.TrimPrefix(in.Image, "sha256:"),
		Privileged:  truth(in.HostConfig.Privileged),
		HostPID:     truth(in.HostConfig.PidMode == "host"),
		HostNetwork: truth(in.HostConfig.NetworkMode == "host"),
		HostIPC:     truth(in.HostConfig.IpcMode == "host"),
		IP:          in.address(),
	}
	c.setImage(in.Config.Image, tags, digests)
	for _, m := range in.Mounts[:min(len(in.Mounts), maxMounts)] {
		c.Mounts = append(c.Mounts, Mount{Source: m.Source, Destination: m.Destination, Mode: m.Mode, Writable: m.RW, Propagation: m.Propagation})
	}
	// The kubelet's names for what docker runs for it: k8s_<container>_<pod>_<namespace>_<uid>_<attempt>.
	c.Sandbox = strings.HasPrefix(c.Name, "k8s_POD_")
	c.Pod.SandboxID = in.Config.Labels["io.kubernetes.sandbox.id"]
	c.finish(in.Config.Labels, d.cfg.LabelLimit)
	return c
}

// address returns the container's IPv4 address: docker's default network has a place of its own.
func (in *inspection) address() string {
	if in.NetworkSettings.IPAddress != "" {
		return in.NetworkSettings.IPAddress
	}
	// Of several networks the one whose name comes first, so that the answer is always the same.
	best, ip := "", ""
	for name, n := range in.NetworkSettings.Networks {
		if n.IPAddress != "" && (ip == "" || name < best) {
			best, ip = name, n.IPAddress
		}
	}
	return ip
}
