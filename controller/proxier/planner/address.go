package planner

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// families are all there are, in the order in which they are planned.
var families = [...]plan.Family{plan.IPv4, plan.IPv6}

// An address is one at which a Service is to be reached.
type address struct {
	kind    plan.Kind
	address netip.Addr
	index   int            // in the list that kind stands for
	sources []netip.Prefix // as in plan.Frontend
}

// parseAddress reads an IP address as nothing but itself: no zone, no IPv4 in
// IPv6's clothes, and no leading zeros, which some read as octal. The reason
// is "" where it is one.
func parseAddress(text string) (netip.Addr, string) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return a, fmt.Sprintf("%.64q is no IP address", text)
	case a.Zone() != "":
		return a, fmt.Sprintf("%.64q has a zone", text)
	case a.Is4In6():
		return a, fmt.Sprintf("%q is an IPv4 address written as IPv6", text)
	}
	return a, ""
}

// parseRoutable reads an address that is neither this node's alone nor its
// link's: whoever may write Services and slices must not reach, or take over,
// what listens there for the node and the cloud's metadata.
func parseRoutable(text string) (netip.Addr, string) {
	a, reason := parseAddress(text)
	switch {
	case reason != "":
		return a, reason
	case a.IsLoopback():
		reason = "a loopback"
	case a.IsUnspecified():
		reason = "the unspecified"
	case a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		reason = "a multicast"
	case a.IsLinkLocalUnicast():
		reason = "a link-local"
	default:
		return a, ""
	}
	return a, fmt.Sprintf("%s is %s address, which no Service may have", text, reason)
}

// ownAddresses takes in a Service's ClusterIPs. They say of which families it
// is: endpoints of another family than those are none of it.
func (q *request) ownAddresses(s *corev1.Service, r *report) {
	var has [len(families)]bool
	field := q.field(plan.ClusterIP)
	if len(s.Spec.ClusterIPs) == 0 {
		field = "spec.clusterIP"
	}
	for i, text := range clusterIPs(s) {
		a, reason := parseRoutable(text)
		if reason != "" {
			r.add(reason, field, i)
			has[slot(familyMeant(s, i, text))] = true
			continue
		}
		has[slot(plan.FamilyOf(a))] = true
		q.addresses = append(q.addresses, address{kind: plan.ClusterIP, address: a, index: i})
	}
	for i, f := range families {
		if has[i] {
			q.families = append(q.families, f)
		}
	}
}

// clusterIPs are the texts of a Service's own addresses; none where it has none
// to have.
func clusterIPs(s *corev1.Service) []string {
	all := s.Spec.ClusterIPs
	if len(all) == 0 {
		all = []string{s.Spec.ClusterIP}
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName || saysHeadless(s) || all[0] == "" {
		return nil
	}
	return all
}

// saysHeadless says whether a Service's author wants no ClusterIP for it.
func saysHeadless(s *corev1.Service) bool {
	return s.Spec.ClusterIP == corev1.ClusterIPNone || len(s.Spec.ClusterIPs) > 0 && s.Spec.ClusterIPs[0] == corev1.ClusterIPNone
}

// familyMeant is the family of an address that can't be used.
func familyMeant(s *corev1.Service, i int, text string) plan.Family {
	v6 := strings.Contains(text, ":")
	if i < len(s.Spec.IPFamilies) {
		v6 = s.Spec.IPFamilies[i] == corev1.IPv6Protocol
	}
	if v6 {
		return plan.IPv6
	}
	return plan.IPv4
}

// slot is a family's index in families.
func slot(f plan.Family) int { return slices.Index(families[:], f) }

// external takes in the addresses at which a Service is reached from outside.
func (q *request) external(s *corev1.Service, r *report) {
	for i, in := range s.Status.LoadBalancer.Ingress {
		// With ipMode Proxy the load balancer is no address of the node's: what
		// is sent there from here has to go there.
		vip := in.IPMode == nil || *in.IPMode == corev1.LoadBalancerIPModeVIP
		if s.Spec.Type == corev1.ServiceTypeLoadBalancer && in.IP != "" && vip {
			q.outer(plan.LoadBalancerIP, i, in.IP, r)
		}
	}
	for i, text := range s.Spec.ExternalIPs {
		q.outer(plan.ExternalIP, i, text, r)
	}
}

func (q *request) outer(kind plan.Kind, i int, text string, r *report) {
	a, reason := parseRoutable(text)
	if reason == "" && !slices.Contains(q.families, plan.FamilyOf(a)) {
		reason = fmt.Sprintf("%s is left out: the Service has no ClusterIP of %s", text, plan.FamilyOf(a))
	}
	if reason != "" {
		r.add(reason, q.field(kind), i)
		return
	}
	q.addresses = append(q.addresses, address{kind: kind, address: a, index: i})
}

// sortAddresses leaves each address once, by the first of the kinds that it is.
func (q *request) sortAddresses() {
	if len(q.addresses) < 2 {
		return
	}
	slices.SortFunc(q.addresses, func(a, b address) int {
		return cmp.Or(a.address.Compare(b.address), cmp.Compare(a.kind, b.kind), cmp.Compare(a.index, b.index))
	})
	q.addresses = slices.CompactFunc(q.addresses, func(a, b address) bool { return a.address == b.address })
	slices.SortStableFunc(q.addresses, func(a, b address) int { return cmp.Compare(a.kind, b.kind) })
}

// field is where addresses of a kind are written, with a place for their index.
func (q *request) field(kind plan.Kind) string {
	switch kind {
	case plan.NodePort:
		return "spec.ports[%d].nodePort"
	case plan.LoadBalancerIP:
		return "status.loadBalancer.ingress[%d].ip"
	case plan.ExternalIP:
		return "spec.externalIPs[%d]"
	}
	return "spec.clusterIPs[%d]"
}
