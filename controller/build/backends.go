package build

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// backendOf sorts the addresses and drops those that are there twice.
func backendOf(list []netip.AddrPort) model.Backend {
	slices.SortFunc(list, netip.AddrPort.Compare)
	list = slices.Compact(list)
	var b model.Backend
	for _, a := range list {
		b.Endpoints = append(b.Endpoints, model.Endpoint{Address: a})
	}
	return b
}

// backend enters a backend into the config, once.
func (t *task) backend(ref BackendRef) {
	id := ref.ID()
	if _, ok := t.result.Config.Backends[id]; ok {
		return
	}
	t.result.Config.Backends[id] = t.Backend(t.s, ref)
	t.result.Backends[ref.Service] = append(t.result.Backends[ref.Service], ref)
	switch s := t.s.Services[ref.Service]; {
	case s == nil:
		t.result.Missing[id] = true
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		t.result.Wanted.Names = append(t.result.Wanted.Names, s.Spec.ExternalName)
	}
}

// defaultBackend is the claim of --default-backend-service, nil where it has no
// Service that could be asked. Its first port is the one.
func (t *task) defaultBackend() *claim {
	if t.o.DefaultBackend.Name == "" {
		return nil
	}
	object := model.Object{Kind: "Service", Namespace: t.o.DefaultBackend.Namespace, Name: t.o.DefaultBackend.Name}
	service := t.s.Services[t.o.DefaultBackend]
	if service == nil {
		t.problem(object, "", "is the default backend and does not exist; the built-in 404 answers")
		return nil
	}
	if len(service.Spec.Ports) == 0 {
		t.problem(object, "spec.ports", "is empty, so it can't be the default backend; the built-in 404 answers")
		return nil
	}
	first := service.Spec.Ports[0]
	return &claim{path: "/", backend: BackendRef{Service: t.o.DefaultBackend, Port: networkingv1.ServiceBackendPort{Number: first.Port}}}
}
