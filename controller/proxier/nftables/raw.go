package nftables

import (
	"slices"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// rawName is the name of a table that is there while Raw runs.
const rawName = "sallyport-raw"

// Raw measures what the kernel alone takes to hold the elements of a plan: all
// batches are made beforehand, and go into a table that no packet meets and
// that is deleted after. It is what a benchmark divides by; the time is that of
// a wall clock, from the first batch to the last.
func Raw(p *plan.Plan) (took time.Duration, elements int, err error) {
	conn, err := wire.Open()
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	var batches []*wire.Batch
	var away wire.Batch
	for _, f := range families {
		some, err := rawBatches(f, p)
		if err != nil {
			return 0, 0, err
		}
		batches = append(batches, some...)
		away.DelTable(familyOf(f).wire, rawName)
	}
	begun := time.Now()
	for _, b := range batches {
		elements += b.Elements()
		if err := conn.Commit(b, 0); err != nil {
			return 0, 0, err
		}
	}
	took = time.Since(begun)
	return took, elements, conn.Commit(&away, 0)
}

func rawBatches(f plan.Family, p *plan.Plan) ([]*wire.Batch, error) {
	h := newHalf(f, &p.Settings, nil)
	h.table = rawName
	first := &wire.Batch{}
	h.start(first)
	batches := []*wire.Batch{first}
	var steps []step
	for id, port := range p.Ports {
		if id.Family == f {
			steps = append(steps, step{id: id, is: newState(port, &state{}, 0)})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return compareID(a.id, b.id) })
	for _, some := range chunks(steps) {
		c, err := h.work(some)
		if err != nil {
			return nil, err
		}
		b := &wire.Batch{}
		h.write(b, c)
		h.done(some, c)
		batches = append(batches, b)
	}
	return batches, nil
}
