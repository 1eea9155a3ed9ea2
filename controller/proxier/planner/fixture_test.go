package planner

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// options are those of node n1 and no flag.
var options = Options{NodeName: "n1", MasqueradeMark: 0x4000}

// aService is default/web at 10.96.0.1:80, made at second 100.
func aService(change ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "u-web", CreationTimestamp: metav1.Unix(100, 0)},
		Spec: corev1.ServiceSpec{
			Type:       corev1.ServiceTypeClusterIP,
			ClusterIP:  "10.96.0.1",
			ClusterIPs: []string{"10.96.0.1"},
			Ports:      []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}},
		},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func named(name string, created int64, clusterIPs ...string) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Name, s.UID, s.CreationTimestamp = name, types.UID("u-"+name), metav1.Unix(created, 0)
		s.Spec.ClusterIP, s.Spec.ClusterIPs = clusterIPs[0], clusterIPs
	}
}

func dual(s *corev1.Service) { s.Spec.ClusterIPs = []string{"10.96.0.1", "fd00:96::1"} }

func nodePort(n int32) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.Type = corev1.ServiceTypeNodePort
		s.Spec.Ports[0].NodePort = n
	}
}

func balanced(ips ...string) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		for _, ip := range ips {
			s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: ip})
		}
	}
}

func externalIPs(ips ...string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.ExternalIPs = ips }
}

func ranges(texts ...string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = texts }
}

func externalLocal(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = "Local" }

func internalLocal(s *corev1.Service) {
	s.Spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicyLocal)
}

// aSlice is web-1 of default/web: port 8080, with endpoints on node n2.
func aSlice(addresses []string, change ...func(*discoveryv1.EndpointSlice)) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "web-1",
			Labels: map[string]string{discoveryv1.LabelServiceName: "web"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new(""), Port: new(int32(8080)), Protocol: new(corev1.ProtocolTCP)}},
	}
	for _, a := range addresses {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{a}, NodeName: new("n2")})
	}
	for _, c := range change {
		c(s)
	}
	return s
}

// of calls a slice so and makes it one of a Service.
func of(service, name string) func(*discoveryv1.EndpointSlice) {
	return func(s *discoveryv1.EndpointSlice) {
		s.Name = name
		s.Labels[discoveryv1.LabelServiceName] = service
	}
}

func v6(s *discoveryv1.EndpointSlice) { s.AddressType = discoveryv1.AddressTypeIPv6 }

// at changes the endpoints with these indices.
func at(change func(*discoveryv1.Endpoint), indices ...int) func(*discoveryv1.EndpointSlice) {
	return func(s *discoveryv1.EndpointSlice) {
		for _, i := range indices {
			change(&s.Endpoints[i])
		}
	}
}

func here(e *discoveryv1.Endpoint) { e.NodeName = new("n1") }

func notReady(e *discoveryv1.Endpoint) { e.Conditions.Ready = new(false) }

func draining(e *discoveryv1.Endpoint) {
	e.Conditions = discoveryv1.EndpointConditions{Ready: new(false), Serving: new(true), Terminating: new(true)}
}

// published is a leaving endpoint of a Service with publishNotReadyAddresses.
func published(e *discoveryv1.Endpoint) {
	e.Conditions = discoveryv1.EndpointConditions{Ready: new(true), Serving: new(false), Terminating: new(true)}
}

func zones(names ...string) func(*discoveryv1.Endpoint) {
	return func(e *discoveryv1.Endpoint) {
		if e.Hints == nil {
			e.Hints = &discoveryv1.EndpointHints{}
		}
		for _, n := range names {
			e.Hints.ForZones = append(e.Hints.ForZones, discoveryv1.ForZone{Name: n})
		}
	}
}

func nodes(names ...string) func(*discoveryv1.Endpoint) {
	return func(e *discoveryv1.Endpoint) {
		if e.Hints == nil {
			e.Hints = &discoveryv1.EndpointHints{}
		}
		for _, n := range names {
			e.Hints.ForNodes = append(e.Hints.ForNodes, discoveryv1.ForNode{Name: n})
		}
	}
}

// aNode is n1 in zone z1.
func aNode(change ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{corev1.LabelTopologyZone: "z1"}},
		Spec:       corev1.NodeSpec{PodCIDRs: []string{"10.244.1.0/24", "fd00:244:1::/64"}},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: "n1"},
			{Type: corev1.NodeInternalIP, Address: "192.0.2.11"},
			{Type: corev1.NodeInternalIP, Address: "2001:db8:a::11"},
			{Type: corev1.NodeExternalIP, Address: "198.51.100.11"},
		}},
	}
	for _, c := range change {
		c(n)
	}
	return n
}

// aSnapshot holds Services, slices (by their label) and Nodes.
func aSnapshot(objects ...metav1.Object) *store.Snapshot {
	s := &store.Snapshot{
		Services: map[store.Key]*corev1.Service{},
		Slices:   map[store.Key]map[string]*discoveryv1.EndpointSlice{},
		Nodes:    map[string]*corev1.Node{},
	}
	for _, o := range objects {
		put(s, o)
	}
	return s
}

func put(s *store.Snapshot, o metav1.Object) {
	switch o := o.(type) {
	case *corev1.Service:
		s.Services[keyOf(o)] = o
	case *discoveryv1.EndpointSlice:
		key := store.Key{Namespace: o.Namespace, Name: o.Labels[discoveryv1.LabelServiceName]}
		if s.Slices[key] == nil {
			s.Slices[key] = map[string]*discoveryv1.EndpointSlice{}
		}
		s.Slices[key][o.Name] = o
	case *corev1.Node:
		s.Nodes[o.Name] = o
	}
}

func keyOf(s *corev1.Service) store.Key { return store.Key{Namespace: s.Namespace, Name: s.Name} }

// planned plans objects from nothing.
func planned(t *testing.T, o Options, objects ...metav1.Object) *Planner {
	t.Helper()
	p := New(o)
	p.Update(aSnapshot(objects...), store.Changes{}, true)
	return p
}

// text shows a plan's ports: a line for each, one for each frontend, and one
// for each pool. An endpoint on this node has a star.
func text(p *plan.Plan) string {
	var b strings.Builder
	for _, id := range slices.SortedFunc(maps.Keys(p.Ports), compareIDs) {
		port := p.Ports[id]
		fmt.Fprintf(&b, "%s%s\n", id, extras(port))
		for _, f := range port.Frontends {
			fmt.Fprintf(&b, "  %s\n", frontendText(f))
		}
		fmt.Fprintf(&b, "  -> %s\n", poolText(port.Cluster))
		if len(port.Local) > 0 {
			fmt.Fprintf(&b, "  local -> %s\n", poolText(port.Local))
		}
	}
	return b.String()
}

func extras(p *plan.Port) string {
	s := ""
	if p.Affinity != 0 {
		s += fmt.Sprintf(" affinity %d", p.Affinity/time.Second)
	}
	if p.Balance != plan.ModeDefault {
		s += fmt.Sprintf(" balance %d", p.Balance)
	}
	return s
}

func frontendText(f plan.Frontend) string {
	s := fmt.Sprintf("%s %d", []string{"cluster", "node", "lb", "external"}[f.Kind], f.Port)
	if f.Address.IsValid() {
		s = fmt.Sprintf("%s %s", []string{"cluster", "node", "lb", "external"}[f.Kind], netip.AddrPortFrom(f.Address, f.Port))
	}
	if f.Local {
		s += " local"
	}
	if f.Sources != nil {
		s += fmt.Sprint(" from ", f.Sources)
	}
	return s
}

func poolText(all []plan.Endpoint) string {
	var texts []string
	for _, e := range all {
		s := e.Address.String()
		if e.Weight != 1 {
			s += fmt.Sprintf("x%d", e.Weight)
		}
		if e.Local {
			s += "*"
		}
		texts = append(texts, s)
	}
	return strings.Join(texts, " ")
}

// problemTexts are a planner's problems, a line each.
func problemTexts(p *Planner) []string {
	var texts []string
	for _, one := range p.Problems() {
		o := one.Object
		texts = append(texts, fmt.Sprintf("%s %s/%s %s: %s", o.Kind, o.Namespace, o.Name, one.Field, one.Reason))
	}
	return texts
}

// wantProblems wants these alone; the Node's absence is none of them.
func wantProblems(t *testing.T, p *Planner, want ...string) {
	t.Helper()
	got := slices.DeleteFunc(problemTexts(p), func(s string) bool { return strings.HasPrefix(s, "Node /n1 : is not there") })
	if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// wantPlan wants these ports alone. want may be indented with tabs.
func wantPlan(t *testing.T, p *Planner, want string) {
	t.Helper()
	var lines []string
	for l := range strings.Lines(want) {
		if l = strings.TrimLeft(strings.TrimRight(l, "\n"), "\t"); l != "" {
			lines = append(lines, l)
		}
	}
	got := strings.TrimSuffix(text(p.Plan()), "\n")
	if diff := cmp.Diff(strings.Join(lines, "\n"), got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}
