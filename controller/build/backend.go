package build

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// A BackendRef is one port of a Service, as an Ingress asks for it.
type BackendRef struct {
	Service store.Key
	Port    networkingv1.ServiceBackendPort
	// Cluster: the Service's own addresses are meant, and not its endpoints.
	Cluster bool
	UDP     bool
}

// ID is the backend's name.
func (r BackendRef) ID() model.BackendID {
	id := r.Service.Namespace + "/" + r.Service.Name + "/" + r.port()
	if r.Cluster {
		id += "/cluster"
	}
	return model.BackendID(id)
}

func (r BackendRef) protocol() corev1.Protocol {
	if r.UDP {
		return corev1.ProtocolUDP
	}
	return corev1.ProtocolTCP
}

func (r BackendRef) port() string {
	if r.Port.Name != "" {
		return r.Port.Name
	}
	return strconv.Itoa(int(r.Port.Number))
}

// point aims a claim at a backend. What is wrong with the backend is a problem;
// the claim stays, and is answered with 503 until the backend is there.
func (t *task) point(c *claim, backend networkingv1.IngressBackend, field string) {
	if backend.Service == nil || backend.Service.Name == "" {
		t.problem(objectOf(c.ingress), field, "names no Service; other resources can't be served")
		c.answer = 503
		return
	}
	c.backend = BackendRef{
		Service: store.Key{Namespace: c.ingress.Namespace, Name: backend.Service.Name},
		Port:    backend.Service.Port,
	}
	if c.values.Closed {
		c.answer = 503
	}
	if reason := t.missing(c.backend); reason != "" {
		t.problem(objectOf(c.ingress), field, reason)
	}
}

// missing says what of a backend is not there.
func (t *task) missing(ref BackendRef) string {
	service := t.s.Services[ref.Service]
	if service == nil {
		return fmt.Sprintf("Service %s does not exist", ref.Service)
	}
	if _, ok := portFor(service, ref.Port, ref.protocol()); !ok {
		return fmt.Sprintf("Service %s has no port %s%s", ref.Service, ref.port(), map[bool]string{true: " of UDP"}[ref.UDP])
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		if t.o.DisableExternal {
			return fmt.Sprintf("Service %s is of type ExternalName, which --disable-svc-external-name forbids", ref.Service)
		}
		if _, why := t.addresses(t.s, service.Spec.ExternalName); why != "" {
			return fmt.Sprintf("Service %s: %s", ref.Service, why)
		}
	}
	return ""
}

// clusterAddresses are a Service's own, of all families; none where it is
// headless.
func clusterAddresses(service *corev1.Service, port corev1.ServicePort) []netip.AddrPort {
	texts := service.Spec.ClusterIPs
	if len(texts) == 0 {
		texts = []string{service.Spec.ClusterIP}
	}
	var all []netip.AddrPort
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" && port.Port > 0 && port.Port < 1<<16 {
			all = append(all, netip.AddrPortFrom(a.Unmap(), uint16(port.Port)))
		}
	}
	return all
}

// hasClusterIP says whether a backend's Service has addresses of its own.
func (t *task) hasClusterIP(ref BackendRef) bool {
	service := t.s.Services[ref.Service]
	if service == nil || service.Spec.Type == corev1.ServiceTypeExternalName {
		return false
	}
	port, ok := portOf(service, ref.Port)
	return ok && len(clusterAddresses(service, port)) > 0
}

// portOf finds the Service's port. Services without any, headless or external,
// have each port that is asked for by number.
func portOf(service *corev1.Service, want networkingv1.ServiceBackendPort) (corev1.ServicePort, bool) {
	return portFor(service, want, corev1.ProtocolTCP)
}

func portFor(service *corev1.Service, want networkingv1.ServiceBackendPort, protocol corev1.Protocol) (corev1.ServicePort, bool) {
	for _, p := range service.Spec.Ports {
		if p.Protocol != protocol && (p.Protocol != "" || protocol != corev1.ProtocolTCP) {
			continue
		}
		if want.Name != "" && p.Name == want.Name || want.Name == "" && p.Port == want.Number {
			return p, true
		}
	}
	bare := service.Spec.Type == corev1.ServiceTypeExternalName || len(service.Spec.Ports) == 0 && service.Spec.ClusterIP == corev1.ClusterIPNone
	if bare && want.Name == "" && want.Number > 0 {
		return corev1.ServicePort{Port: want.Number, TargetPort: intstr.FromInt32(want.Number), Protocol: protocol}, true
	}
	return corev1.ServicePort{}, false
}

// Backend is what serves behind ref now. This is all of the endpoint lane: it
// looks at the Service and its slices and at nothing else. Hints of zones count,
// as they do for kube-proxy, where all endpoints that serve have them, and one
// is for our zone.
func (b *Builder) Backend(s *store.Snapshot, ref BackendRef) model.Backend {
	service := s.Services[ref.Service]
	if service == nil {
		return model.Backend{}
	}
	port, ok := portFor(service, ref.Port, ref.protocol())
	if !ok {
		return model.Backend{}
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return b.external(s, service, port)
	}
	if ref.Cluster {
		return backendOf(clusterAddresses(service, port))
	}
	var ready, draining, near []netip.AddrPort
	hinted := s.Zone != ""
	for _, slice := range s.Slices[ref.Service] {
		if slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		number := portIn(slice, port)
		if number == 0 {
			continue
		}
		for _, e := range slice.Endpoints {
			switch serving, last := conditions(e.Conditions); {
			case serving:
				ready = appendAddresses(ready, e.Addresses, number)
				hinted = hinted && e.Hints != nil && len(e.Hints.ForZones) > 0
				if hinted && slices.Contains(e.Hints.ForZones, discoveryv1.ForZone{Name: s.Zone}) {
					near = appendAddresses(near, e.Addresses, number)
				}
			case last:
				draining = appendAddresses(draining, e.Addresses, number)
			}
		}
	}
	switch {
	case hinted && len(near) > 0:
		return backendOf(near)
	case len(ready) == 0:
		return backendOf(draining)
	}
	return backendOf(ready)
}

// conditions says whether an endpoint serves, and whether it is one that ends
// but still serves. What is not said of readiness means ready.
func conditions(c discoveryv1.EndpointConditions) (ready, last bool) {
	is := func(p *bool, unsaid bool) bool {
		if p == nil {
			return unsaid
		}
		return *p
	}
	ready = is(c.Ready, true)
	return ready, is(c.Serving, ready) && is(c.Terminating, false)
}

// portIn is the slice's number for the Service's port: slices and Services
// share the port's name. 0: none.
func portIn(slice *discoveryv1.EndpointSlice, want corev1.ServicePort) uint16 {
	protocol := cmp.Or(want.Protocol, corev1.ProtocolTCP)
	for _, p := range slice.Ports {
		if p.Port == nil || *p.Port < 1 || *p.Port > 65535 || cmp.Or(deref(p.Protocol), corev1.ProtocolTCP) != protocol {
			continue
		}
		name := ""
		if p.Name != nil {
			name = *p.Name
		}
		if want.Name == "" || want.Name == name {
			return uint16(*p.Port)
		}
	}
	if len(slice.Ports) == 0 && want.TargetPort.Type == intstr.Int {
		return uint16(want.TargetPort.IntVal)
	}
	return 0
}

func deref(p *corev1.Protocol) corev1.Protocol {
	if p == nil {
		return ""
	}
	return *p
}

func appendAddresses(list []netip.AddrPort, texts []string, port uint16) []netip.AddrPort {
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			list = append(list, netip.AddrPortFrom(a.Unmap(), port))
		}
	}
	return list
}

func (b *Builder) external(s *store.Snapshot, service *corev1.Service, port corev1.ServicePort) model.Backend {
	if b.o.DisableExternal {
		return model.Backend{}
	}
	number := port.TargetPort.IntVal
	if number == 0 {
		number = port.Port
	}
	if number < 1 || number > 65535 {
		return model.Backend{}
	}
	var list []netip.AddrPort
	addresses, _ := b.addresses(s, service.Spec.ExternalName)
	for _, a := range addresses {
		if b.o.AllowLoopback || !internal(a) {
			list = append(list, netip.AddrPortFrom(a, uint16(number)))
		}
	}
	return backendOf(list)
}

// addresses are those that the DNS has of a name, or why there are none.
func (b *Builder) addresses(s *store.Snapshot, name string) (all []netip.Addr, why string) {
	found := s.Addresses[name]
	if !b.settings.settings.NoIPv6Names {
		return found.Addresses, found.Err
	}
	for _, a := range found.Addresses {
		if a.Unmap().Is4() {
			all = append(all, a)
		}
	}
	if why = found.Err; why == "" && len(found.Addresses) > 0 && len(all) == 0 {
		why = fmt.Sprintf("%s has IPv6 addresses only, and disable-ipv6-dns is true", name)
	}
	return all, why
}

// metadata are addresses of clouds' metadata that are not link-local.
var metadata = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200")}

// internal addresses are this machine's and its link's: whoever may write a
// Service must not reach, by a name, what listens for the machine alone, or
// the cloud's metadata.
func internal(a netip.Addr) bool {
	a = a.Unmap()
	return slices.Contains(metadata, a) || a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsMulticast()
}
