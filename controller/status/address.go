package status

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// addresses are what Ingresses get: sorted, without duplicates.
type addresses []networkingv1.IngressLoadBalancerIngress

// newAddresses sorts IP addresses and host names, and drops what is empty or
// there twice.
func newAddresses(texts []string) addresses {
	var list addresses
	for _, text := range texts {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		// Only the canonical form of an IPv6 address is one and the same text.
		if ip, err := netip.ParseAddr(text); err == nil {
			list = append(list, networkingv1.IngressLoadBalancerIngress{IP: ip.Unmap().String()})
		} else {
			list = append(list, networkingv1.IngressLoadBalancerIngress{Hostname: text})
		}
	}
	return list.sorted()
}

// sorted is a sorted copy without duplicates and without ports, which we don't
// write.
func (a addresses) sorted() addresses {
	list := make(addresses, 0, len(a))
	for _, one := range a {
		list = append(list, networkingv1.IngressLoadBalancerIngress{IP: one.IP, Hostname: one.Hostname})
	}
	slices.SortFunc(list, compareAddresses)
	return slices.CompactFunc(list, sameAddress)
}

func compareAddresses(a, b networkingv1.IngressLoadBalancerIngress) int {
	return cmp.Or(cmp.Compare(a.Hostname, b.Hostname), cmp.Compare(a.IP, b.IP))
}

func sameAddress(a, b networkingv1.IngressLoadBalancerIngress) bool {
	return compareAddresses(a, b) == 0
}

// in says whether an Ingress has just these addresses.
func (a addresses) in(ing *networkingv1.Ingress) bool {
	return slices.EqualFunc(a, addresses(ing.Status.LoadBalancer.Ingress).sorted(), sameAddress)
}

// without are those of an Ingress that are none of a.
func (a addresses) without(ing *networkingv1.Ingress) addresses {
	return slices.DeleteFunc(addresses(ing.Status.LoadBalancer.Ingress).sorted(), func(one networkingv1.IngressLoadBalancerIngress) bool {
		return slices.ContainsFunc(a, func(ours networkingv1.IngressLoadBalancerIngress) bool { return sameAddress(one, ours) })
	})
}

func (a addresses) String() string {
	texts := make([]string, len(a))
	for i, one := range a {
		texts[i] = one.IP + one.Hostname
	}
	return strings.Join(texts, ",")
}

// find looks up the addresses of the source that the options name.
func (w *Writer) find(ctx context.Context) (addresses, error) {
	switch {
	case len(w.o.PublishAddresses) > 0:
		return newAddresses(w.o.PublishAddresses), nil
	case w.o.PublishService != "":
		return w.ofService(ctx, w.o.PublishService)
	}
	return w.pods.addresses(ctx, w.o.NodeInternalIP)
}

func (w *Writer) ofService(ctx context.Context, key string) (addresses, error) {
	namespace, name, _ := strings.Cut(key, "/")
	service, err := w.o.Client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		w.permissions.refused(err, "get services in namespace "+namespace)
		return nil, fmt.Errorf("service %s: %w", key, err)
	}
	texts, err := textsOf(service)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", key, err)
	}
	return newAddresses(texts), nil
}

// textsOf are the addresses of a Service, by its type as ingress-nginx takes
// them. A load balancer that has none yet has none; that is no error.
func textsOf(s *corev1.Service) ([]string, error) {
	switch s.Spec.Type {
	case corev1.ServiceTypeExternalName:
		return []string{s.Spec.ExternalName}, nil
	case corev1.ServiceTypeLoadBalancer:
		texts := slices.Clone(s.Spec.ExternalIPs)
		for _, one := range s.Status.LoadBalancer.Ingress {
			texts = append(texts, cmp.Or(one.IP, one.Hostname))
		}
		return texts, nil
	case corev1.ServiceTypeNodePort:
		if len(s.Spec.ExternalIPs) > 0 {
			return s.Spec.ExternalIPs, nil
		}
	}
	if s.Spec.ClusterIP == "" || s.Spec.ClusterIP == corev1.ClusterIPNone {
		return nil, fmt.Errorf("type %s without a cluster IP has no address to publish", s.Spec.Type)
	}
	return []string{s.Spec.ClusterIP}, nil
}
