package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// fakeCRI is a runtime whose answers are written down. The texts are those that cri-o 1.30 and containerd 1.7 gave,
// shortened.
type fakeCRI struct {
	cri.UnimplementedRuntimeServiceServer
	cri.UnimplementedImageServiceServer

	name       string
	mu         sync.Mutex
	containers map[string]*cri.ContainerStatusResponse
	pods       map[string]*cri.PodSandboxStatusResponse
	events     chan *cri.ContainerEventResponse // nil where the runtime does not have them
	ends       bool                             // without them it ends the stream rather than to refuse it
	hang       bool
	listed     int // times
}

func (f *fakeCRI) Version(ctx context.Context, _ *cri.VersionRequest) (*cri.VersionResponse, error) {
	if f.hang {
		<-ctx.Done()
	}
	return &cri.VersionResponse{RuntimeName: f.name}, nil
}

func (f *fakeCRI) ListContainers(context.Context, *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listed++
	out := &cri.ListContainersResponse{}
	for id := range f.containers {
		out.Containers = append(out.Containers, &cri.Container{Id: id})
	}
	return out, nil
}

func (f *fakeCRI) ListPodSandbox(context.Context, *cri.ListPodSandboxRequest) (*cri.ListPodSandboxResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &cri.ListPodSandboxResponse{}
	for id := range f.pods {
		out.Items = append(out.Items, &cri.PodSandbox{Id: id})
	}
	return out, nil
}

func (f *fakeCRI) ContainerStatus(_ context.Context, r *cri.ContainerStatusRequest) (*cri.ContainerStatusResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.containers[r.GetContainerId()]; c != nil {
		return c, nil
	}
	return nil, status.Error(codes.NotFound, "no such container")
}

func (f *fakeCRI) PodSandboxStatus(_ context.Context, r *cri.PodSandboxStatusRequest) (*cri.PodSandboxStatusResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.pods[r.GetPodSandboxId()]; p != nil {
		return p, nil
	}
	return nil, status.Error(codes.NotFound, "no such pod")
}

func (f *fakeCRI) ImageStatus(context.Context, *cri.ImageStatusRequest) (*cri.ImageStatusResponse, error) {
	return &cri.ImageStatusResponse{Image: &cri.Image{Id: "sha256:" + idOf("c"), RepoTags: []string{"team/box:1"}, RepoDigests: []string{"team/box@sha256:feed"}}}, nil
}

func (f *fakeCRI) GetContainerEvents(_ *cri.GetEventsRequest, s grpc.ServerStreamingServer[cri.ContainerEventResponse]) error {
	if f.events == nil && f.ends {
		return nil
	}
	if f.events == nil {
		return status.Error(codes.Unimplemented, "no events")
	}
	for {
		select {
		case <-s.Context().Done():
			return s.Context().Err()
		case e := <-f.events:
			if err := s.Send(e); err != nil {
				return err
			}
		}
	}
}

func (f *fakeCRI) set(c *cri.ContainerStatusResponse) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.containers[c.GetStatus().GetId()] = c
}

// serveCRI listens at a socket until the test ends.
func serveCRI(t *testing.T, f *fakeCRI) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "c.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(s, f)
	cri.RegisterImageServiceServer(s, f)
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return socket
}

func criContainer(id, info string) *cri.ContainerStatusResponse {
	return &cri.ContainerStatusResponse{
		Status: &cri.ContainerStatus{
			Id: id, Metadata: &cri.ContainerMetadata{Name: "app"}, Image: &cri.ImageSpec{Image: "sha256:" + idOf("c")},
			ImageRef: "sha256:" + idOf("c"),
			Labels:   map[string]string{"io.kubernetes.pod.uid": "u-1", "team": "blue", "long": strings.Repeat("x", 100_000)},
			Mounts: []*cri.Mount{
				{HostPath: "/srv", ContainerPath: "/data", Readonly: true, Propagation: cri.MountPropagation_PROPAGATION_HOST_TO_CONTAINER},
			},
		},
		Info: map[string]string{"info": info},
	}
}

func criPod(id, info string) *cri.PodSandboxStatusResponse {
	return &cri.PodSandboxStatusResponse{
		Status: &cri.PodSandboxStatus{
			Id: id, Metadata: &cri.PodSandboxMetadata{Name: "web-1", Namespace: "shop", Uid: "u-1"}, Labels: map[string]string{"app": "web"},
			Network: &cri.PodSandboxNetworkStatus{Ip: "10.0.0.1"},
			Linux:   &cri.LinuxPodSandboxStatus{Namespaces: &cri.Namespace{Options: &cri.NamespaceOption{Pid: cri.NamespaceMode_NODE, Network: cri.NamespaceMode_POD}}},
		},
		Info: map[string]string{"info": info},
	}
}

func TestCRIDescribes(t *testing.T) {
	pod := idOf("b")
	for _, c := range []struct {
		runtime, info, podInfo string
		kind                   string
		privileged             Truth
		cni                    string
	}{
		{
			"containerd", `{"sandboxID":"` + pod + `","config":{"linux":{"security_context":{"privileged":true}}},"runtimeSpec":{"annotations":{"io.kubernetes.cri.image-name":"host/named:2"}}}`,
			`{"image":"pause:3","cniResult":{"Interfaces":{"eth0":{}}}}`, "containerd", True, `{"Interfaces":{"eth0":{}}}`,
		},
		{
			"cri-o", `{"sandboxID":"` + pod + `","privileged":false,"runtimeSpec":{"annotations":{"io.kubernetes.cri-o.ImageName":"host/named:2"}}}`,
			`{"runtimeSpec":{"annotations":{"io.kubernetes.cri-o.CNIResult":"{\"a\":1}"}}}`, "cri-o", False, `{"a":1}`,
		},
		{
			"other", `{"runtimeSpec":{"annotations":{"io.kubernetes.cri-o.SandboxID":"` + pod + `","io.kubernetes.cri-o.PrivilegedRuntime":"true","io.kubernetes.cri-o.ImageName":"host/named:2"}}}`,
			`{`, "cri", True, "",
		},
	} {
		t.Run(c.runtime, func(t *testing.T) {
			f := &fakeCRI{
				name: c.runtime, containers: map[string]*cri.ContainerStatusResponse{idOf("a"): criContainer(idOf("a"), c.info)},
				pods: map[string]*cri.PodSandboxStatusResponse{pod: criPod(pod, c.podInfo)},
			}
			d := newCRI(serveCRI(t, f), &Config{LabelLimit: 100}, func(error) {})
			defer d.close()
			got, err := d.lookup(t.Context(), Wanted{ID: idOf("a")})
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprint(c.kind, " app host/named:2 host/named 2 sha256:feed ", idOf("c"), " ", c.privileged, True, False, False,
				" [{/srv /data ro false rslave}] [{io.kubernetes.pod.uid u-1} {team blue}] shop/web-1 u-1 ", pod, " [{app web}] 10.0.0.1 ", c.cni, " ", c.cni)
			p := got.Pod
			if is := fmt.Sprint(got.Type, " ", got.Name, " ", got.Image, " ", got.Repository, " ", got.Tag, " ", got.Digest, " ", got.ImageID, " ",
				got.Privileged, got.HostPID, got.HostNetwork, got.HostIPC, " ", got.Mounts, " ", got.Labels, " ", p.Namespace, "/", p.Name, " ", p.UID, " ",
				p.SandboxID, " ", p.Labels, " ", p.IP, " ", got.CNI, " ", p.CNI); is != want {
				t.Errorf("described\n%s, want\n%s", is, want)
			}
			got, err = d.lookup(t.Context(), Wanted{ID: pod})
			if err != nil || !got.Sandbox || got.Name != "web-1" || got.Pod.SandboxID != pod {
				t.Errorf("the sandbox is %+v, error %v", got, err)
			}
		})
	}
}

// TestCRIFollows takes containers from the runtime's events.
func TestCRIFollows(t *testing.T) {
	f := &fakeCRI{
		name: "cri-o", containers: map[string]*cri.ContainerStatusResponse{}, pods: map[string]*cri.PodSandboxStatusResponse{},
		events: make(chan *cri.ContainerEventResponse),
	}
	s := start(t, Config{CRI: []string{serveCRI(t, f)}})
	await(t, "the connection", func() bool { return s.Stats().Connected == 1 })
	f.set(criContainer(idOf("a"), `{}`))
	f.events <- &cri.ContainerEventResponse{ContainerId: idOf("a"), ContainerEventType: cri.ContainerEventType_CONTAINER_CREATED_EVENT}
	if u := s.next(t); u.Container == nil || u.Container.Name != "app" || u.Container.Type != "cri-o" {
		t.Errorf("an event gave %+v", u)
	}
	f.events <- &cri.ContainerEventResponse{ContainerId: idOf("a"), ContainerEventType: cri.ContainerEventType_CONTAINER_DELETED_EVENT}
	u := s.next(t)
	if u.Container != nil {
		u = s.next(t) // the listing had it too
	}
	if !u.Gone || u.Key != idOf("a")[:12] {
		t.Errorf("the end gave %+v", u)
	}
}

// TestCRIWithoutEvents follows a runtime that tells nothing by itself: cri-o without enable_pod_events, and others.
func TestCRIWithoutEvents(t *testing.T) {
	for _, ends := range []bool{false, true} {
		f := &fakeCRI{name: "cri-o", ends: ends, containers: map[string]*cri.ContainerStatusResponse{idOf("a"): criContainer(idOf("a"), `{}`)}}
		d := newCRI(serveCRI(t, f), &Config{LabelLimit: 100}, func(error) {})
		defer d.close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- d.watch(ctx, func() {}, func(*Container) {}, func(string) {}) }()
		await(t, "a listing", func() bool {
			select {
			case err := <-ended:
				t.Fatalf("the stream ends by itself: %v; it is given up: %v", ends, err)
			default:
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.listed > 0
		})
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) && status.Code(err) != codes.Canceled && !strings.Contains(err.Error(), "Canceled") {
			t.Errorf("it ended with %v", err)
		}
	}
}

// TestCRIListsAgain wants to be told what came and what went between two listings.
func TestCRIListsAgain(t *testing.T) {
	f := &fakeCRI{
		name: "cri-o", containers: map[string]*cri.ContainerStatusResponse{idOf("a"): criContainer(idOf("a"), `{}`)},
		pods: map[string]*cri.PodSandboxStatusResponse{idOf("b"): criPod(idOf("b"), `{}`)},
	}
	d := newCRI(serveCRI(t, f), &Config{LabelLimit: 100}, func(err error) { t.Error(err) })
	defer d.close()
	var news []string
	found := func(c *Container) { news = append(news, "found "+c.ID[:1]) }
	gone := func(key string) { news = append(news, "gone "+key) }
	ids, err := d.again(t.Context(), nil, found, gone)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.containers = map[string]*cri.ContainerStatusResponse{idOf("c"): criContainer(idOf("c"), `{}`)}
	f.mu.Unlock()
	if _, err = d.again(t.Context(), ids, found, gone); err != nil {
		t.Fatal(err)
	}
	want := "found b, found a, gone " + idOf("a")[:12] + ", found b, found c"
	if got := strings.Join(news, ", "); got != want {
		t.Errorf("news are %s, want %s", got, want)
	}
}

func TestCRIBadAnswers(t *testing.T) {
	huge := criContainer(idOf("a"), strings.Repeat("x", 10<<20))
	liar := criContainer(idOf("a"), `{}`)
	liar.Status.Id = idOf("f")
	for _, c := range []struct {
		name, want string
		answer     *cri.ContainerStatusResponse
		hang       bool
	}{
		{"10 MB", "received message larger than max", huge, false},
		{"another container", `answers about "ffff`, liar, false},
		{"nothing", `answers about ""`, &cri.ContainerStatusResponse{}, false},
		{"hangs", "DeadlineExceeded", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fakeCRI{name: "cri-o", containers: map[string]*cri.ContainerStatusResponse{idOf("a"): c.answer}, hang: c.hang}
			d := newCRI(serveCRI(t, f), &Config{LabelLimit: 100}, func(error) {})
			defer d.close()
			limit := time.Minute
			if c.hang {
				limit = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if _, err := d.lookup(ctx, Wanted{ID: idOf("a")}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
