package userspace

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Packets with the mark are looked up in a routing table of their own, in which
// every address is this machine's. The rule's priority is before those of the
// pod networks that are known to use some (Cilium, AWS VPC CNI from 512 on), and
// after the table of the really local addresses.
const (
	routingTable = 24570
	rulePriority = 110
)

func socketFamily(f plan.Family) int {
	if f == plan.IPv4 {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func everything(f plan.Family) *net.IPNet {
	if f == plan.IPv4 {
		return &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}
	}
	return &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
}

// divert makes a family's rule and route, where they are not there.
func divert(f plan.Family, mark uint32) error {
	diverts, err := ourRules(f)
	if err != nil {
		return err
	}
	have := false
	for _, r := range diverts {
		if isDivert(r, mark) {
			have = true
			continue
		}
		if err := netlink.RuleDel(&r); err != nil {
			return fmt.Errorf("ip rule of another mark: %w", err)
		}
	}
	if !have {
		r := netlink.NewRule()
		r.Family, r.Table, r.Priority = socketFamily(f), routingTable, rulePriority
		r.Mark, r.Mask = mark, &mark
		if err := netlink.RuleAdd(r); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("ip rule: %w", err)
		}
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	if err := netlink.RouteReplace(&netlink.Route{
		Family: socketFamily(f), Table: routingTable, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST,
		LinkIndex: lo.Attrs().Index, Dst: everything(f),
	}); err != nil {
		return fmt.Errorf("ip route to lo: %w", err)
	}
	return nil
}

func isDivert(r netlink.Rule, mark uint32) bool {
	return r.Priority == rulePriority && r.Mark == mark && r.Mask != nil && *r.Mask == mark
}

// ourRules are all that look into our routing table.
func ourRules(f plan.Family) ([]netlink.Rule, error) {
	all, err := netlink.RuleListFiltered(socketFamily(f), &netlink.Rule{Table: routingTable}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("ip rules: %w", err)
	}
	for i := range all {
		all[i].Family = socketFamily(f)
	}
	return all, nil
}

func ourRoutes(f plan.Family) ([]netlink.Route, error) {
	all, err := netlink.RouteListFiltered(socketFamily(f), &netlink.Route{Table: routingTable}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("ip routes: %w", err)
	}
	return all, nil
}

// diverted says whether a family's rule and route are there.
func diverted(f plan.Family, mark uint32) (bool, error) {
	rules, err := ourRules(f)
	if err != nil {
		return false, err
	}
	routes, err := ourRoutes(f)
	if err != nil {
		return false, err
	}
	for _, r := range rules {
		if isDivert(r, mark) {
			return len(routes) > 0, nil
		}
	}
	return false, nil
}

// undivert removes a family's rules and routes.
func undivert(f plan.Family) error {
	rules, err := ourRules(f)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if err := netlink.RuleDel(&r); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("ip rule: %w", err)
		}
	}
	routes, err := ourRoutes(f)
	if err != nil {
		return err
	}
	for _, r := range routes {
		if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("ip route: %w", err)
		}
	}
	return nil
}
