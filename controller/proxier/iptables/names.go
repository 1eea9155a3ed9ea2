package iptables

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// The chains that are there whatever the plan holds.
const (
	servicesChain    = "SALLYPORT-SERVICES"    // nat: what a connection's first packet goes through
	filterChain      = "SALLYPORT-FILTER"      // filter: what a first packet that nobody serves goes through
	nodePortsChain   = "SALLYPORT-NODEPORTS"   // both: packets to an address of the node
	postroutingChain = "SALLYPORT-POSTROUTING" // nat: masquerades what is marked
	outsideChain     = "SALLYPORT-OUTSIDE"     // nat: marks what no local pod sends
	rejectChain      = "SALLYPORT-REJECT"      // filter
	probeChain       = "SALLYPORT-PROBE"       // both: only while it is tried what a kernel takes
	addressTree      = "SALLYPORT-IP"          // both: the tree over destination addresses
	nodePortTree     = "SALLYPORT-NP-"         // both: the trees over node ports, one for a protocol
)

// The first parts of the names of chains that a port has for itself.
const (
	clusterPool  = "SALLYPORT-SVC-" // chooses among Port.Cluster
	localPool    = "SALLYPORT-LOC-" // chooses among Port.Local
	slotGroup    = "SALLYPORT-HSH-" // a 32nd of the slots of a hash
	byOrigin     = "SALLYPORT-EXT-" // tells origins apart
	bySource     = "SALLYPORT-FW-"  // lets Frontend.Sources through
	endpointName = "SALLYPORT-SEP-" // one endpoint
)

// ours says whether a chain can only be of this mode. Other modes have names
// with SALLYPORT of their own; those are not touched.
func ours(chain string) bool {
	switch chain {
	case servicesChain, filterChain, nodePortsChain, postroutingChain, outsideChain, rejectChain, probeChain, addressTree:
		return true
	}
	for _, first := range []string{
		addressTree + "-", nodePortTree, clusterPool, localPool, slotGroup, byOrigin, bySource, endpointName,
	} {
		if strings.HasPrefix(chain, first) {
			return true
		}
	}
	return false
}

// digest is a name for parts that is short enough for a chain: the longest name
// that iptables takes has 28 bytes, and the longest first part here has 14.
// 70 bits make it as good as certain that no two of a cluster are the same.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "|")))
	return base32.StdEncoding.EncodeToString(sum[:])[:14]
}

// sorted puts IDs in an order that does not change.
func sorted(ids []plan.ID) []plan.ID {
	slices.SortFunc(ids, compareIDs)
	return ids
}

func compareIDs(a, b plan.ID) int {
	return cmp.Or(
		strings.Compare(a.Namespace, b.Namespace),
		strings.Compare(a.Name, b.Name),
		strings.Compare(a.Port, b.Port),
		cmp.Compare(a.Protocol, b.Protocol),
		cmp.Compare(a.Family, b.Family),
	)
}

// remark is an ID as a rule's comment. xt_comment takes 255 bytes; whatever
// could end the word for iptables-restore is not in a name that Kubernetes
// takes, and is replaced all the same.
func remark(id plan.ID) string {
	word := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_./:", r):
			return r
		}
		return '_'
	}, id.String())
	if len(word) > 255 {
		return digest(word)
	}
	return word
}
