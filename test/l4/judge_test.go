package l4

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// atOnce is how many packets are under way together: most of those that must
// be dropped only wait.
const atOnce = 64

// send sends packets and says what was wrong with each that was not as it must
// be. What must stick follows each other, for each client: which endpoint two
// first connections at the same time get is nobody's promise. So does what goes
// to several endpoints by one address: clients that take turns would each get
// their own by round robin, for ever.
func (w *world) send(packets []packet) []error {
	findings := make([]error, len(packets))
	chains := map[string][]int{}
	for i, p := range packets {
		name := strconv.Itoa(i)
		switch {
		case p.sticks:
			name = p.from
		case len(p.by) > 1:
			name = p.network + " " + p.to.String()
		}
		chains[name] = append(chains[name], i)
	}
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for _, chain := range chains {
		slots <- struct{}{}
		all.Go(func() {
			for _, i := range chain {
				findings[i] = w.judge(packets[i])
			}
			<-slots
		})
	}
	all.Wait()
	return findings
}

func (p packet) String() string {
	return fmt.Sprintf("%s: from %s, %s to %v", p.line, p.from, p.network, p.to)
}

// probe is the packet as one to send.
func (w *world) probe(p packet) lab.Probe {
	q := lab.Probe{From: w.namespace(p.from), Source: sourceOf(p.from, p.to.Addr()), Network: p.network, To: p.to, Wait: patience}
	if p.outcome == lab.Dropped {
		q.Wait = silence
	}
	return q
}

func (w *world) judge(p packet) error {
	q := w.probe(p)
	if q.From == nil {
		return fmt.Errorf("%v: nobody is called %q", p, p.from)
	}
	r := q.Send()
	switch {
	case r.Outcome != p.outcome:
		return fmt.Errorf("%v: %v, want it %v", p, r, p.outcome)
	case p.outcome != lab.Answered:
		return nil
	case p.passes:
		if r.Endpoint != p.to {
			return fmt.Errorf("%v: %v, want nobody to take it", p, r)
		}
		return nil
	case p.sticks:
		return w.sticky(p, q, r)
	}
	return w.spread(p, q, r)
}

// sticky holds that further connections get the first one's endpoint.
func (w *world) sticky(p packet, q lab.Probe, first lab.Result) error {
	if !slices.Contains(p.by, endpointName(first.Endpoint)) {
		return fmt.Errorf("%v: %v, want one of %v", p, first, p.by)
	}
	for i := range 15 {
		r := q.Send()
		if r.Outcome != lab.Answered || r.Endpoint != first.Endpoint {
			return fmt.Errorf("%v: %v the %dth time, after %v", p, r, i+2, first)
		}
	}
	return nil
}

// spread holds that each of the endpoints answers, and nobody else.
func (w *world) spread(p packet, q lab.Probe, r lab.Result) error {
	missing := slices.Clone(p.by)
	for range turns {
		name := endpointName(r.Endpoint)
		if r.Outcome != lab.Answered || !slices.Contains(p.by, name) {
			return fmt.Errorf("%v: %v (%s), want one of %v", p, r, name, p.by)
		}
		if err := w.saw(p, r); err != nil {
			return err
		}
		if missing = slices.DeleteFunc(missing, func(s string) bool { return s == name }); len(missing) == 0 {
			return nil
		}
		r = q.Send()
	}
	return fmt.Errorf("%v: in %d turns %v never answered", p, turns, missing)
}

// saw judges the source that the endpoint saw.
func (w *world) saw(p packet, r lab.Result) error {
	node := slices.Contains(nodeAddresses, r.Source.Addr().String())
	var own bool
	switch by, _ := podAt(r.Endpoint.Addr()); {
	case p.sees == "":
		return nil
	case p.sees == "node":
		own = false
	case w.mode == userspace && (by.node != "n1" || p.from == by.name):
		// A client's address can be kept only towards endpoints whose answers come
		// back by this node.
		own = false
	default:
		own = true
	}
	if own && r.Source.Addr() != clientAddress(p.from, p.to.Addr()) {
		return fmt.Errorf("%v: %v, want it to see the client's own address", p, r)
	}
	if !own && !node {
		return fmt.Errorf("%v: %v, want it to see an address of the node", p, r)
	}
	return nil
}

// clientAddress is the address that a place sends from.
func clientAddress(place string, to netip.Addr) netip.Addr {
	pair := map[string][2]string{
		"client": {lab.Client4, lab.Client6}, "edge": {lab.Edge4, lab.Edge6}, "n2": {lab.N24, lab.N26},
		"n2pod": {lab.N2A4, lab.N2A6}, "p1": {lab.P14, lab.P16}, "p2": {lab.P24, lab.P26},
	}[place]
	if to.Is4() {
		return netip.MustParseAddr(pair[0])
	}
	return netip.MustParseAddr(pair[1])
}

// endpointName is how a table names who answered: "p1", or "p1:9090" where the
// port is not the usual one.
func endpointName(at netip.AddrPort) string {
	p, ok := podAt(at.Addr())
	switch {
	case !ok:
		return at.String()
	case at.Port() == 8080:
		return p.name
	}
	return p.name + ":" + strconv.Itoa(int(at.Port()))
}

// lines joins findings for a test's report.
func lines(findings []error) string {
	var b strings.Builder
	for _, f := range findings {
		if f != nil {
			fmt.Fprintf(&b, "\n\t%v", f)
		}
	}
	return b.String()
}
