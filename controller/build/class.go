package build

import (
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

// Classes say which Ingresses are ours.
type Classes struct {
	Controller   string // spec.controller of the IngressClasses that are ours
	Name         string // the value of the old annotation that is ours
	WithoutClass bool   // Ingresses that name no class are ours
	ByName       bool   // so is an IngressClass by that name, whatever its controller
}

// classAnnotation is how an Ingress named its class before spec.ingressClassName.
const classAnnotation = "kubernetes.io/ingress.class"

type classes struct {
	Classes
	all      map[string]*networkingv1.IngressClass
	fallback bool // the cluster's default class is ours
}

func (c Classes) in(s *store.Snapshot) classes {
	v := classes{Classes: c, all: s.IngressClasses}
	var first *networkingv1.IngressClass
	for _, class := range s.IngressClasses {
		if class.Annotations[networkingv1.AnnotationIsDefaultIngressClass] != "true" {
			continue
		}
		// The API server takes the newest of several (its admission plugin
		// DefaultIngressClass).
		if first == nil || newer(class, first) {
			first = class
		}
	}
	v.fallback = first != nil && v.ours(first)
	return v
}

func newer(a, b *networkingv1.IngressClass) bool {
	if d := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); d != 0 {
		return d > 0
	}
	return a.Name < b.Name
}

func (v classes) ours(class *networkingv1.IngressClass) bool {
	return class.Spec.Controller == v.Controller || v.ByName && class.Name == v.Name
}

// own says whether the Ingress is ours: its field decides, then the old
// annotation, then that it has neither.
func (v classes) own(ing *networkingv1.Ingress) bool {
	if name := ing.Spec.IngressClassName; name != nil {
		if class := v.all[*name]; class != nil {
			return v.ours(class)
		}
		// Where there are no classes at all, or we may not read them, the name
		// alone counts.
		return len(v.all) == 0 && *name == v.Name
	}
	if name, ok := ing.Annotations[classAnnotation]; ok && name != "" {
		return name == v.Name
	}
	return v.WithoutClass || v.fallback
}
