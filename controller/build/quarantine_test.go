package build

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

func ingress(name, host string) *networkingv1.Ingress {
	prefix := networkingv1.PathTypePrefix
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	ing.Spec.Rules = []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{
		HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
			Path: "/", PathType: &prefix,
			Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}},
		}}},
	}}}
	return ing
}

func hosts(r *Result) map[string]bool {
	m := map[string]bool{}
	for _, s := range r.Config.Servers {
		m[s.Host] = true
	}
	return m
}

// A refused Ingress keeps its last good version, hurts no other, and is tried
// again when it changes.
func TestRefuse(t *testing.T) {
	key := func(name string) store.Key { return store.Key{Namespace: "default", Name: name} }
	s := &store.Snapshot{Ingresses: map[store.Key]*networkingv1.Ingress{
		key("a"): ingress("a", "good.example.org"), key("b"): ingress("b", "b.example.org"),
	}}
	b := New(Options{Classes: Classes{WithoutClass: true}})
	b.Accept(b.Build(s))

	s.Ingresses[key("a")] = ingress("a", "bad.example.org")
	s.Ingresses[key("new")] = ingress("new", "new.example.org")
	b.Refuse(s, key("a"), "reason")
	b.Refuse(s, key("new"), "reason")
	r := b.Build(s)
	got := hosts(r)
	if !got["good.example.org"] || !got["b.example.org"] || got["bad.example.org"] || got["new.example.org"] {
		t.Errorf("hosts %v", got)
	}
	told := 0
	for _, p := range r.Problems {
		if p.Reason == "nginx refuses it: reason" && (p.Object.Name == "a" || p.Object.Name == "new") {
			told++
		}
	}
	if told != 2 {
		t.Errorf("problems %v", r.Problems)
	}
	// Taking the rest must not make the refused version the good one.
	b.Accept(r)
	if got := hosts(b.Build(s)); got["bad.example.org"] || got["new.example.org"] {
		t.Errorf("hosts after acceptance %v", got)
	}

	s.Ingresses[key("a")] = ingress("a", "better.example.org")
	if got := hosts(b.Build(s)); !got["better.example.org"] || got["good.example.org"] {
		t.Errorf("hosts after the change %v", got)
	}
}
