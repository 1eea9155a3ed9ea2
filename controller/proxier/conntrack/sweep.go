package conntrack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

const (
	newFlow    = unix.NFNL_SUBSYS_CTNETLINK<<8 | nl.IPCTNL_MSG_CT_NEW
	getFlow    = unix.NFNL_SUBSYS_CTNETLINK<<8 | nl.IPCTNL_MSG_CT_GET
	deleteFlow = unix.NFNL_SUBSYS_CTNETLINK<<8 | nl.IPCTNL_MSG_CT_DELETE

	// From Linux 5.8 on (cb8aa9a3affb) a dump can be of some flows alone: the
	// attribute, its part that says what in the original tuple has to be equal,
	// and the bit for the protocol. Older kernels know none of it and give all.
	ctaFilter         = 25
	ctaFilterOriginal = 1
	filterProtocol    = 1 << 3

	// tries bounds how often a table that changed under a dump is read anew.
	tries = 3
	// chunk is how many flows are deleted, in about 2 ms, until it is looked
	// whether they are stale still.
	chunk = 100
)

// sweep deletes the flows of a family that are stale by an index, which is asked
// for anew as time goes on, and counts them. The table is read once, unless the
// kernel says that it could not be read in one piece.
func sweep(ctx context.Context, f plan.Family, latest func() *index) (int, error) {
	// The socket is of the thread's network namespace, and only this goroutine's.
	socket, err := nl.Subscribe(unix.NETLINK_NETFILTER)
	if err != nil {
		return 0, fmt.Errorf("conntrack: open netlink socket: %w", err)
	}
	defer socket.Close()
	timeout := unix.Timeval{Sec: 30}
	if err := errors.Join(socket.SetReceiveTimeout(&timeout), socket.SetSendTimeout(&timeout)); err != nil {
		return 0, fmt.Errorf("conntrack: bound the wait for the kernel: %w", err)
	}
	k := kernel{family: f, sockets: map[int]*nl.SocketHandle{unix.NETLINK_NETFILTER: {Socket: socket}}}
	deleted := 0
	for try := 1; ; try++ {
		found, listErr := k.stale(latest())
		for some := range slices.Chunk(found, chunk) {
			n, err := k.delete(ctx, some, latest())
			deleted += n
			if err != nil {
				return deleted, err
			}
		}
		switch {
		case listErr == nil:
			return deleted, nil
		case !errors.Is(listErr, nl.ErrDumpInterrupted) || try == tries:
			return deleted, fmt.Errorf("conntrack: list UDP flows of %s: %w", f, listErr)
		}
	}
}

// kernel is the conntrack table of one family.
type kernel struct {
	family  plan.Family
	sockets map[int]*nl.SocketHandle
}

func (k *kernel) request(kind, flags int) *nl.NetlinkRequest {
	family := uint8(unix.AF_INET)
	if k.family == plan.IPv6 {
		family = unix.AF_INET6
	}
	r := nl.NewNetlinkRequest(kind, flags)
	r.Sockets = k.sockets
	r.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	return r
}

// A find is a stale flow, and all that is kept of it.
type find struct {
	destination, source netip.AddrPort
	name                []byte
}

// stale reads the table and returns its stale flows.
func (k *kernel) stale(x *index) ([]find, error) {
	var found []find
	err := k.dump(func(f flow) {
		if f.protocol == unix.IPPROTO_UDP && !f.zoned && x.stale(f.destination, f.source) {
			found = append(found, find{f.destination, f.source, f.name()})
		}
	})
	return found, err
}

// dump gives the flows of UDP, and all where the kernel can't choose.
func (k *kernel) dump(each func(flow)) error {
	r := k.request(getFlow, unix.NLM_F_DUMP)
	tuple := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_ORIG, nil)
	tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_PROTO, nil).AddRtAttr(nl.CTA_PROTO_NUM, []byte{unix.IPPROTO_UDP})
	filter := nl.NewRtAttr(unix.NLA_F_NESTED|ctaFilter, nil)
	filter.AddRtAttr(ctaFilterOriginal, nl.Uint32Attr(filterProtocol))
	r.AddData(tuple)
	r.AddData(filter)
	return r.ExecuteIter(unix.NETLINK_NETFILTER, newFlow, func(message []byte) bool {
		if f, ok := parse(message); ok {
			each(f)
		}
		return true
	})
}

// delete deletes the flows that are stale still, and counts those that were
// still there.
func (k *kernel) delete(ctx context.Context, found []find, x *index) (int, error) {
	deleted := 0
	for _, f := range found {
		if ctx.Err() != nil {
			return deleted, ctx.Err()
		}
		if !x.stale(f.destination, f.source) {
			continue
		}
		r := k.request(deleteFlow, unix.NLM_F_ACK)
		r.AddRawData(f.name)
		switch _, err := r.Execute(unix.NETLINK_NETFILTER, 0); {
		case err == nil:
			deleted++
		case errors.Is(err, unix.ENOENT): // it has ended by itself
		default:
			return deleted, fmt.Errorf("conntrack: delete a UDP flow of %s: %w", k.family, err)
		}
	}
	return deleted, nil
}

// localAddresses are what the node takes for itself: its routing table local,
// where addresses of interfaces are as well as prefixes that somebody routed to
// the node, as the rules for node ports see it.
func localAddresses(f plan.Family) ([]netip.Prefix, error) {
	family := netlink.FAMILY_V4
	if f == plan.IPv6 {
		family = netlink.FAMILY_V6
	}
	routes, err := netlink.RouteListFiltered(family,
		&netlink.Route{Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
	if err != nil {
		return nil, fmt.Errorf("conntrack: list local addresses of %s: %w", f, err)
	}
	var local []netip.Prefix
	for _, r := range routes {
		if p, ok := prefix(r.Dst); ok {
			local = append(local, p)
		}
	}
	return local, nil
}

func prefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(a.Unmap(), ones), ok
}
