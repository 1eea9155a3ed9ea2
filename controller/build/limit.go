package build

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// limit gives a site the limits of one client. The rate of a response is
// nginx's own; requests and connections are counted in Lua.
func (t *task) limit(s *site) {
	v, settings := s.values.Limit, &t.result.Config.Settings
	s.location.Rate = model.Rate{PerSecond: v.Rate.Or(settings.LimitRate), After: v.RateAfter.Or(settings.LimitRateAfter)}
	if s.location.Rate.PerSecond == 0 || s.location.Rate == (model.Rate{PerSecond: settings.LimitRate, After: settings.LimitRateAfter}) {
		// That of the http block, or none; where that has one, none has to be said.
		s.location.Rate = model.Rate{}
		s.location.NoRate = settings.LimitRate > 0 && v.Rate.Set && v.Rate.Value == 0
	}
	if v.Rate.Value > 0 && !s.values.Proxy.Buffering.Or(settings.ProxyBuffering) {
		t.problem(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/limit-rate", "has no effect where proxy-buffering is off")
	}
	if v.PerSecond == 0 && v.PerMinute == 0 && v.Connections == 0 {
		return
	}
	s.location.Limited = true
	s.location.Phases.Rewrite = true
	s.route.Limit = model.Limit{
		PerSecond: v.PerSecond, PerMinute: v.PerMinute, Burst: v.Burst, Connections: v.Connections,
		RequestStatus: settings.LimitRequestStatus, ConnectionStatus: settings.LimitConnectionStatus,
		Allow: prefixes(v.Allow),
	}
	if settings.LimitBy != "$binary_remote_addr" {
		s.route.Limit.By = strings.TrimPrefix(settings.LimitBy, "$")
	}
}

// prefixes writes CIDRs and addresses so that Lua has nothing to parse.
func prefixes(cidrs option.List) option.List {
	var all []string
	for _, text := range cidrs.All() {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a := netip.MustParseAddr(text) // the check printed it
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96) // as which nginx knows such clients
		}
		all = append(all, hex.EncodeToString(p.Masked().Addr().AsSlice())+"/"+strconv.Itoa(p.Bits()))
	}
	return option.ListOf(all...)
}
