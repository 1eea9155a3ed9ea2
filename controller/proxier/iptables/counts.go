package iptables

import (
	"context"
	"maps"
	"sync"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A counts adds up what the kernel counted at the rules that frontends have in
// the nat table, which a connection passes once, with its first packet. A chain
// that is written anew counts from 0, so what was read of it last is kept: what
// it counted between the last reading and then is lost.
type counts struct {
	reading sync.Mutex // one at a time
	mu      sync.Mutex
	ids     map[string]plan.ID // by remark
	base    map[plan.ID]uint64 // of chains that were written anew since
	last    map[string]map[plan.ID]uint64
	anew    map[string]bool // chains written anew while they are read
}

// only forgets all ports but these.
func (c *counts) only(ports map[plan.ID]*plan.Port) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = make(map[string]plan.ID, len(ports))
	for id := range ports {
		c.ids[remark(id)] = id
	}
	maps.DeleteFunc(c.base, func(id plan.ID, _ uint64) bool { return ports[id] == nil })
}

// change forgets the ports that are gone.
func (c *counts) change(ports map[plan.ID]*plan.Port, changes []plan.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, change := range changes {
		if ports[change.ID] != nil {
			c.ids[remark(change.ID)] = change.ID
			continue
		}
		delete(c.ids, remark(change.ID))
		delete(c.base, change.ID)
	}
}

// restarted keeps what was read of chains that were written anew.
func (c *counts) restarted(chains []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base == nil {
		c.base = map[plan.ID]uint64{}
	}
	for _, name := range chains {
		c.keep(name)
		if c.anew != nil {
			c.anew[name] = true
		}
	}
}

func (c *counts) keep(name string) {
	for id, n := range c.last[name] {
		c.base[id] += n
	}
	delete(c.last, name)
}

func (c *counts) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.anew = map[string]bool{}
}

// end takes in what was read since begin, and adds it up.
func (c *counts) end(counted []reading, into map[plan.ID]uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := map[string]map[plan.ID]uint64{}
	for _, r := range counted {
		id, known := c.ids[r.remark]
		if !known || c.anew[r.chain] {
			continue
		}
		if now[r.chain] == nil {
			now[r.chain] = map[plan.ID]uint64{}
		}
		now[r.chain][id] += r.packets
	}
	for name, byPort := range now {
		for id, n := range byPort {
			// Somebody else zeroed it.
			if before := c.last[name][id]; n < before {
				c.base[id] += before
			}
		}
	}
	c.last, c.anew = now, nil
	for _, id := range c.ids {
		into[id] += c.base[id]
	}
	for _, byPort := range now {
		for id, n := range byPort {
			into[id] += n
		}
	}
}

// Connections reads the kernel's counters, which costs as much as all rules:
// it is for when somebody wants to know.
func (b *Backend) Connections(ctx context.Context) (map[plan.ID]uint64, error) {
	all := map[plan.ID]uint64{}
	for _, f := range b.families() {
		if err := f.count(ctx, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (f *family) count(ctx context.Context, into map[plan.ID]uint64) error {
	f.counts.reading.Lock()
	defer f.counts.reading.Unlock()
	f.counts.begin()
	tables, err := f.read(ctx, f.runner, "-c", "-t", "nat")
	if err != nil {
		return err
	}
	if tables["nat"] != nil {
		f.counts.end(tables["nat"].counted, into)
	}
	return nil
}
