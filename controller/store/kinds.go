//lint:file-ignore SA1019 Endpoints are deprecated, but manifest folders hold them.

package store

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// empty makes an object to decode into: nil for kinds that are not read.
func empty(k kind) metav1.Object {
	switch k {
	case ingresses:
		return &networkingv1.Ingress{}
	case classes:
		return &networkingv1.IngressClass{}
	case services:
		return &corev1.Service{}
	case endpointSlices:
		return &discoveryv1.EndpointSlice{}
	case endpoints:
		return &corev1.Endpoints{}
	case configMaps:
		return &corev1.ConfigMap{}
	case secrets:
		return &corev1.Secret{}
	case namespaces:
		return &corev1.Namespace{}
	case nodes:
		return &corev1.Node{}
	default:
		return nil
	}
}

// version is the only apiVersion in which a kind is read.
func (k kind) version() string {
	switch k {
	case ingresses, classes:
		return "networking.k8s.io/v1"
	case endpointSlices:
		return "discovery.k8s.io/v1"
	default:
		return "v1"
	}
}

func (k kind) namespaced() bool { return k != classes && k != namespaces && k != nodes }

// isOurs says whether an apiVersion is one of Kubernetes itself, so that a kind
// of a name that we know is meant for us. Others, such as Knative's Service,
// have a domain of their own.
func isOurs(apiVersion string) bool {
	group, _, ok := strings.Cut(apiVersion, "/")
	return !ok || !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")
}
