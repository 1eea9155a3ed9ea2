package planner

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
var comparePrefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"nothing":              {func(*Options) {}, ""},
		"no node":              {func(o *Options) { o.NodeName = "" }, "--hostname-override: the node's name is not known"},
		"a mode that isn't":    {func(o *Options) { o.Detect.Mode = "Guess" }, `--detect-local-mode: "Guess" is none of ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix`},
		"no cluster CIDR":      {func(o *Options) { o.Detect.Mode = "ClusterCIDR" }, ""},
		"a CIDR that is none":  {func(o *Options) { o.Detect.ClusterCIDRs = []netip.Prefix{{}} }, "--cluster-cidr: invalid Prefix is no CIDR"},
		"a mapped CIDR":        {func(o *Options) { o.Detect.ClusterCIDRs = prefixes("::ffff:10.0.0.0/104") }, "--cluster-cidr: ::ffff:10.0.0.0/104 is no CIDR"},
		"no bridge":            {func(o *Options) { o.Detect.Mode = "BridgeInterface" }, "--pod-bridge-interface: is needed for this --detect-local-mode"},
		"a long bridge":        {func(o *Options) { o.Detect = DetectOptions{Mode: "BridgeInterface", Bridge: "abcdefghijklmnop"} }, `--pod-bridge-interface: "abcdefghijklmnop" is longer than 15 bytes`},
		"a bridge":             {func(o *Options) { o.Detect = DetectOptions{Mode: "BridgeInterface", Bridge: "cni0"} }, ""},
		"a prefix with spaces": {func(o *Options) { o.Detect = DetectOptions{Mode: "InterfaceNamePrefix", InterfacePrefix: "ve th"} }, `--pod-interface-name-prefix: "ve th" is no interface's name`},
		"a prefix with a plus": {func(o *Options) { o.Detect = DetectOptions{Mode: "InterfaceNamePrefix", InterfacePrefix: "veth+"} }, `--pod-interface-name-prefix: "veth+" is no interface's name`},
		"primary":              {func(o *Options) { o.NodePortAddresses = []string{"primary"} }, ""},
		"CIDRs":                {func(o *Options) { o.NodePortAddresses = []string{"192.0.2.0/24", "2001:db8::/32"} }, ""},
		"an address":           {func(o *Options) { o.NodePortAddresses = []string{"192.0.2.1"} }, `--nodeport-addresses: "192.0.2.1" is no CIDR`},
		"primary and more":     {func(o *Options) { o.NodePortAddresses = []string{"192.0.2.0/24", "primary"} }, "--nodeport-addresses: primary stands alone, without CIDRs"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options
			test.change(&o)
			got := ""
			if err := o.Check(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("Check() = %q, want %q", got, test.want)
			}
		})
	}
}

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range texts {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func TestSettings(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8:a::11"), netip.MustParseAddr("198.51.100.11")}
	everywhere := plan.NodePorts{All: true}
	for name, test := range map[string]struct {
		detect   DetectOptions
		ports    []string
		node     *corev1.Node
		want     plan.Settings
		problems []string
	}{
		"no flags": {node: aNode(), want: plan.Settings{NodePorts: everywhere, NodeAddresses: own}},
		"no Node": {
			detect: DetectOptions{Mode: nodeCIDR}, ports: []string{primary}, want: plan.Settings{},
			problems: []string{"Node /n1 : is not there: nothing is known of its addresses, its pods' addresses or its zone"},
		},
		"an empty Node": {
			detect: DetectOptions{Mode: nodeCIDR}, ports: []string{primary}, node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}},
			problems: []string{
				"Node /n1 status.addresses: has no InternalIP and no ExternalIP",
				"Node /n1 spec.podCIDRs: has no CIDR, so --detect-local-mode=NodeCIDR can't tell this node's pods from other sources",
				"Node /n1 status.addresses: has no address that could be the primary one: no node port answers",
			},
		},
		"bad addresses": {
			node: aNode(func(n *corev1.Node) {
				n.Status.Addresses = append([]corev1.NodeAddress{
					{Type: corev1.NodeInternalIP, Address: "n1.example"}, {Type: corev1.NodeInternalIP, Address: "0.0.0.0"},
				}, append(n.Status.Addresses, n.Status.Addresses...)...)
			}),
			want: plan.Settings{NodePorts: everywhere, NodeAddresses: own},
			problems: []string{
				`Node /n1 status.addresses[0].address: "n1.example" is no IP address`,
				`Node /n1 status.addresses[1].address: 0.0.0.0 is no address of a node`,
			},
		},
		"primary": {
			ports: []string{primary}, node: aNode(),
			want: plan.Settings{NodePorts: plan.NodePorts{Prefixes: prefixes("192.0.2.11/32", "2001:db8:a::11/128")}, NodeAddresses: own},
		},
		"primary, external": {
			ports: []string{primary}, node: aNode(func(n *corev1.Node) { n.Status.Addresses = n.Status.Addresses[3:] }),
			want: plan.Settings{NodePorts: plan.NodePorts{Prefixes: prefixes("198.51.100.11/32")}, NodeAddresses: own[2:]},
		},
		"CIDRs": {
			ports: []string{"192.0.2.77/24", "192.0.2.0/28", "127.0.0.0/8", "2001:db8::/32"}, node: aNode(),
			want: plan.Settings{NodePorts: plan.NodePorts{Prefixes: prefixes("127.0.0.0/8", "192.0.2.0/24", "2001:db8::/32")}, NodeAddresses: own},
		},
		"everything of one family": {
			ports: []string{"0.0.0.0/0"}, node: aNode(),
			want: plan.Settings{NodePorts: plan.NodePorts{Prefixes: prefixes("0.0.0.0/0")}, NodeAddresses: own},
		},
		"everything of both": {
			ports: []string{"0.0.0.0/0", "::/0", "10.0.0.0/8"}, node: aNode(), want: plan.Settings{NodePorts: everywhere, NodeAddresses: own},
		},
		"the cluster's CIDRs": {
			detect: DetectOptions{ClusterCIDRs: prefixes("fd00::/48", "10.244.9.9/16")}, node: aNode(),
			want: plan.Settings{Detect: plan.Detect{Mode: plan.DetectCIDRs, CIDRs: prefixes("10.244.0.0/16", "fd00::/48")}, NodePorts: everywhere, NodeAddresses: own},
		},
		"the node's CIDRs": {
			detect: DetectOptions{Mode: nodeCIDR}, node: aNode(),
			want: plan.Settings{Detect: plan.Detect{Mode: plan.DetectCIDRs, CIDRs: prefixes("10.244.1.0/24", "fd00:244:1::/64")}, NodePorts: everywhere, NodeAddresses: own},
		},
		"the node's old CIDR, and bad ones": {
			detect: DetectOptions{Mode: nodeCIDR}, node: aNode(func(n *corev1.Node) { n.Spec.PodCIDR, n.Spec.PodCIDRs = "10.244.1.0/33", nil }),
			want: plan.Settings{NodePorts: everywhere, NodeAddresses: own},
			problems: []string{
				`Node /n1 spec.podCIDRs[0]: "10.244.1.0/33" is no CIDR`,
				"Node /n1 spec.podCIDRs: has no CIDR, so --detect-local-mode=NodeCIDR can't tell this node's pods from other sources",
			},
		},
		"a bridge": {
			detect: DetectOptions{Mode: bridgeInterface, Bridge: "cni0"}, node: aNode(),
			want: plan.Settings{Detect: plan.Detect{Mode: plan.DetectBridge, Interface: "cni0"}, NodePorts: everywhere, NodeAddresses: own},
		},
		"a prefix": {
			detect: DetectOptions{Mode: interfaceNamePrefix, InterfacePrefix: "veth"}, node: aNode(),
			want: plan.Settings{Detect: plan.Detect{Mode: plan.DetectInterfacePrefix, Interface: "veth"}, NodePorts: everywhere, NodeAddresses: own},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options
			o.Detect, o.NodePortAddresses = test.detect, test.ports
			objects := []metav1.Object{aService(), aSlice([]string{"10.244.2.10"})}
			if test.node != nil {
				objects = append(objects, test.node)
			}
			p := planned(t, o, objects...)
			test.want.MasqueradeMark = options.MasqueradeMark
			if diff := cmp.Diff(test.want, p.Plan().Settings, compareAddrs, comparePrefixes); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.problems, problemTexts(p)); diff != "" {
				t.Error(diff)
			}
			wantPlan(t, p, webText)
		})
	}
}

func TestEligible(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*corev1.Node)
		want   bool
	}{
		"plain":      {func(*corev1.Node) {}, true},
		"cordoned":   {func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable}} }, true},
		"to be gone": {func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "ToBeDeletedByClusterAutoscaler"}} }, false},
		"going":      {func(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := planned(t, options, aNode(test.change)).Eligible(); got != test.want {
				t.Errorf("Eligible() = %t, want %t", got, test.want)
			}
		})
	}
	if !New(options).Eligible() || !planned(t, options).Eligible() {
		t.Error("a node of which nothing is known is not eligible")
	}
}

func TestLongTextsAreCut(t *testing.T) {
	p := planned(t, options, aService(externalIPs(strings.Repeat("9", 1<<20))), aNode())
	if got := problemTexts(p); len(got) != 1 || len(got[0]) > 200 {
		t.Errorf("%d problems, the first of %d bytes", len(got), len(got[0]))
	}
}
