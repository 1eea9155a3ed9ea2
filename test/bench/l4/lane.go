package main

import (
	"fmt"
	"net/netip"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// The addresses of a lane. They are the same in each but for the link to the
// API server, for lanes know nothing of each other.
const (
	clusterCIDR = "10.248.0.0/14" // pods on all nodes
	podRange    = "10.248.0.0/15" // those that serve
	clientLink  = "10.250.0.%d/30"
	podLink     = "10.250.1.%d/30"
	apiLink     = "172.31.%d.%d/30"
	podPort     = 8080
)

// A lane is a client, a node and the pods behind it, in a row: each a network
// namespace of its own. The client is a pod of the node too, so that nothing is
// masqueraded on its way to a ClusterIP.
type lane struct {
	number             int
	client, node, pods *namespace
	served             *pods
}

// newLane makes a lane whose node reaches the API server in root.
func newLane(s *lab.Session, root *namespace, number int) *lane {
	l := &lane{number: number, client: newNamespace(s), node: newNamespace(s), pods: newNamespace(s)}
	connect(s, l.node, "client", fmt.Sprintf(clientLink, 1), l.client, "eth0", fmt.Sprintf(clientLink, 2))
	connect(s, l.node, "pods", fmt.Sprintf(podLink, 1), l.pods, "eth0", fmt.Sprintf(podLink, 2))
	connect(s, l.node, "api", fmt.Sprintf(apiLink, number, 2), root, fmt.Sprintf("node%d", number), fmt.Sprintf(apiLink, number, 1))
	// Without a default route the node itself could not reach a ClusterIP.
	l.node.route(s, "0.0.0.0/0", fmt.Sprintf("172.31.%d.1", number))
	l.node.route(s, podRange, "10.250.1.2")
	l.client.route(s, "0.0.0.0/0", "10.250.0.1")
	l.pods.route(s, "0.0.0.0/0", "10.250.1.1")
	l.pods.own(s, podRange)
	l.node.sysctl(s, map[string]string{
		"ipv4/ip_forward":              "1",
		"ipv4/conf/all/rp_filter":      "0",
		"ipv4/conf/default/rp_filter":  "0",
		"ipv4/conf/client/rp_filter":   "0",
		"ipv4/conf/pods/rp_filter":     "0",
		"ipv4/icmp_ratelimit":          "0",
		"ipv4/ip_local_port_range":     "40000 60999",
		"ipv4/conf/all/send_redirects": "0",
		// A client that takes the port of a connection which has just ended may
		// get that one's endpoint: the kernel's doing, and no proxier's.
		"netfilter/nf_conntrack_tcp_timeout_close":     "1",
		"netfilter/nf_conntrack_tcp_timeout_time_wait": "1",
	})
	// Clients open many connections one after the other.
	l.client.sysctl(s, map[string]string{"ipv4/ip_local_port_range": "1024 65535"})
	l.pods.sysctl(s, map[string]string{"core/somaxconn": "65535", "ipv4/tcp_max_syn_backlog": "65535", "ipv4/tcp_syncookies": "0"})
	l.served = serve(s, l.pods)
	return l
}

// address is the node's own, at which node ports answer.
func (l *lane) address() netip.Addr { return netip.AddrFrom4([4]byte{172, 31, byte(l.number), 2}) }

// nodeName names the lane's Node.
func (l *lane) nodeName() string { return fmt.Sprintf("node-%d", l.number) }
