package ipvs

import (
	"fmt"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A wish is what the kernel is to hold: pieces, and what follows from all of
// them together. Several pieces may have a member in common, such as an
// endpoint of two Services, but a virtual server belongs to one.
type wish struct {
	pieces map[plan.ID]*piece
	owners map[server]plan.ID
	users  map[member]int
}

func newWish() *wish {
	return &wish{map[plan.ID]*piece{}, map[server]plan.ID{}, map[member]int{}}
}

// A touched is what differs between two wishes, or may: what the kernel has to
// be brought in step with.
type touched struct {
	servers map[server]bool
	members map[member]bool
}

func newTouched() *touched { return &touched{map[server]bool{}, map[member]bool{}} }

// replace puts other pieces in the place of some, nil for none. A piece is
// refused, and is none then, if it has a virtual server of another's. What
// changes is put into t.
func (w *wish) replace(next map[plan.ID]*piece, t *touched) plan.Refused {
	refused := plan.Refused{}
	for id := range next {
		w.remove(id, t)
	}
	for _, id := range sortedIDs(next) {
		p := next[id]
		if p == nil {
			continue
		}
		if err := w.taken(p); err != nil {
			refused[id] = err
			continue
		}
		w.add(id, p, t)
	}
	return refused
}

func (w *wish) taken(p *piece) error {
	for s := range p.servers {
		if id, ok := w.owners[s]; ok {
			return fmt.Errorf("%v: is taken by %v", s, id)
		}
	}
	return nil
}

func (w *wish) add(id plan.ID, p *piece, t *touched) {
	w.pieces[id] = p
	for s := range p.servers {
		w.owners[s] = id
		t.servers[s] = true
	}
	for _, m := range p.members {
		w.users[m]++
		t.members[m] = true
	}
}

func (w *wish) remove(id plan.ID, t *touched) {
	p := w.pieces[id]
	if p == nil {
		return
	}
	delete(w.pieces, id)
	for s := range p.servers {
		delete(w.owners, s)
		t.servers[s] = true
	}
	for _, m := range p.members {
		if w.users[m]--; w.users[m] == 0 {
			delete(w.users, m)
		}
		t.members[m] = true
	}
}

// virtual is what a virtual server is to be; false if it isn't to be.
func (w *wish) virtual(s server) (virtual, bool) {
	id, ok := w.owners[s]
	if !ok {
		return virtual{}, false
	}
	return w.pieces[id].servers[s], true
}

// usersOf are the pieces among some that have a member.
func (w *wish) usersOf(m member, among map[plan.ID]*piece) []plan.ID {
	var ids []plan.ID
	for id := range among {
		if p := w.pieces[id]; p != nil && slices.Contains(p.members, m) {
			ids = append(ids, id)
		}
	}
	return ids
}

func sortedIDs[V any](of map[plan.ID]V) []plan.ID {
	ids := make([]plan.ID, 0, len(of))
	for id := range of {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, plan.Compare)
	return ids
}

func (s server) String() string { return fmt.Sprintf("%s %s port %d", s.Protocol, s.Address, s.Port) }

func (c call) String() string {
	verb := [...]string{"add", "change", "delete", "add", "change", "delete"}[c.operation]
	if c.operation < addReal {
		return fmt.Sprintf("%s %v", verb, c.server)
	}
	return fmt.Sprintf("%s %v to %s", verb, c.server, c.real)
}
