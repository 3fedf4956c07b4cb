//go:build linux

package container

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// TestCRI runs a pod as the kubelet does, by the CRI plugin of containerd.
func TestCRI(t *testing.T) {
	dir := scratch(t)
	c := newContainerd(t, dir)
	conn, err := grpc.NewClient("unix://"+c.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), settleTime())
	defer cancel()
	client := cri.NewRuntimeServiceClient(conn)
	if _, err := client.Version(ctx, &cri.VersionRequest{}); err != nil {
		t.Skipf("needs containerd's CRI plugin: %v", err)
	}
	s := start(t, dir, rules, plugin(map[string][]string{"cri": {c.socket}, "containerd": {c.socket}}), "-o", patient())
	const uid = "0a1b2c3d-0000-4000-8000-0123456789ab"
	host := &cri.NamespaceOption{Network: cri.NamespaceMode_NODE}
	parent := "/kubepods/besteffort/pod" + uid
	if cgroupDriver() == "systemd" {
		parent = "kubepods-besteffort-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice"
	}
	podConfig := &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: "web-1", Uid: uid, Namespace: "shop", Attempt: 0},
		Labels:       map[string]string{"app": "web", "io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.uid": uid},
		LogDirectory: filepath.Join(dir, "logs"),
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent:    parent,
			SecurityContext: &cri.LinuxSandboxSecurityContext{NamespaceOptions: host},
		},
	}
	pod, err := client.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: podConfig})
	if err != nil {
		t.Skipf("containerd's CRI plugin cannot run a pod here: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), settleTime())
		defer cancel()
		client.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod.GetPodSandboxId()})
		client.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: pod.GetPodSandboxId()})
	})
	boxOf := func(name string, privileged bool, command ...string) string {
		t.Helper()
		made, err := client.CreateContainer(ctx, &cri.CreateContainerRequest{
			PodSandboxId: pod.GetPodSandboxId(), SandboxConfig: podConfig,
			Config: &cri.ContainerConfig{
				Metadata: &cri.ContainerMetadata{Name: name}, Image: &cri.ImageSpec{Image: image}, Command: command,
				Envs: []*cri.KeyValue{{Key: "CASE", Value: name}},
				Labels: map[string]string{
					"io.kubernetes.container.name": name, "io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "shop",
					"io.kubernetes.pod.uid": uid, "team": "blue",
				},
				Mounts: []*cri.Mount{{HostPath: dir, ContainerPath: "/data", Readonly: true}},
				Linux: &cri.LinuxContainerConfig{SecurityContext: &cri.LinuxContainerSecurityContext{
					Privileged: privileged, NamespaceOptions: host,
				}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.StartContainer(ctx, &cri.StartContainerRequest{ContainerId: made.GetContainerId()}); err != nil {
			t.Fatal(err)
		}
		return made.GetContainerId()
	}
	sandbox := pod.GetPodSandboxId()
	want := func(name, id string) map[string]any {
		return map[string]any{
			"container.id": id[:12], "container.full_id": id, "container.name": name, "container.image": image,
			"container.image.repository": "registry.test:5000/team/box", "container.image.tag": "1.2",
			"container.image.id": imageID(t, filepath.Join(dir, "image.tar")), "container.type": "containerd", "container.privileged": false,
			"container.label[team]": "blue", "container.labels": "team:blue", "container.mount.source[/data]": dir,
			"container.host_network": true, "container.host_pid": false,
			"k8s.pod.name": "web-1", "k8s.ns.name": "shop", "k8s.pod.uid": uid, "k8s.pod.sandbox_id": sandbox[:12],
			"container.id_mismatch": false,
		}
	}
	id := boxOf("short", false, "/bin/cat", "/etc/secret")
	expect(t, one(t, s, "opened", "short"), want("short", id))
	one(t, s, "opened in box", "short")
	long := boxOf("long", false, "/bin/sh", "-c", "while [ ! -e /data/go ]; do sleep 0.1; done; cat /etc/secret; sleep 1000")
	c.stop()
	c.start()
	mustWrite(t, filepath.Join(dir, "go"))
	a := one(t, s, "opened", "long")
	expect(t, a, want("long", long))
	if got := a.text("k8s.pod.labels"); got != "app:web, io.kubernetes.pod.name:web-1, io.kubernetes.pod.namespace:shop, io.kubernetes.pod.uid:"+uid {
		t.Errorf("the labels of the pod are %q", got)
	}
}
