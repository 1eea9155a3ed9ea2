package build

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// What is said of an Ingress beside those that share its names is what the build
// of the whole cluster says of it, were it the youngest.
func TestJudgeIsTheBuild(t *testing.T) {
	const seed = 20261128
	r := rand.New(rand.NewPCG(seed, seed))
	found := 0
	for round := range 400 {
		o := Options{Classes: Classes{WithoutClass: true}, AnnotationsPrefix: "p.io", StrictPaths: round%2 == 0}
		s := &store.Snapshot{
			Ingresses: map[store.Key]*networkingv1.Ingress{},
			Services:  map[store.Key]*corev1.Service{web: service(nil, corev1.ServicePort{Port: 80})},
		}
		x := NewIndex(o)
		for i := range 2 + r.IntN(8) {
			ing := randomIngress(r, fmt.Sprint("i", i))
			key := keyOf(ing)
			s.Ingresses[key] = ing
			x.Follow(s, store.Changes{Ingresses: map[store.Key]bool{key: true}, Services: map[store.Key]bool{web: true}})
		}
		last := randomIngress(r, "last")
		v := x.Beside(last).Judge()
		youngest := *last
		youngest.CreationTimestamp.Time = time.Now().Add(time.Hour)
		s.Ingresses[keyOf(last)] = &youngest
		var got, want []string
		for _, p := range v.Problems {
			got = append(got, fmt.Sprint(p.Field, ": ", p.Reason, p.Weight))
		}
		for _, p := range New(o).Build(s).Problems {
			if p.Object == objectOf(last) && p.Weight != model.Elsewhere {
				want = append(want, fmt.Sprint(p.Field, ": ", strings.TrimSuffix(p.Reason, ", which is older"), p.Weight))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d, -build +judge:\n%s\n%+v", round, diff, last.Spec)
		}
		found += len(got)
	}
	if found < 400 {
		t.Errorf("%d problems in all: there is little to compare", found)
	}
}

func randomIngress(r *rand.Rand, name string) *networkingv1.Ingress {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	host := func() string {
		return pick("a.example.org", "b.example.org", "www.a.example.org", "*.example.org", "c.example.org", "A.example.org", "")
	}
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: map[string]string{}}}
	ing.CreationTimestamp.Time = time.Unix(int64(r.IntN(3)), 0)
	for _, a := range [][2]string{
		{"server-alias", host()}, {"server-alias", "x.example.org, d.example.org"}, {"use-regex", "true"}, {"canary", "true"},
		{"from-to-www-redirect", "true"}, {"proxy-body-size", "much"}, {"ssl-passthrough", "true"}, {"ssl-ciphers", "HIGH"}, {"default-backend", pick("web", "none")},
	} {
		if r.IntN(8) == 0 {
			ing.Annotations["p.io/"+a[0]] = a[1]
		}
	}
	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: pick("web", "web", "none"), Port: networkingv1.ServiceBackendPort{Number: 80}}}
	if r.IntN(5) == 0 {
		ing.Spec.DefaultBackend = &backend
	}
	for range r.IntN(4) {
		kind := networkingv1.PathType(pick("Exact", "Prefix", "ImplementationSpecific"))
		rule := networkingv1.IngressRule{Host: host()}
		if r.IntN(6) > 0 {
			rule.HTTP = &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: pick("/", "/a", "/a/", "/b", "/(", "/v[0-9]"), PathType: &kind, Backend: backend,
			}}}
		}
		ing.Spec.Rules = append(ing.Spec.Rules, rule)
	}
	return ing
}
