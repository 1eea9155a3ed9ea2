package planner

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// limit puts into each load-balancer address who may use it. Where anything is
// said of that, who isn't named is kept out, whatever was meant by what can't
// be read.
func (q *request) limit(s *corev1.Service, node []netip.Addr, r *report) {
	texts, field := sourceRanges(s)
	if len(texts) == 0 || s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return
	}
	var of [len(families)][]netip.Prefix
	for i, text := range texts {
		// The API server takes ranges with spaces around them.
		c, reason := parsePrefix(strings.TrimSpace(text))
		if reason != "" {
			r.add(reason, field, i)
			continue
		}
		f := slot(plan.FamilyOf(c.Addr()))
		of[f] = append(of[f], c)
	}
	for f := range of {
		of[f] = mergePrefixes(of[f])
	}
	for i := range q.addresses {
		a := &q.addresses[i]
		if a.kind != plan.LoadBalancerIP {
			continue
		}
		f := plan.FamilyOf(a.address)
		ranges := of[slot(f)]
		if len(ranges) == 0 {
			r.add("has no range of "+f.String()+": nobody reaches "+a.address.String(), strings.TrimSuffix(field, "[%d]"))
		}
		a.sources = sourcesOf(a.address, ranges, node)
	}
}

// sourceRanges are the texts that limit who may use load-balancer addresses,
// and the field that they are in. The annotation is what was before the field.
func sourceRanges(s *corev1.Service) (texts []string, field string) {
	if len(s.Spec.LoadBalancerSourceRanges) > 0 {
		return s.Spec.LoadBalancerSourceRanges, "spec.loadBalancerSourceRanges[%d]"
	}
	const annotation = corev1.AnnotationLoadBalancerSourceRangesKey
	if text := strings.TrimSpace(s.Annotations[annotation]); text != "" {
		return strings.Split(text, ","), annotation + "[%d]"
	}
	return nil, ""
}

// sourcesOf is who may use an address. What the node itself sends to one of its
// load balancers' addresses has that very address as its source, so it is let
// in where the node is.
func sourcesOf(a netip.Addr, ranges []netip.Prefix, node []netip.Addr) []netip.Prefix {
	if len(ranges) > 0 && ranges[0].Bits() == 0 {
		return nil // everybody
	}
	within := func(a netip.Addr) bool {
		return slices.ContainsFunc(ranges, func(c netip.Prefix) bool { return c.Contains(a) })
	}
	sources := append([]netip.Prefix{}, ranges...)
	if slices.ContainsFunc(node, within) && !within(a) {
		sources = mergePrefixes(append(sources, netip.PrefixFrom(a, a.BitLen())))
	}
	return sources
}
