package quickstart

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// What a newcomer reads first must be right to the letter.
func TestManifestsHaveNoProblems(t *testing.T) {
	r := build.New(build.Options{
		Classes:           build.Classes{Controller: "k8s.io/ingress-nginx", Name: "nginx"},
		AnnotationsPrefix: "nginx.ingress.kubernetes.io",
		ConfigMap:         store.Key{Namespace: "default", Name: "sallyport"},
	}).Build(store.Load("."))
	for _, p := range r.Problems {
		t.Error(p)
	}
	endpoints := map[string]int{}
	for id, b := range r.Config.Backends {
		endpoints[string(id)] = len(b.Endpoints)
	}
	want := map[string]int{"default/hello/80": 3, "default/shop/http": 1}
	if diff := cmp.Diff(want, endpoints); diff != "" {
		t.Errorf("endpoints: -want +got\n%s", diff)
	}
	if r.Config.Hosts["shop.localhost"] == "" {
		t.Error("shop.localhost has no certificate")
	}
}
