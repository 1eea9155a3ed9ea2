package planner

import (
	"net/netip"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// taintDeletion is what the cluster autoscaler taints a node with that it is
// about to delete.
const taintDeletion = "ToBeDeletedByClusterAutoscaler"

// A node is what matters of the Node.
type node struct {
	zone     string
	eligible bool
	settings plan.Settings
	trouble  []model.Problem
}

// read reads a Node, which is nil where there is none.
func (o Options) read(n *corev1.Node) node {
	var r report
	r.on(model.Object{Kind: "Node", Name: o.NodeName})
	is := node{eligible: true}
	var addresses []nodeAddress
	var podCIDRs []netip.Prefix
	if n == nil {
		r.add("is not there: nothing is known of its addresses, its pods' addresses or its zone", "")
	} else {
		is.zone = n.Labels[corev1.LabelTopologyZone]
		is.eligible = n.DeletionTimestamp == nil && !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == taintDeletion })
		addresses = nodeAddresses(n, &r)
		podCIDRs = o.podCIDRs(n, &r)
	}
	first := firstAddresses(addresses)
	if n != nil && len(first) == 0 && slices.Equal(o.NodePortAddresses, []string{primary}) {
		r.add("has no address that could be the primary one: no node port answers", "status.addresses")
	}
	is.settings = plan.Settings{
		MasqueradeAll:  o.MasqueradeAll,
		MasqueradeMark: o.MasqueradeMark,
		Detect:         o.Detect.with(podCIDRs),
		NodePorts:      o.nodePorts(first),
	}
	for _, a := range addresses {
		if !slices.Contains(is.settings.NodeAddresses, a.address) {
			is.settings.NodeAddresses = append(is.settings.NodeAddresses, a.address)
		}
	}
	r.end()
	is.trouble = r.all
	return is
}

type nodeAddress struct {
	kind    corev1.NodeAddressType
	address netip.Addr
}

func nodeAddresses(n *corev1.Node, r *report) []nodeAddress {
	var all []nodeAddress
	for i, a := range n.Status.Addresses {
		if a.Type != corev1.NodeInternalIP && a.Type != corev1.NodeExternalIP {
			continue
		}
		address, reason := parseAddress(a.Address)
		if reason == "" && (address.IsUnspecified() || address.IsMulticast()) {
			reason = a.Address + " is no address of a node"
		}
		if reason != "" {
			r.add(reason, "status.addresses[%d].address", i)
			continue
		}
		all = append(all, nodeAddress{a.Type, address})
	}
	if len(all) == 0 {
		r.add("has no InternalIP and no ExternalIP", "status.addresses")
	}
	return all
}

// firstAddresses are the node's primary ones: of each family its first
// InternalIP, else its first ExternalIP.
func firstAddresses(all []nodeAddress) []netip.Addr {
	var first []netip.Addr
	for _, f := range families {
		for _, kind := range []corev1.NodeAddressType{corev1.NodeInternalIP, corev1.NodeExternalIP} {
			i := slices.IndexFunc(all, func(a nodeAddress) bool { return a.kind == kind && plan.FamilyOf(a.address) == f })
			if i >= 0 {
				first = append(first, all[i].address)
				break
			}
		}
	}
	return first
}

// podCIDRs are the addresses of the node's pods, where they are asked for.
func (o Options) podCIDRs(n *corev1.Node, r *report) []netip.Prefix {
	if o.Detect.Mode != nodeCIDR {
		return nil
	}
	texts := n.Spec.PodCIDRs
	if len(texts) == 0 && n.Spec.PodCIDR != "" {
		texts = []string{n.Spec.PodCIDR}
	}
	var all []netip.Prefix
	for i, text := range texts {
		c, reason := parsePrefix(text)
		if reason != "" {
			r.add(reason, "spec.podCIDRs[%d]", i)
			continue
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		r.add("has no CIDR, so --detect-local-mode="+nodeCIDR+" can't tell this node's pods from other sources", "spec.podCIDRs")
	}
	return all
}

func (d DetectOptions) with(podCIDRs []netip.Prefix) plan.Detect {
	switch d.Mode {
	case bridgeInterface:
		return plan.Detect{Mode: plan.DetectBridge, Interface: d.Bridge}
	case interfaceNamePrefix:
		return plan.Detect{Mode: plan.DetectInterfacePrefix, Interface: d.InterfacePrefix}
	case nodeCIDR:
		return detectCIDRs(podCIDRs)
	}
	return detectCIDRs(d.ClusterCIDRs)
}

func detectCIDRs(all []netip.Prefix) plan.Detect {
	if len(all) == 0 {
		return plan.Detect{}
	}
	masked := make([]netip.Prefix, len(all))
	for i, c := range all {
		masked[i] = c.Masked()
	}
	return plan.Detect{Mode: plan.DetectCIDRs, CIDRs: mergePrefixes(masked)}
}

// sameSettings compares by reflection, so that no field is forgotten: it runs
// seldom.
func sameSettings(a, b plan.Settings) bool { return reflect.DeepEqual(a, b) }
