package nftables

import (
	"net/netip"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// recall makes a state of what a kernel holds of a port, so that endpoints stay
// in their slots; nil if nothing is known.
func (h *half) recall(p *plan.Port) *state {
	if h.kernel == nil || len(p.Frontends) == 0 {
		return nil
	}
	st := &state{Port: p}
	for _, f := range p.Frontends {
		key := h.frontendBytes(st, f)
		doors := []string{services, firewalled}
		if f.Kind == plan.NodePort {
			doors = []string{nodePorts}
		}
		for _, local := range []bool{false, true} {
			into := &st.cluster
			if local {
				into = &st.local
			}
			if len(into.slots) > 0 {
				continue
			}
			set := balancer{nodePort: f.Kind == plan.NodePort, local: local}.pool()
			into.slots = h.slotsOf(set, key)
			for _, door := range doors {
				chain := wire.Chain(h.kernel[door][string(key)].Data)
				into.room = max(into.room, slotsIn(chain, balanceOf(p), local))
			}
		}
	}
	return st
}

func (h *half) slotsOf(set string, key []byte) []netip.AddrPort {
	var slots []netip.AddrPort
	for {
		e, ok := h.kernel[set][string(appendSlot(slices.Clip(key), len(slots)))]
		if !ok {
			return slots
		}
		v := wire.Plain(e.Data)
		a, _ := netip.AddrFromSlice([]byte(v[:h.size]))
		slots = append(slots, netip.AddrPortFrom(a, uint16(v[h.size])<<8|uint16(v[h.size+1])))
	}
}
