package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// A Network is the edge with all that is around it.
type Network struct {
	Edge, Client, N2, P1, P2, World *Namespace
	servers                         []*server
}

// Addresses of the lab.
const (
	Edge4, Edge4Second, Edge6 = "192.0.2.11", "198.51.100.11", "2001:db8:a::11"
	N24, N26                  = "192.0.2.12", "2001:db8:a::12"
	Client4, Client6          = "203.0.113.7", "2001:db8:e::7"
	P14, P24                  = "10.244.1.10", "10.244.1.11"
	P16, P26                  = "fd00:10:244:1::10", "fd00:10:244:1::11"
	N2A4, N2B4                = "10.244.2.10", "10.244.2.11"
	N2A6, N2B6                = "fd00:10:244:2::10", "fd00:10:244:2::11"
	Bridge                    = "cni0"
)

// The addresses of Services: ClusterIPs, and those of load balancers and other
// outside addresses. They lead to the world where nobody takes them.
const (
	Services4, Services6   = "10.96.0.0/16", "fd00:10:96::/112"
	Balancers4, Balancers6 = "198.18.0.0/15", "2001:db8:1b::/48"
)

// Clients is how many further addresses the client has, from Client4 and
// Client6 on.
const Clients = 40

// New makes the network, without anything that answers in it.
func New() (*Network, error) {
	w := &Network{}
	for name, at := range map[string]**Namespace{
		"edge": &w.Edge, "client": &w.Client, "n2": &w.N2, "p1": &w.P1, "p2": &w.P2, "world": &w.World,
	} {
		n, err := newNamespace(name)
		if err != nil {
			return nil, errors.Join(err, w.Close())
		}
		*at = n
	}
	if err := w.connect(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Close ends the servers and lets go of the namespaces.
func (w *Network) Close() error {
	var all []error
	for _, s := range w.servers {
		all = append(all, s.close())
	}
	for _, n := range []*Namespace{w.Edge, w.Client, w.N2, w.P1, w.P2, w.World} {
		if n != nil {
			all = append(all, n.Close())
		}
	}
	return errors.Join(all...)
}

// An end is one of two ends of a wire.
type end struct {
	at        *Namespace
	name      string
	bridge    string // which it is a port of
	addresses []string
	further   bool     // of several IPv6 addresses the one with /64 is the usual source
	routes    []string // "PREFIX GATEWAY [SOURCE]"; a gateway "-": on the link
}

func (w *Network) connect() error {
	if err := w.sysctls(); err != nil {
		return err
	}
	if err := w.makeBridge(); err != nil {
		return err
	}
	for _, wire := range w.wires() {
		if err := join(wire[0], wire[1]); err != nil {
			return fmt.Errorf("%s to %s: %w", wire[0].at.name, wire[1].at.name, err)
		}
	}
	return w.loopbacks()
}

// sysctls are those that a node has, and that keep the kernel from being slow
// to refuse: its limit of ICMP errors is for a hostile world.
func (w *Network) sysctls() error {
	for _, n := range []*Namespace{w.Edge, w.Client, w.N2, w.P1, w.P2, w.World} {
		for path, value := range map[string]string{
			"net/ipv4/ip_forward":                  "1",
			"net/ipv6/conf/all/forwarding":         "1",
			"net/ipv4/conf/all/rp_filter":          "0",
			"net/ipv4/conf/default/rp_filter":      "0",
			"net/ipv4/conf/all/send_redirects":     "0",
			"net/ipv4/conf/default/send_redirects": "0",
			"net/ipv4/icmp_ratelimit":              "0",
			"net/ipv6/icmp/ratelimit":              "0",
			"net/ipv6/conf/default/accept_dad":     "0", // addresses are there at once
			"net/ipv6/conf/all/accept_dad":         "0",
			"net/ipv6/conf/default/accept_ra":      "0",
		} {
			if err := n.Sysctl(path, value); err != nil {
				return fmt.Errorf("%s: %w", n.name, err)
			}
		}
	}
	return errors.Join(w.unlimited(), w.routeOnly())
}

// unlimited lifts the limits of all ICMP errors together, which older kernels
// have once for all namespaces, and not in these.
func (w *Network) unlimited() error {
	for _, n := range []*Namespace{w.Edge, w.Client, w.N2, w.P1, w.P2, w.World} {
		for _, path := range []string{"net/ipv4/icmp_msgs_per_sec", "net/ipv4/icmp_msgs_burst"} {
			if err := n.Sysctl(path, "1000000"); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s: %w", n.name, err)
			}
		}
	}
	return nil
}

// routeOnly keeps a kernel that has br_netfilter from translating addresses in
// the bridge, so that the lab is the same with and without: see wires.
func (w *Network) routeOnly() error {
	if err := w.filterBridge("0"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// FilterBridge has the bridge's traffic pass the rules of IP, as Kubernetes asks
// of a node. Where the kernel lacks br_netfilter the error is fs.ErrNotExist.
func (w *Network) FilterBridge() error {
	if err := w.filterBridge("1"); err != nil {
		return err
	}
	h, err := w.Edge.links()
	if err != nil {
		return err
	}
	defer h.Close()
	for _, port := range podPorts {
		link, err := h.LinkByName(port)
		if err != nil {
			return fmt.Errorf("%s: %w", port, err)
		}
		// What a pod sends to a Service and gets itself is translated in the bridge
		// and leaves by the port that it came by.
		if err := h.LinkSetHairpin(link, true); err != nil {
			return fmt.Errorf("%s: hairpin: %w", port, err)
		}
	}
	return nil
}

func (w *Network) filterBridge(value string) error {
	for _, path := range []string{"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"} {
		if err := w.Edge.Sysctl(path, value); err != nil {
			return fmt.Errorf("edge: %w", err)
		}
	}
	return nil
}

// podPorts are the bridge's ports.
var podPorts = []string{"veth-p1", "veth-p2"}

func (w *Network) makeBridge() error {
	h, err := w.Edge.links()
	if err != nil {
		return err
	}
	defer h.Close()
	// Without its own address in the link's attributes a bridge takes that of a
	// port, and loses it with the port.
	mac := net.HardwareAddr{2, 0x5a, 0x11, 0, 0, 1}
	b := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: Bridge, HardwareAddr: mac}}
	if err := h.LinkAdd(b); err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	return (&end{at: w.Edge, name: Bridge, addresses: []string{"10.244.1.1/24", "fd00:10:244:1::1/64"}}).configure(h)
}

// wires are the links. A pod's address is alone on its link, so that what it
// sends to its neighbour, also an answer, goes by way of the node: with a
// network of both on the bridge that would take br_netfilter.
func (w *Network) wires() [][2]*end {
	pod := func(n *Namespace, port, a4, a6 string) [2]*end {
		return [2]*end{
			{at: w.Edge, name: port, bridge: Bridge},
			{at: n, name: "eth0", addresses: []string{a4 + "/32", a6 + "/128"}, routes: []string{
				"10.244.1.1/32 -", "0.0.0.0/0 10.244.1.1", "fd00:10:244:1::1/128 -", "::/0 fd00:10:244:1::1",
			}},
		}
	}
	return [][2]*end{
		{
			{at: w.Edge, name: "lan", addresses: []string{Edge4 + "/24", Edge6 + "/64"}},
			{at: w.N2, name: "lan", addresses: []string{N24 + "/24", N26 + "/64"}, routes: []string{"0.0.0.0/0 " + Edge4, "::/0 " + Edge6}},
		}, {
			{at: w.Edge, name: "uplink", addresses: []string{"203.0.113.1/24", Edge4Second + "/32", "2001:db8:e::1/64"}},
			{at: w.Client, name: "eth0", addresses: clientAddresses(), further: true, routes: []string{"0.0.0.0/0 203.0.113.1", "::/0 2001:db8:e::1"}},
		}, {
			{at: w.Edge, name: "world", addresses: []string{"10.99.0.1/30", "fd00:99::1/64"}, routes: []string{
				"0.0.0.0/0 10.99.0.2 " + Edge4, "::/0 fd00:99::2 " + Edge6,
				"10.244.2.0/24 " + N24, "fd00:10:244:2::/64 " + N26,
			}},
			{at: w.World, name: "eth0", addresses: []string{"10.99.0.2/30", "fd00:99::2/64"}, routes: []string{"0.0.0.0/0 10.99.0.1", "::/0 fd00:99::1"}},
		},
		pod(w.P1, podPorts[0], P14, P16), pod(w.P2, podPorts[1], P24, P26),
	}
}

// clientAddresses begin with the one that is the source where none is named.
func clientAddresses() []string {
	all := []string{Client4 + "/24", Client6 + "/64"}
	for i := 1; i <= Clients; i++ {
		a4, a6 := Further(i)
		all = append(all, a4.String()+"/24", a6.String()+"/128")
	}
	return all
}

// Further gives the client's i-th further addresses, from 1 to Clients.
func Further(i int) (a4, a6 netip.Addr) {
	a4, a6 = netip.MustParseAddr(Client4), netip.MustParseAddr(Client6)
	for range i {
		a4, a6 = a4.Next(), a6.Next()
	}
	return a4, a6
}

// loopbacks sets the addresses that no wire has.
func (w *Network) loopbacks() error {
	addresses := map[*Namespace][]string{
		w.Edge: nil, w.Client: nil, w.P1: nil, w.P2: nil, w.World: nil,
		w.N2: {N2A4 + "/32", N2B4 + "/32", N2A6 + "/128", N2B6 + "/128"},
	}
	for n, all := range addresses {
		h, err := n.links()
		if err != nil {
			return err
		}
		err = (&end{at: n, name: "lo", addresses: all}).configure(h)
		h.Close()
		if err != nil {
			return err
		}
	}
	return w.answerForServices()
}

// answerForServices makes all addresses that Services may have the world's own.
func (w *Network) answerForServices() error {
	for _, prefix := range []string{Services4, Balancers4, Services6, Balancers6} {
		if _, err := w.World.Run("", "ip", "route", "add", "local", prefix, "dev", "lo"); err != nil {
			return err
		}
	}
	// A local route makes each IPv4 address one to answer from, but no IPv6 address.
	return w.World.Sysctl("net/ipv6/ip_nonlocal_bind", "1")
}
