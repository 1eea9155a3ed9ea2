package planner

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Options are what the flags say. They do not change.
type Options struct {
	// NodeName is the Node's name, by which endpoints on it are told.
	NodeName string
	// ServiceProxyName chooses the Services with this value of the label
	// service.kubernetes.io/service-proxy-name; "" those without the label.
	ServiceProxyName string
	MasqueradeAll    bool
	MasqueradeMark   uint32 // the bit of the packet mark
	Detect           DetectOptions
	// NodePortAddresses are CIDRs, or "primary" alone; none is all addresses of
	// the node.
	NodePortAddresses []string
}

// DetectOptions say how traffic of this node's pods is told from all other.
type DetectOptions struct {
	// Mode is ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix;
	// "" is ClusterCIDR.
	Mode            string
	ClusterCIDRs    []netip.Prefix // none: nothing is told by ClusterCIDR
	Bridge          string         // for BridgeInterface
	InterfacePrefix string         // for InterfaceNamePrefix
}

// The values of DetectOptions.Mode.
const (
	clusterCIDR         = "ClusterCIDR"
	nodeCIDR            = "NodeCIDR"
	bridgeInterface     = "BridgeInterface"
	interfaceNamePrefix = "InterfaceNamePrefix"
)

// primary is the word for the node's first address of each family.
const primary = "primary"

// maxInterface is the length of the longest name that Linux lets an interface
// have: IFNAMSIZ less the byte that ends it.
const maxInterface = 15

// Check says what is wrong with the flags. The error begins with the flag's
// name.
func (o Options) Check() error {
	if o.NodeName == "" {
		return fmt.Errorf("--hostname-override: the node's name is not known")
	}
	if wrong := validation.IsValidLabelValue(o.ServiceProxyName); len(wrong) > 0 {
		return fmt.Errorf("--service-proxy-name: %q is no value that a label can have", o.ServiceProxyName)
	}
	if err := o.Detect.check(); err != nil {
		return err
	}
	if slices.Equal(o.NodePortAddresses, []string{primary}) {
		return nil
	}
	for _, text := range o.NodePortAddresses {
		if text == primary {
			return fmt.Errorf("--nodeport-addresses: %s stands alone, without CIDRs", primary)
		}
		if _, reason := parsePrefix(text); reason != "" {
			return fmt.Errorf("--nodeport-addresses: %s", reason)
		}
	}
	return nil
}

func (d DetectOptions) check() error {
	for _, c := range d.ClusterCIDRs {
		if !c.IsValid() || c.Addr().Is4In6() {
			return fmt.Errorf("--cluster-cidr: %s is no CIDR", c)
		}
	}
	switch d.Mode {
	case "", clusterCIDR, nodeCIDR:
		return nil
	case bridgeInterface:
		return checkInterface("--pod-bridge-interface", d.Bridge)
	case interfaceNamePrefix:
		return checkInterface("--pod-interface-name-prefix", d.InterfacePrefix)
	}
	return fmt.Errorf("--detect-local-mode: %q is none of %s, %s, %s, %s",
		d.Mode, clusterCIDR, nodeCIDR, bridgeInterface, interfaceNamePrefix)
}

// checkInterface knows what the kernel takes for an interface's name, or for
// the beginning of one. A "+" at the end means any ending to iptables.
func checkInterface(flag, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s: is needed for this --detect-local-mode", flag)
	case len(name) > maxInterface:
		return fmt.Errorf("%s: %q is longer than %d bytes", flag, name, maxInterface)
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/:"'\*+`, r) }):
		return fmt.Errorf("%s: %q is no interface's name", flag, name)
	}
	return nil
}

// parsePrefix reads a CIDR and masks it. The reason is "" where it is one.
func parsePrefix(text string) (netip.Prefix, string) {
	c, err := netip.ParsePrefix(text)
	if err != nil || c.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Sprintf("%.64q is no CIDR", text)
	}
	return c.Masked(), ""
}

// mergePrefixes sorts masked prefixes in place and drops those within another.
func mergePrefixes(all []netip.Prefix) []netip.Prefix {
	slices.SortFunc(all, netip.Prefix.Compare)
	// What contains a prefix sorts before it, with only what it contains in between.
	kept := all[:0]
	for _, p := range all {
		if n := len(kept); n == 0 || !kept[n-1].Overlaps(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// nodePorts is where node ports answer. The node's own first addresses are
// given for "primary".
func (o Options) nodePorts(first []netip.Addr) plan.NodePorts {
	var all []netip.Prefix
	switch {
	case len(o.NodePortAddresses) == 0:
		return plan.NodePorts{All: true}
	case o.NodePortAddresses[0] == primary:
		for _, a := range first {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
	default:
		for _, text := range o.NodePortAddresses {
			if c, reason := parsePrefix(text); reason == "" {
				all = append(all, c)
			}
		}
	}
	all = mergePrefixes(all)
	if len(all) == 2 && all[0].Bits() == 0 && all[1].Bits() == 0 {
		return plan.NodePorts{All: true}
	}
	return plan.NodePorts{Prefixes: all}
}
