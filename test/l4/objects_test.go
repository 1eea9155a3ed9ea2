package l4

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// A thing makes an object, or several, with the numbers of its case.
type thing func(n *numbers) []any

// numbers give the Services of a case addresses and ports that no other has.
type numbers struct {
	namespace string
	first     int            // of all Services of all cases
	ordinals  map[string]int // by the Service's name
	services  map[string]*corev1.Service
}

// perCase is how many Services a case may have.
const perCase = 4

func newNumbers(namespace string, index int) *numbers {
	return &numbers{
		namespace: namespace, first: 1 + index*perCase,
		ordinals: map[string]int{}, services: map[string]*corev1.Service{},
	}
}

func (n *numbers) of(service string) int {
	if _, ok := n.ordinals[service]; !ok {
		n.ordinals[service] = len(n.ordinals)
	}
	return n.first + n.ordinals[service]
}

// address gives one of a Service's addresses: of "vip", "lb", "xip", and the
// same with a 6.
func (n *numbers) address(service, place string) netip.Addr {
	k := n.of(service)
	form := map[string]string{
		"vip": "10.96.%d.%d", "lb": "198.18.%d.%d", "xip": "198.19.%d.%d",
		"vip6": "fd00:10:96::%x", "lb6": "2001:db8:1b::1:%x", "xip6": "2001:db8:1b::2:%x",
	}[place]
	if strings.HasSuffix(place, "6") {
		return netip.MustParseAddr(fmt.Sprintf(form, 0x100+k))
	}
	return netip.MustParseAddr(fmt.Sprintf(form, 1+k>>8, k&255))
}

func (n *numbers) nodePort(service string, i int) int32 { return int32(30000 + 3*n.of(service) + i) }
func (n *numbers) healthPort(service string) int32      { return int32(32000 + n.of(service)) }
func (n *numbers) object(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: n.namespace, Name: name}
}

// An option changes a Service.
type option func(n *numbers, s *corev1.Service)

// service makes a dual-stack Service of type ClusterIP. Ports are "80",
// "53/udp", "80:9090" with the port of its endpoints (8080 if it isn't said).
func service(name string, ports string, options ...option) thing {
	return func(n *numbers) []any {
		v4, v6 := n.address(name, "vip").String(), n.address(name, "vip6").String()
		policy := corev1.IPFamilyPolicyRequireDualStack
		s := &corev1.Service{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: n.object(name),
			Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeClusterIP, ClusterIP: v4, ClusterIPs: []string{v4, v6},
				IPFamilies:     []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol},
				IPFamilyPolicy: &policy,
				Ports:          servicePorts(ports),
			},
		}
		for _, o := range options {
			o(n, s)
		}
		n.services[name] = s
		return []any{s}
	}
}

// targets are the endpoints' ports, by the Service's port name.
func servicePorts(text string) []corev1.ServicePort {
	var all []corev1.ServicePort
	for _, word := range strings.Fields(text) {
		word, protocol, _ := strings.Cut(word, "/")
		number, target, _ := strings.Cut(word, ":")
		p := corev1.ServicePort{Protocol: corev1.ProtocolTCP, Port: integer(number)}
		if protocol == "udp" {
			p.Protocol = corev1.ProtocolUDP
		}
		p.TargetPort.IntVal = 8080
		if target != "" {
			p.TargetPort.IntVal = integer(target)
		}
		p.Name = fmt.Sprintf("%s-%d", strings.ToLower(string(p.Protocol)), p.Port)
		all = append(all, p)
	}
	if len(all) == 1 {
		all[0].Name = ""
	}
	return all
}

func integer(text string) int32 {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err) // a word of this package's own tables
	}
	return int32(n)
}

func nodePorts(n *numbers, s *corev1.Service) {
	s.Spec.Type = corev1.ServiceTypeNodePort
	for i := range s.Spec.Ports {
		s.Spec.Ports[i].NodePort = n.nodePort(s.Name, i)
	}
}

func balancer(n *numbers, s *corev1.Service) {
	nodePorts(n, s)
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	for _, place := range []string{"lb", "lb6"} {
		s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress,
			corev1.LoadBalancerIngress{IP: n.address(s.Name, place).String()})
	}
}

// ipModeProxy says that the balancer sends to the nodes itself.
func ipModeProxy(_ *numbers, s *corev1.Service) {
	proxy := corev1.LoadBalancerIPModeProxy
	for i := range s.Status.LoadBalancer.Ingress {
		s.Status.LoadBalancer.Ingress[i].IPMode = &proxy
	}
}

func externalIPs(n *numbers, s *corev1.Service) {
	s.Spec.ExternalIPs = []string{n.address(s.Name, "xip").String(), n.address(s.Name, "xip6").String()}
}

// everywhere is all kinds of frontends.
func everywhere(n *numbers, s *corev1.Service) {
	balancer(n, s)
	externalIPs(n, s)
}

func external(n *numbers, s *corev1.Service) {
	s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		s.Spec.HealthCheckNodePort = n.healthPort(s.Name)
	}
}

func internal(_ *numbers, s *corev1.Service) {
	local := corev1.ServiceInternalTrafficPolicyLocal
	s.Spec.InternalTrafficPolicy = &local
}

func sources(prefixes ...string) option {
	return func(_ *numbers, s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = prefixes }
}

func affinity(seconds int32) option {
	return func(_ *numbers, s *corev1.Service) {
		s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
		s.Spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: &seconds}}
	}
}

func annotated(key, value string) option {
	return func(_ *numbers, s *corev1.Service) { metav1.SetMetaDataAnnotation(&s.ObjectMeta, key, value) }
}

func labelled(key, value string) option {
	return func(_ *numbers, s *corev1.Service) { metav1.SetMetaDataLabel(&s.ObjectMeta, key, value) }
}

const proxyNameLabel = "service.kubernetes.io/service-proxy-name"

func balance(how string) option { return annotated("sallyport.io/balance", how) }

func headless(_ *numbers, s *corev1.Service) {
	s.Spec.ClusterIP, s.Spec.ClusterIPs = corev1.ClusterIPNone, []string{corev1.ClusterIPNone}
}

func externalName(_ *numbers, s *corev1.Service) {
	s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "example.org"}
}

// changed changes a Service in any other way.
func changed(f func(s *corev1.Service)) option { return func(_ *numbers, s *corev1.Service) { f(s) } }

// A pod is one that may be an endpoint, with how it is one.
type pod struct {
	name, node string
	v4, v6     string
	ready      *bool
	serving    *bool
	leaving    *bool
	zones      []discoveryv1.ForZone
	nodes      []discoveryv1.ForNode
}

var (
	p1  = pod{name: "p1", node: "n1", v4: lab.P14, v6: lab.P16}
	p2  = pod{name: "p2", node: "n1", v4: lab.P24, v6: lab.P26}
	n2a = pod{name: "n2a", node: "n2", v4: lab.N2A4, v6: lab.N2A6}
	n2b = pod{name: "n2b", node: "n2", v4: lab.N2B4, v6: lab.N2B6}
)

var pods = []pod{p1, p2, n2a, n2b}

func (p pod) unready() pod { return p.conditions(false, false, false) }

// terminating is a pod that ends and still serves.
func (p pod) terminating() pod { return p.conditions(false, true, true) }

func (p pod) conditions(ready, serving, leaving bool) pod {
	p.ready, p.serving, p.leaving = &ready, &serving, &leaving
	return p
}

func (p pod) zone(names ...string) pod {
	p.zones = nil
	for _, name := range names {
		p.zones = append(p.zones, discoveryv1.ForZone{Name: name})
	}
	return p
}

func (p pod) forNode(name string) pod {
	p.nodes = []discoveryv1.ForNode{{Name: name}}
	return p
}

// endpoints makes a slice of each family for a Service made before.
func endpoints(name string, pods ...pod) thing { return slice(name, "", nil, pods...) }

// slice is endpoints with a suffix, for several of one Service, and a change.
func slice(name, suffix string, change func(*discoveryv1.EndpointSlice), pods ...pod) thing {
	return func(n *numbers) []any {
		var all []any
		for _, family := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
			s := &discoveryv1.EndpointSlice{
				TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
				ObjectMeta:  n.object(name + suffix + "-" + strings.ToLower(string(family))),
				AddressType: family, Ports: slicePorts(n.services[name]), Endpoints: []discoveryv1.Endpoint{},
			}
			s.Labels = map[string]string{discoveryv1.LabelServiceName: name}
			for _, p := range pods {
				s.Endpoints = append(s.Endpoints, p.endpoint(family))
			}
			if change != nil {
				change(s)
			}
			all = append(all, s)
		}
		return all
	}
}

func slicePorts(s *corev1.Service) []discoveryv1.EndpointPort {
	all := []discoveryv1.EndpointPort{}
	for _, p := range s.Spec.Ports {
		target := p.TargetPort.IntVal
		all = append(all, discoveryv1.EndpointPort{Name: &p.Name, Protocol: &p.Protocol, Port: &target})
	}
	return all
}

func (p pod) endpoint(family discoveryv1.AddressType) discoveryv1.Endpoint {
	e := discoveryv1.Endpoint{Addresses: []string{p.v4}, Conditions: discoveryv1.EndpointConditions{Ready: p.ready, Serving: p.serving, Terminating: p.leaving}}
	if family == discoveryv1.AddressTypeIPv6 {
		e.Addresses = []string{p.v6}
	}
	if p.node != "" {
		e.NodeName = &p.node
	}
	if p.zones != nil || p.nodes != nil {
		e.Hints = &discoveryv1.EndpointHints{ForZones: p.zones, ForNodes: p.nodes}
	}
	return e
}

// weight sets the weight of a slice's endpoints.
func weight(value string) func(*discoveryv1.EndpointSlice) {
	return func(s *discoveryv1.EndpointSlice) {
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, "sallyport.io/weight", value)
	}
}

// node is the edge as the cluster knows it.
func node() any {
	n := &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	n.Labels = map[string]string{corev1.LabelTopologyZone: "a"}
	n.Spec.PodCIDR, n.Spec.PodCIDRs = "10.244.1.0/24", []string{"10.244.1.0/24", "fd00:10:244:1::/64"}
	for _, a := range []string{lab.Edge4, lab.Edge6, lab.Edge4Second} {
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a})
	}
	return n
}

// manifest writes objects as YAML's documents.
func manifest(t testing.TB, objects []any) string {
	t.Helper()
	var b strings.Builder
	for _, o := range objects {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "---\n%s\n", text)
	}
	return b.String()
}
