package nftables

import (
	"context"
	"maps"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Connections counts what the elements of a port's frontends have counted: the
// first packets of connections, also of those that are then refused or dropped
// because there is no endpoint. Sources that are not let in don't count.
func (b *Backend) Connections(ctx context.Context) (map[plan.ID]uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	b.mu.Lock()
	halves := maps.Clone(b.halves)
	b.mu.Unlock()
	total := map[plan.ID]uint64{}
	for _, h := range halves {
		if err := h.connections(b.counter, total); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func (h *half) connections(conn *wire.Conn, total map[plan.ID]uint64) error {
	packets := map[item]uint64{}
	for _, set := range []string{services, nodePorts, firewalled} {
		all, err := conn.Elements(h.wire, h.table, set)
		if err != nil {
			return err
		}
		for _, e := range all {
			packets[item{set, e.Key}] = e.Packets
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, st := range h.ports {
		n := st.lost
		h.counters(st, func(i item) { n += packets[i] })
		total[id] = n
	}
	return nil
}
