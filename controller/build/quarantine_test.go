package build

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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

// Of a ConfigMap that nginx refuses, what restricts access stays in force, also
// where no version before it was good.
func TestRefuseSettings(t *testing.T) {
	key := store.Key{Namespace: "default", Name: "settings"}
	s := &store.Snapshot{Ingresses: map[store.Key]*networkingv1.Ingress{}, ConfigMaps: map[store.Key]*corev1.ConfigMap{
		key: {Data: map[string]string{"denylist-source-range": "10.0.0.0/8", "keep-alive": "3"}},
	}}
	b := New(Options{ConfigMap: key})
	if !b.RefuseSettings(s, "reason") {
		t.Fatal("there is a ConfigMap")
	}
	r := b.Build(s)
	if got := r.Config.Settings; got.DenyRanges != "10.0.0.0/8" || got.KeepAlive != 75*time.Second {
		t.Errorf("addresses that are denied: %q, keep-alive: %v", got.DenyRanges, got.KeepAlive)
	}
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Reason, "nginx refuses it: reason; no version before it") {
		t.Errorf("problems %v", r.Problems)
	}
	if b.RefuseSettings(s, "again") {
		t.Error("what is left of it is put aside too")
	}
	s.ConfigMaps[key] = &corev1.ConfigMap{Data: map[string]string{"keep-alive": "3"}}
	if got := b.Build(s).Config.Settings; got.DenyRanges != "" || got.KeepAlive != 3*time.Second {
		t.Errorf("after a change: %q, %v", got.DenyRanges, got.KeepAlive)
	}
}
