package ipvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// prepare makes what every plan needs.
func (b *Backend) prepare(ctx context.Context) error {
	if err := b.findFamilies(ctx); err != nil {
		return err
	}
	_, ipv6 := b.families[plan.IPv6]
	setSysctls(ctx, b.log, sysctls(ipv6, b.options.StrictARP, release()))
	o := b.options
	if err := b.handle.setTimeouts(o.TCPTimeout, o.TCPFinTimeout, o.UDPTimeout); err != nil {
		b.log.WarnContext(ctx, "timeouts not set", "error", err)
	}
	link, err := ensureDevice()
	if err != nil {
		return err
	}
	b.kernel.device = &device{link, b.netlink}
	var families []plan.Family
	for f := range b.families {
		families = append(families, f)
	}
	slices.Sort(families)
	return createSets(ctx, b.kernel.run, families)
}

func (b *Backend) findFamilies(ctx context.Context) error {
	b.families = map[plan.Family]flavour{}
	v, err := chooseFlavour(ctx, b.kernel.run, plan.IPv4)
	if err != nil {
		return fmt.Errorf("iptables: %w", err)
	}
	b.families[plan.IPv4] = v
	err = errors.New("no IPv6 in this kernel or network namespace")
	if hasIPv6() {
		v, err = chooseFlavour(ctx, b.kernel.run, plan.IPv6)
	}
	if err == nil {
		b.families[plan.IPv6] = v
	} else if !b.warned {
		b.warned = true
		b.log.WarnContext(ctx, "IPv6 is not served", "error", err)
	}
	return nil
}

// program writes the rules, and sweeps those away that an earlier process wrote
// in another flavour.
func (b *Backend) program(ctx context.Context) error {
	for f, v := range b.families {
		if err := programRules(ctx, b.kernel.run, v, f, b.rules[f]); err != nil {
			return err
		}
	}
	b.look = time.Now().Add(b.lookEach)
	if b.swept {
		return nil
	}
	if err := sweepOthers(ctx, b.kernel.run, b.families); err != nil {
		return err
	}
	b.swept = true
	return nil
}

// readMembers reads addresses and members of sets, and whose addresses are
// whose.
func (b *Backend) readMembers(ctx context.Context, p *plan.Plan) error {
	b.watch.take()
	node, device, err := readAddresses()
	if err != nil {
		return err
	}
	b.view = view{settings: &p.Settings, scheduler: b.options.scheduler(), addresses: node}
	b.kernel.bound = map[netip.Addr]bool{}
	for _, a := range device {
		b.kernel.bound[a] = true
	}
	b.kernel.members, err = readMembers(ctx, b.kernel.run)
	return err
}

// readServers reads the virtual servers that are ours, and those that are to be
// ours whoever made them.
func (b *Backend) readServers(next map[plan.ID]*piece) error {
	wanted := map[server]bool{}
	for _, p := range next {
		if p == nil {
			continue
		}
		for s := range p.servers {
			wanted[s] = true
		}
	}
	servers, err := readTable(b.kernel.table, func(s server) bool {
		return wanted[s] || b.kernel.owns(s, b.options.ExcludeCIDRs)
	})
	b.kernel.servers = servers
	return err
}

// owns says whether a virtual server is ours, by the traces that also a process
// before this one has left.
func (k *kernel) owns(s server, exclude []netip.Prefix) bool {
	for _, p := range exclude {
		if p.Contains(s.Address) {
			return false
		}
	}
	return k.bound[s.Address] || k.members[setServers.ofServer(s)]
}

// all is everything of ours that the kernel holds.
func (k *kernel) all() *touched {
	t := newTouched()
	for s := range k.servers {
		t.servers[s] = true
	}
	for m := range k.members {
		t.members[m] = true
	}
	// An address without its member is a rest, too.
	for a := range k.bound {
		t.members[ofVIP(a)] = true
	}
	return t
}
