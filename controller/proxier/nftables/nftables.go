// Package nftables turns a plan into two nf_tables tables, ip sallyport and ip6
// sallyport, in which a port of a Service is elements of maps and nothing else:
// a change costs what changed, however many Services there are.
//
// It may not make a chain, a rule or a set for a single Service, nor list the
// kernel's elements when something changes; it decides no policy, which is
// plan's, and touches no other table.
package nftables

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Options are what a Backend is made with.
type Options struct {
	Log *slog.Logger // nil for the default one
	// Name parts several proxiers of one node: each has tables of its own. ""
	// for the one that has no name. It is part of the tables' name, and so has
	// letters, digits, '-', '_' and '.' alone, 200 at most.
	Name string
}

func (o Options) table() string {
	if o.Name == "" {
		return tableName
	}
	return namedPrefix + o.Name
}

// A Backend keeps the tables of the network namespace in which it was made.
type Backend struct {
	log    *slog.Logger
	table  string
	link   *link
	shards shards
	halves map[plan.Family]*half
	lacks  map[plan.Family]bool // families that this machine was found without
	// lookedAt is when the elements were last compared with what they should
	// be, and unsure that they are to be as soon as it is due again.
	lookedAt time.Time
	unsure   bool
	pause    time.Duration // from a look at the elements to the next
	now      func() time.Time

	mu      sync.Mutex // held for halves, where counting reads them
	counter *wire.Conn // counting has its own way to the kernel
	reading sync.Mutex // held while it is used
}

// New opens the way to the kernel and asks what it can do: here, so that the
// first Sync has to wait for nothing. It changes nothing there. The error says
// what the kernel lacks for IPv4.
func New(o Options) (*Backend, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	conn, err := wire.Open()
	if err != nil {
		return nil, err
	}
	counter, err := wire.Open()
	if err != nil {
		conn.Close()
		return nil, err
	}
	b := &Backend{
		log:     o.Log,
		table:   o.table(),
		link:    &link{conn: conn, kernel: conn},
		shards:  newShards(),
		halves:  map[plan.Family]*half{},
		lacks:   map[plan.Family]bool{},
		now:     time.Now,
		counter: counter,
	}
	for _, f := range families {
		err := familyOf(f).probe(conn)
		switch {
		case err == nil:
		case f == plan.IPv4:
			return nil, errors.Join(err, b.Close())
		default:
			b.lacks[f] = true
			o.Log.Warn("IPv6 is not served: the kernel lacks what it takes", "error", err)
		}
	}
	return b, nil
}

// Close closes the sockets. The tables stay, and work.
func (b *Backend) Close() error {
	b.reading.Lock()
	defer b.reading.Unlock()
	return errors.Join(b.link.conn.Close(), b.counter.Close())
}

// Apply changes ports, in one batch for each 20,000 elements.
func (b *Backend) Apply(ctx context.Context, changes []plan.Change) error {
	refused := plan.Refused{}
	for _, f := range families {
		h := b.halves[f]
		if h == nil {
			continue
		}
		some, err := h.apply(ctx, b.steps(h, changes))
		maps.Copy(refused, some)
		if err == nil {
			err = h.sweep()
		}
		if err != nil {
			return err
		}
	}
	return orNil(refused)
}

var families = []plan.Family{plan.IPv4, plan.IPv6}

func orNil(r plan.Refused) error {
	if len(r) == 0 {
		return nil
	}
	return r
}

// steps are the changes of one family, what goes before what comes, since it
// may have a frontend that another port gets.
func (b *Backend) steps(h *half, changes []plan.Change) []step {
	var going, coming []step
	for _, c := range changes {
		if c.ID.Family != h.plan {
			continue
		}
		s := step{id: c.ID, was: h.ports[c.ID]}
		switch {
		case c.Is != nil:
			s.is = b.decide(c.Is, s.was)
			coming = append(coming, s)
		case s.was != nil:
			b.shards.give(c.ID)
			going = append(going, s)
		}
	}
	byID := func(a, b step) int { return compareID(a.id, b.id) }
	slices.SortFunc(going, byID)
	slices.SortFunc(coming, byID)
	return append(going, coming...)
}

func compareID(a, b plan.ID) int {
	for _, c := range []int{
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name),
		strings.Compare(a.Port, b.Port), int(a.Protocol) - int(b.Protocol), int(a.Family) - int(b.Family),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}

// decide makes the state of a port; was is nil for a new one.
func (b *Backend) decide(p *plan.Port, was *state) *state {
	if was == nil {
		was = &state{}
	} else if balanceOf(was.Port) != balanceOf(p) {
		was = &state{lost: was.lost}
	}
	return newState(p, was, b.shards.take(p))
}

// shards spread ports with round robin over chains: a chain counts by itself,
// and two ports that share one would make each other skip endpoints.
type shards struct {
	of    map[plan.ID]int
	users []int
}

const shardCount = 256

func newShards() shards { return shards{map[plan.ID]int{}, make([]int, shardCount)} }

// take gives the shard of a port: what it has, else the first with the fewest
// users.
func (s *shards) take(p *plan.Port) int {
	if p.Balance != plan.RoundRobin {
		s.give(p.ID)
		return 0
	}
	shard, ok := s.of[p.ID]
	if !ok {
		shard = slices.Index(s.users, slices.Min(s.users))
		s.of[p.ID] = shard
		s.users[shard]++
	}
	return shard
}

func (s *shards) give(id plan.ID) {
	if shard, ok := s.of[id]; ok {
		s.users[shard]--
		delete(s.of, id)
	}
}
