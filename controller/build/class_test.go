package build

import (
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

func class(name, controller string, fallback bool) *networkingv1.IngressClass {
	c := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
	c.Spec.Controller = controller
	if fallback {
		c.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
	}
	return c
}

func TestOwn(t *testing.T) {
	const ours = "k8s.io/ingress-nginx"
	standard := Classes{Controller: ours, Name: "nginx"}
	none, absent := (*string)(nil), "-"
	field := func(s string) *string { return &s }
	for _, test := range []struct {
		name       string
		classes    Classes
		objects    []*networkingv1.IngressClass
		field      *string
		annotation string
		want       bool
	}{
		{"no class at all", standard, []*networkingv1.IngressClass{class("nginx", ours, false)}, none, absent, false},
		{"no class, and they are wanted", Classes{Controller: ours, Name: "nginx", WithoutClass: true}, nil, none, absent, true},
		{"no class, ours is the default", standard, []*networkingv1.IngressClass{class("x", ours, true)}, none, absent, true},
		{"no class, another's is the default", standard, []*networkingv1.IngressClass{class("nginx", ours, false), class("x", "other", true)}, none, absent, false},
		{"the field names ours", standard, []*networkingv1.IngressClass{class("edge", ours, false)}, field("edge"), absent, true},
		{"the field names another's", standard, []*networkingv1.IngressClass{class("nginx", "other", false)}, field("nginx"), absent, false},
		{"the field names another's, but by name", Classes{Controller: ours, Name: "nginx", ByName: true}, []*networkingv1.IngressClass{class("nginx", "other", false)}, field("nginx"), absent, true},
		{"the field names nothing that exists", standard, nil, field("edge"), absent, false},
		{"the field beats the annotation", standard, []*networkingv1.IngressClass{class("x", "other", false)}, field("x"), "nginx", false},
		{"the old annotation", standard, nil, none, "nginx", true},
		{"the old annotation of others", standard, nil, none, "traefik", false},
		{"others' annotation, though those without a class are wanted", Classes{Controller: ours, Name: "nginx", WithoutClass: true}, nil, none, "traefik", false},
		{"our annotation by another name", Classes{Controller: ours, Name: "edge"}, nil, none, "edge", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &store.Snapshot{IngressClasses: map[string]*networkingv1.IngressClass{}}
			for _, c := range test.objects {
				s.IngressClasses[c.Name] = c
			}
			ing := &networkingv1.Ingress{}
			ing.Spec.IngressClassName = test.field
			if test.annotation != absent {
				ing.Annotations = map[string]string{classAnnotation: test.annotation}
			}
			if got := test.classes.in(s).own(ing); got != test.want {
				t.Errorf("own = %v", got)
			}
		})
	}
}

// Of several default classes the API server's admission takes the newest.
func TestNewestDefaultClass(t *testing.T) {
	old, young := class("old", "k8s.io/ingress-nginx", true), class("young", "other", true)
	young.CreationTimestamp = metav1.NewTime(time.Unix(1, 0))
	s := &store.Snapshot{IngressClasses: map[string]*networkingv1.IngressClass{"old": old, "young": young}}
	if (Classes{Controller: "k8s.io/ingress-nginx"}).in(s).own(&networkingv1.Ingress{}) {
		t.Error("an Ingress without a class is the newest default's")
	}
}
