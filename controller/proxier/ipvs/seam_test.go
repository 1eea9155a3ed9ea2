package ipvs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// noting keeps what each program is told.
func noting(r runner, all *[]string) runner {
	return func(ctx context.Context, input, program string, args ...string) (string, error) {
		*all = append(*all, program+" "+strings.Join(args, " ")+"\n"+input)
		return r(ctx, input, program, args...)
	}
}

// refusingLines plays an ipset that takes all lines before the first that has a
// text, as the real one does.
func refusingLines(r runner, text string) runner {
	return func(ctx context.Context, input, program string, args ...string) (string, error) {
		lines := strings.Split(input, "\n")
		at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "add") && strings.Contains(l, text) })
		if program != "ipset" || at < 0 {
			return r(ctx, input, program, args...)
		}
		if _, err := r(ctx, strings.Join(lines[:at], "\n")+"\n", program, args...); err != nil {
			return "", err
		}
		return "", fmt.Errorf("ipset: exit status 1: ipset v7.17: Error in line %d: Kernel error received: set type not supported", at+1)
	}
}

// special has what web hasn't: affinity, weights, balances, sources.
func special() []*plan.Port {
	return slices.Concat(
		both("sticky", plan.IPv4, func(p *plan.Port) {
			p.Frontends = []plan.Frontend{at(plan.ClusterIP, "10.96.0.20", 80)}
			p.Cluster, p.Affinity = to(first, second), 3*time.Hour
		}),
		both("sticky6", plan.IPv6, func(p *plan.Port) {
			p.Frontends = []plan.Frontend{at(plan.ClusterIP, "fd00:96::20", 80)}
			p.Cluster, p.Affinity = to("[fd00:244:1::10]:8080"), 10*time.Second
		}),
		both("hashed", plan.IPv4, func(p *plan.Port) {
			p.Frontends = []plan.Frontend{at(plan.ClusterIP, "10.96.0.21", 80)}
			p.Cluster, p.Balance = to(first, second), plan.SourceHash
		}),
		both("maglev", plan.IPv4, func(p *plan.Port) {
			p.Frontends = []plan.Frontend{at(plan.ClusterIP, "10.96.0.22", 80)}
			p.Cluster, p.Balance = to(first, second), plan.Maglev
		}),
		both("heavy", plan.IPv4, func(p *plan.Port) {
			p.Frontends = []plan.Frontend{at(plan.ClusterIP, "10.96.0.23", 80)}
			p.Cluster, p.Balance = to(first, second), plan.RoundRobin
			p.Cluster[1].Weight = 3
		}),
		both("guarded", plan.IPv4, func(p *plan.Port) {
			p.Frontends = []plan.Frontend{sources(at(plan.LoadBalancerIP, "198.51.100.24", 80), "0.0.0.0/0", "192.0.2.0/24", "192.0.2.7/32")}
			p.Cluster = to(first)
		}),
		both("guarded6", plan.IPv6, func(p *plan.Port) {
			p.Frontends = []plan.Frontend{sources(at(plan.LoadBalancerIP, "2001:db8:b::24", 80), "::/0", "2001:db8:a::/64", "2001:db8:a::7/128")}
			p.Cluster = to("[fd00:244:1::10]:8080")
		}),
	)
}
