//lint:file-ignore SA1019 Endpoints are deprecated, but manifest folders hold them.

package store

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// leaderAnnotation marks Endpoints that are a lock, and no addresses.
const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"

// mirror makes the slices to which a cluster's EndpointSlice mirroring
// controller would mirror an Endpoints object: one for each set of ports that
// the same addresses serve, and for each family of addresses. An address that
// is not ready somewhere is not ready. Other than in a cluster there is no
// limit of 1,000 addresses, and it does not matter whether the Service has a
// selector, because nobody else makes slices in a folder.
func mirror(o metav1.Object, complain func(field, reason string)) []metav1.Object {
	e, ok := o.(*corev1.Endpoints)
	if !ok || e.Labels[discoveryv1.LabelSkipMirror] == "true" || e.Annotations[leaderAnnotation] != "" {
		return nil
	}
	byPort := map[port]map[netip.Addr]endpoint{}
	for i, s := range e.Subsets {
		at := fmt.Sprintf("subsets[%d]", i)
		all := map[netip.Addr]endpoint{}
		collect(all, s.Addresses, true, at+".addresses", complain)
		collect(all, s.NotReadyAddresses, false, at+".notReadyAddresses", complain)
		for _, p := range ports(s) {
			merge(byPort, p, all)
		}
	}
	return mirrored(e, byPort)
}

// A port is the comparable part of a port of Endpoints.
type port struct {
	none     bool // the subset has no ports at all
	name     string
	number   int32
	protocol corev1.Protocol
	app      string
}

// An endpoint is what a slice says of one address.
type endpoint struct {
	ready bool
	node  string
}

func ports(s corev1.EndpointSubset) []port {
	if len(s.Ports) == 0 {
		return []port{{none: true}}
	}
	all := make([]port, 0, len(s.Ports))
	for _, p := range s.Ports {
		q := port{name: p.Name, number: p.Port, protocol: p.Protocol}
		if p.AppProtocol != nil {
			q.app = *p.AppProtocol
		}
		all = append(all, q)
	}
	return all
}

func collect(all map[netip.Addr]endpoint, from []corev1.EndpointAddress, ready bool, at string, complain func(field, reason string)) {
	for i, a := range from {
		ip, err := netip.ParseAddr(a.IP)
		if err != nil || ip.Zone() != "" {
			complain(fmt.Sprintf("%s[%d].ip", at, i), fmt.Sprintf("%q is no IP address", a.IP))
			continue
		}
		e := endpoint{ready: ready}
		if a.NodeName != nil {
			e.node = *a.NodeName
		}
		all[ip.Unmap()] = e
	}
}

func merge(byPort map[port]map[netip.Addr]endpoint, p port, all map[netip.Addr]endpoint) {
	if byPort[p] == nil {
		byPort[p] = map[netip.Addr]endpoint{}
	}
	for ip, e := range all {
		if was, ok := byPort[p][ip]; !ok || was.ready {
			byPort[p][ip] = e
		}
	}
}

// mirrored groups ports with the same endpoints into slices. Their names can't
// be those of real ones, which have no slash.
func mirrored(e *corev1.Endpoints, byPort map[port]map[netip.Addr]endpoint) []metav1.Object {
	groups := map[string][]port{}
	for p, all := range byPort {
		groups[digest(p, all)] = append(groups[digest(p, all)], p)
	}
	var result []metav1.Object
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		ports := groups[key]
		slices.SortFunc(ports, func(a, b port) int {
			return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.number, b.number), cmp.Compare(a.protocol, b.protocol))
		})
		for _, of := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
			s := sliceOf(e, ports, of, byPort[ports[0]])
			if len(s.Endpoints) > 0 {
				s.Name = "mirror/" + e.Name + "/" + strconv.Itoa(len(result))
				result = append(result, s)
			}
		}
	}
	return result
}

func digest(p port, all map[netip.Addr]endpoint) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%t", p.none)
	for _, ip := range slices.SortedFunc(maps.Keys(all), netip.Addr.Compare) {
		fmt.Fprintf(&b, " %s=%v", ip, all[ip])
	}
	return b.String()
}

func sliceOf(e *corev1.Endpoints, ports []port, of discoveryv1.AddressType, all map[netip.Addr]endpoint) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{AddressType: of}
	s.Namespace = e.Namespace
	s.CreationTimestamp = e.CreationTimestamp
	s.Labels = map[string]string{}
	maps.Copy(s.Labels, e.Labels)
	s.Labels[discoveryv1.LabelServiceName] = e.Name
	s.Annotations = maps.Clone(e.Annotations)
	for _, p := range ports {
		if !p.none {
			s.Ports = append(s.Ports, p.slicePort())
		}
	}
	for _, ip := range slices.SortedFunc(maps.Keys(all), netip.Addr.Compare) {
		if family(ip) != of {
			continue
		}
		one := discoveryv1.Endpoint{Addresses: []string{ip.String()}}
		one.Conditions.Ready = new(all[ip].ready)
		if node := all[ip].node; node != "" {
			one.NodeName = &node
		}
		s.Endpoints = append(s.Endpoints, one)
	}
	_, _ = strip(s) // it cannot fail
	return s
}

func (p port) slicePort() discoveryv1.EndpointPort {
	q := discoveryv1.EndpointPort{Name: &p.name, Port: &p.number, Protocol: &p.protocol}
	if p.app != "" {
		q.AppProtocol = &p.app
	}
	return q
}
