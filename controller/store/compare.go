package store

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A difference says in what two states of one object differ.
type difference int

const (
	same    difference = iota // in nothing but bookkeeping
	status                    // in the status alone
	content                   // in what it asks for
)

// compareContent compares all of a stripped object but resourceVersion and
// generation, which count writes and not changes. The uid counts: an object
// made anew is another one.
func compareContent[T any, P interface {
	*T
	metav1.Object
}](was, is P) difference {
	if was == is || was.GetResourceVersion() != "" && was.GetUID() == is.GetUID() &&
		was.GetResourceVersion() == is.GetResourceVersion() {
		return same
	}
	if equality.Semantic.DeepEqual(bare(was), bare(is)) {
		return same
	}
	return content
}

// compareSlice takes a slice that was written for one that changed. Endpoints
// change most of all, and whoever plans with them sees what is the same.
func compareSlice(was, is *discoveryv1.EndpointSlice) difference {
	if was.ResourceVersion != "" && was.ResourceVersion != is.ResourceVersion {
		return content
	}
	return compareContent(was, is)
}

func compareIngress(was, is *networkingv1.Ingress) difference {
	if compareContent(was, is) == same {
		return same
	}
	a, b := *was, *is
	a.Status, b.Status = networkingv1.IngressStatus{}, networkingv1.IngressStatus{}
	a.ResourceVersion, b.ResourceVersion = "", ""
	return orStatus(compareContent(&a, &b))
}

func compareService(was, is *corev1.Service) difference {
	if compareContent(was, is) == same {
		return same
	}
	a, b := *was, *is
	a.Status, b.Status = corev1.ServiceStatus{}, corev1.ServiceStatus{}
	a.ResourceVersion, b.ResourceVersion = "", ""
	return orStatus(compareContent(&a, &b))
}

func orStatus(d difference) difference {
	if d == same {
		return status
	}
	return d
}

// bare is a shallow copy without what does not count.
func bare[T any, P interface {
	*T
	metav1.Object
}](o P) P {
	c := *o
	p := P(&c)
	p.SetResourceVersion("")
	p.SetGeneration(0)
	return p
}
