package userspace

import (
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A ledger knows which elements a table has, and because of which ports: several
// ports of a Service share the one of its ClusterIP.
type ledger struct {
	held map[slot]hold
	of   map[plan.ID][]element
}

type hold struct {
	verdict string
	ports   int
}

func newLedger() *ledger { return &ledger{held: map[slot]hold{}, of: map[plan.ID][]element{}} }

// An entry is a port with the elements that it is to have.
type entry struct {
	id plan.ID
	is []element
}

// bring has the kernel take what entries want, all in one batch. Where it
// refuses, halves are tried until the ports that are refused stand alone: those
// stay as they were.
func (l *ledger) bring(entries []entry, program func(gone, come []element) error) plan.Refused {
	refused := plan.Refused{}
	l.halve(entries, program, refused)
	return refused
}

func (l *ledger) halve(entries []entry, program func(gone, come []element) error, refused plan.Refused) {
	if len(entries) == 0 {
		return
	}
	s := l.step(entries)
	if len(s.gone)+len(s.come) == 0 {
		return
	}
	err := program(s.gone, s.come)
	if err == nil {
		return
	}
	s.undo()
	if len(entries) == 1 {
		refused[entries[0].id] = err
		return
	}
	half := len(entries) / 2
	l.halve(entries[:half], program, refused)
	l.halve(entries[half:], program, refused)
}

// A step is what entries change in the table.
type step struct {
	gone, come []element
	undo       func()
}

// step enters entries. An element whose verdict changes goes and comes.
func (l *ledger) step(entries []entry) step {
	before := map[slot]hold{}
	var order []slot // of first touch, so that a batch is the same each time
	touch := func(s slot) {
		if _, ok := before[s]; !ok {
			before[s] = l.held[s]
			order = append(order, s)
		}
	}
	was := make([][]element, len(entries))
	for i, e := range entries {
		was[i] = l.of[e.id]
		for _, x := range was[i] {
			touch(x.slot)
			l.release(x.slot)
		}
	}
	for _, e := range entries {
		for _, x := range e.is {
			touch(x.slot)
			l.held[x.slot] = hold{x.verdict, l.held[x.slot].ports + 1}
		}
		l.note(e.id, e.is)
	}
	s := step{undo: func() {
		for at, h := range before {
			l.put(at, h)
		}
		for i, e := range entries {
			l.note(e.id, was[i])
		}
	}}
	for _, at := range order {
		b, a := before[at], l.held[at]
		same := b.verdict == a.verdict
		if b.ports > 0 && (a.ports == 0 || !same) {
			s.gone = append(s.gone, element{at, b.verdict})
		}
		if a.ports > 0 && (b.ports == 0 || !same) {
			s.come = append(s.come, element{at, a.verdict})
		}
	}
	return s
}

func (l *ledger) release(s slot) {
	h := l.held[s]
	h.ports--
	l.put(s, h)
}

func (l *ledger) put(s slot, h hold) {
	if h.ports <= 0 {
		delete(l.held, s)
		return
	}
	l.held[s] = h
}

func (l *ledger) note(id plan.ID, is []element) {
	if is == nil {
		delete(l.of, id)
		return
	}
	l.of[id] = is
}
