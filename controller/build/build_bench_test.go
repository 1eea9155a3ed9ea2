package build

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

// One more Ingress beside n: what the build costs of it that grows with n.
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := &store.Snapshot{Ingresses: map[store.Key]*networkingv1.Ingress{}, Services: map[store.Key]*corev1.Service{web: service(nil, corev1.ServicePort{Port: 80})}}
			for i := range n {
				name := fmt.Sprint("i", i)
				s.Ingresses[store.Key{Namespace: "default", Name: name}] = ingress(name, name+".example.org")
			}
			builder := New(Options{Classes: Classes{WithoutClass: true}})
			builder.Build(s)
			b.ResetTimer()
			for range b.N {
				builder.Build(s)
			}
		})
	}
}
