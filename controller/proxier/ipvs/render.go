package ipvs

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Render writes what would be programmed for a plan, sorted: lines as ipvsadm
// -S -n writes them, then the input of ipset restore and of both
// iptables-restore, then ip commands for our device's addresses. Node ports are
// shown at the addresses that the Node's status lists. The only errors are w's.
func Render(w io.Writer, p *plan.Plan, o Options) error {
	v := view{settings: &p.Settings, scheduler: o.scheduler(), addresses: p.Settings.NodeAddresses}
	all := newWish()
	next := map[plan.ID]*piece{}
	for id, port := range p.Ports {
		next[id] = v.compile(port)
	}
	refused := all.replace(next, newTouched())
	var b strings.Builder
	for _, id := range sortedIDs(refused) {
		fmt.Fprintf(&b, "# not programmed: %v: %v\n", id, refused[id])
	}
	renderServers(&b, all)
	renderSets(&b, all)
	renderRules(&b, &p.Settings)
	renderAddresses(&b, all)
	_, err := io.WriteString(w, b.String())
	return err
}

func renderServers(b *strings.Builder, all *wish) {
	b.WriteString("# ipvsadm --restore\n")
	for _, s := range slices.SortedFunc(maps.Keys(all.owners), compareServers) {
		v, _ := all.virtual(s)
		if len(v.reals) == 0 {
			continue
		}
		at := optionOf(s.Protocol) + " " + netip.AddrPortFrom(s.Address, s.Port).String()
		fmt.Fprintf(b, "-A %s -s %s", at, v.schedule.Name)
		if v.schedule.Flags&flagPersistent != 0 {
			fmt.Fprintf(b, " -p %d", v.schedule.Timeout)
		}
		if v.schedule.Flags&flagFallback != 0 {
			fmt.Fprintf(b, " -b %s-fallback", v.schedule.Name)
		}
		b.WriteString("\n")
		for _, real := range slices.SortedFunc(maps.Keys(v.reals), netip.AddrPort.Compare) {
			fmt.Fprintf(b, "-a %s -r %s -m -w %d\n", at, real, v.reals[real])
		}
	}
}

// optionOf is ipvsadm's for a protocol.
func optionOf(p plan.Protocol) string {
	switch p {
	case plan.TCP:
		return "-t"
	case plan.UDP:
		return "-u"
	case plan.SCTP:
	}
	return "--sctp-service"
}

func renderSets(b *strings.Builder, all *wish) {
	b.WriteString("# ipset restore\n")
	for _, f := range []plan.Family{plan.IPv4, plan.IPv6} {
		for s := range sets {
			b.WriteString(s.create(f) + "\n")
		}
	}
	for _, m := range slices.SortedFunc(maps.Keys(all.users), compareMembers) {
		fmt.Fprintf(b, "add %v\n", m)
	}
}

func renderRules(b *strings.Builder, s *plan.Settings) {
	always := func(string, jump) bool { return true }
	for _, f := range []plan.Family{plan.IPv4, plan.IPv6} {
		fmt.Fprintf(b, "# %s --noflush\n", machines.program(f, "restore"))
		b.WriteString(restoreText(rulesOf(f, s), always))
	}
}

func renderAddresses(b *strings.Builder, all *wish) {
	fmt.Fprintf(b, "# ip\nip link add %s type dummy\n", deviceName)
	for _, m := range slices.SortedFunc(maps.Keys(all.users), compareMembers) {
		switch {
		case m.set != setVIPs:
		case m.family == plan.IPv4:
			fmt.Fprintf(b, "ip address add %s/32 dev %s\n", m.element, deviceName)
		default:
			fmt.Fprintf(b, "ip address add %s/128 dev %s nodad preferred_lft 0\n", m.element, deviceName)
		}
	}
}
