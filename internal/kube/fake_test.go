package kube

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/saker-sec/saker/internal/kube/kubetest"
)

// served answers requests as client-go's fake clientset does, which keeps the objects of an API server in memory.
func served(t *testing.T, client dynamic.Interface, w http.ResponseWriter, r *http.Request) bool {
	resources := map[string]schema.GroupVersionResource{
		podsPath: {Version: "v1", Resource: "pods"}, servicesPath: {Version: "v1", Resource: "services"},
	}
	resource, ok := resources[r.URL.Path]
	if !ok {
		kubetest.Refuse(w, http.StatusNotFound, "NotFound", r.URL.Path)
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("watch") != "true" {
		list, err := client.Resource(resource).List(r.Context(), metav1.ListOptions{})
		if err != nil {
			t.Error(err)
			return true
		}
		list.SetResourceVersion("1")
		_ = json.NewEncoder(w).Encode(list)
		return true
	}
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		kubetest.Refuse(w, http.StatusUnprocessableEntity, "Invalid", "no WatchList")
		return true
	}
	stream, err := client.Resource(resource).Watch(r.Context(), metav1.ListOptions{})
	if err != nil {
		t.Error(err)
		return true
	}
	defer stream.Stop()
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case e := <-stream.ResultChan():
			if json.NewEncoder(w).Encode(map[string]any{"type": e.Type, "object": e.Object}) != nil {
				return true
			}
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return true
		}
	}
}

// TestFakeClientset follows pods that are made, changed and deleted by client-go's fake clientset.
func TestFakeClientset(t *testing.T) {
	scheme := runtime.NewScheme()
	pod := func(o kubetest.Object) *unstructured.Unstructured {
		// Through JSON, so that numbers and maps are of the kinds that unstructured objects have.
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(b); err != nil {
			t.Fatal(err)
		}
		return u
	}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(scheme, map[schema.GroupVersionResource]string{
		{Version: "v1", Resource: "pods"}: "PodList", {Version: "v1", Resource: "services"}: "ServiceList",
	}, pod(kubetest.Pod("prod", "first", "u1", "n1", "a:1")))
	s := kubetest.New(t)
	s.Fail(func(w http.ResponseWriter, r *http.Request) bool { return served(t, client, w, r) })
	_, l, _ := follower(t, s, "")
	eventually(t, "the first pod is known", func() bool { return l.take()["u1"] != nil })
	pods := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace("prod")
	eventually(t, "pods are watched", func() bool {
		return slices.ContainsFunc(client.Actions(), func(a clienttesting.Action) bool { return a.Matches("watch", "pods") })
	})
	if _, err := pods.Create(t.Context(), pod(kubetest.Pod("prod", "second", "u2", "n1", "a:1")), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second pod is known", func() bool { return l.take()["u2"] != nil })
	if _, err := pods.Update(t.Context(), pod(kubetest.Pod("prod", "second", "u2", "n1", "a:2")), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its image is the new one", func() bool { return l.take()["u2"].Images[0].Image == "a:2" })
	if err := pods.Delete(t.Context(), "first", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first pod is gone", func() bool { return l.take()["u1"] == nil })
}
