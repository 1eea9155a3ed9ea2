package main

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	space       = "bench" // the namespace of all objects
	servicePort = 80
	nodePort    = 30080 // of the first Service
)

func serviceName(i int) string { return fmt.Sprintf("service-%05d", i) }

// clusterIP is the address of a Service: the first 256 of the range are the
// API server's own.
func clusterIP(i int) netip.Addr { return offset(netip.AddrFrom4([4]byte{10, 96, 1, 0}), i) }

// endpointsOf are the two endpoints that a Service has at first.
func endpointsOf(i int) []netip.Addr {
	first := netip.AddrFrom4([4]byte{10, 248, 1, 0})
	return []netip.Addr{offset(first, 2*i), offset(first, 2*i+1)}
}

// freshAddress is one that no Service has at first.
func freshAddress(n int) netip.Addr { return offset(netip.AddrFrom4([4]byte{10, 249, 0, 0}), n) }

// mostServices is how many there are addresses for.
const mostServices = 32000

func offset(a netip.Addr, n int) netip.Addr {
	b := a.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v += uint32(n)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// front is where a Service is reached.
func front(i int) netip.AddrPort { return netip.AddrPortFrom(clusterIP(i), servicePort) }

func newService(i int) *corev1.Service {
	port := corev1.ServicePort{Name: "http", Port: servicePort, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(podPort)}
	o := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: serviceName(i)},
		Spec:       corev1.ServiceSpec{ClusterIP: clusterIP(i).String(), Ports: []corev1.ServicePort{port}},
	}
	if i == 0 {
		o.Spec.Type, o.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, nodePort
	}
	return o
}

func newSlice(i int, endpoints []netip.Addr) *discoveryv1.EndpointSlice {
	name, port, protocol, ready := "http", int32(podPort), corev1.ProtocolTCP, true
	o := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: space, Name: serviceName(i) + "-1",
			Labels: map[string]string{discoveryv1.LabelServiceName: serviceName(i)},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
	}
	for _, a := range endpoints {
		o.Endpoints = append(o.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{a.String()}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	return o
}

// create makes a Service with its endpoints.
func (w *world) create(ctx context.Context, i int) error {
	none := metav1.CreateOptions{}
	if _, err := w.client.CoreV1().Services(space).Create(ctx, newService(i), none); err != nil {
		return err
	}
	_, err := w.client.DiscoveryV1().EndpointSlices(space).Create(ctx, newSlice(i, w.endpoints[i]), none)
	return err
}

// move gives a Service other endpoints.
func (w *world) move(ctx context.Context, i int, endpoints ...netip.Addr) error {
	_, err := w.client.DiscoveryV1().EndpointSlices(space).Update(ctx, newSlice(i, endpoints), metav1.UpdateOptions{})
	return err
}

// createNode makes the Node of a lane.
func (w *world) createNode(ctx context.Context, l *lane) error {
	address := corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: l.address().String()}
	o := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: l.nodeName()}}
	made, err := w.client.CoreV1().Nodes().Create(ctx, o, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	made.Status.Addresses = []corev1.NodeAddress{address}
	_, err = w.client.CoreV1().Nodes().UpdateStatus(ctx, made, metav1.UpdateOptions{})
	return err
}
