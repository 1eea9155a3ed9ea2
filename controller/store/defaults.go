//lint:file-ignore SA1019 Endpoints are deprecated, but manifest folders hold them.

package store

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// setDefaults fills in what an API server fills in when an object is written
// to it. complain is for what a server would refuse, but whose meaning is
// clear.
func setDefaults(o metav1.Object, complain func(field, reason string)) {
	r, _ := refOf(o)
	switch {
	case !r.kind.namespaced():
		o.SetNamespace("")
	case o.GetNamespace() == "":
		o.SetNamespace(metav1.NamespaceDefault)
	}
	switch o := o.(type) {
	case *corev1.Service:
		defaultService(o)
	case *discoveryv1.EndpointSlice:
		defaultSlice(o, complain)
	case *corev1.Endpoints:
		defaultEndpoints(o)
	case *corev1.Secret:
		defaultSecret(o)
	case *corev1.Namespace:
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels[corev1.LabelMetadataName] = o.Name
	}
}

func defaultService(s *corev1.Service) {
	if s.Spec.Type == "" {
		s.Spec.Type = corev1.ServiceTypeClusterIP
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		if p.Protocol == "" {
			p.Protocol = corev1.ProtocolTCP
		}
		if p.TargetPort == (intstr.IntOrString{}) || p.TargetPort == intstr.FromString("") {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
}

func defaultSlice(s *discoveryv1.EndpointSlice, complain func(field, reason string)) {
	for i := range s.Ports {
		p := &s.Ports[i]
		if p.Name == nil {
			p.Name = new("")
		}
		if p.Protocol == nil {
			p.Protocol = new(corev1.ProtocolTCP)
		}
	}
	if s.AddressType == "" {
		s.AddressType = typeOf(s)
		complain("addressType", fmt.Sprintf("is missing: %s is taken for it", s.AddressType))
	}
}

// typeOf is the type of a slice's first address.
func typeOf(s *discoveryv1.EndpointSlice) discoveryv1.AddressType {
	for _, e := range s.Endpoints {
		if len(e.Addresses) == 0 {
			continue
		}
		if a, err := netip.ParseAddr(e.Addresses[0]); err == nil {
			return family(a)
		}
		return discoveryv1.AddressTypeFQDN
	}
	return discoveryv1.AddressTypeIPv4
}

func family(a netip.Addr) discoveryv1.AddressType {
	if a.Unmap().Is4() {
		return discoveryv1.AddressTypeIPv4
	}
	return discoveryv1.AddressTypeIPv6
}

func defaultEndpoints(e *corev1.Endpoints) {
	for i := range e.Subsets {
		for j := range e.Subsets[i].Ports {
			if p := &e.Subsets[i].Ports[j]; p.Protocol == "" {
				p.Protocol = corev1.ProtocolTCP
			}
		}
	}
}

// defaultSecret merges stringData, which wins, into data.
func defaultSecret(s *corev1.Secret) {
	if s.Type == "" {
		s.Type = corev1.SecretTypeOpaque
	}
	if len(s.StringData) > 0 && s.Data == nil {
		s.Data = map[string][]byte{}
	}
	for key, value := range s.StringData {
		s.Data[key] = []byte(value)
	}
	s.StringData = nil
}
