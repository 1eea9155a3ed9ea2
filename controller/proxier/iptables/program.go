package iptables

import (
	"fmt"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A program is all that one port wants of a kernel.
type program struct {
	// nat and filter are chains that no other port uses.
	nat, filter []chain
	// served are what the nat table's trees have for it, verdicts what those of
	// the filter table have: what becomes of what nat let pass.
	served, verdicts []entry
}

// A programmer makes programs. It is a value: the same port gives the same
// program.
type programmer struct {
	settings *plan.Settings
	family   plan.Family
	// hash says that the kernel has the match "cluster".
	hash bool
}

// port makes the program of a port. A nil port has an empty one.
func (pr programmer) port(p *plan.Port) program {
	if p == nil {
		return program{}
	}
	d := draft{programmer: pr, port: p, name: digest(p.ID.String()), chains: map[string]bool{}}
	for _, f := range p.Frontends {
		d.frontend(f)
	}
	return d.program
}

// A draft is a program that is being made.
type draft struct {
	programmer
	program
	port   *plan.Port
	name   string
	chains map[string]bool // those of the nat table that are made
}

func (d *draft) frontend(f plan.Frontend) {
	at := spot{f.Address, d.port.Protocol, f.Port}
	match := at.match() + "-m comment --comment " + remark(d.port.ID) + " "
	t := d.treatments(f)
	d.serve(at, d.passing(f, t, at.match(), match))
	switch verdict := t.unserved(); {
	case f.Sources != nil && verdict == plan.Reject:
		d.judge(at, match+"-g "+d.refusal(f))
	case f.Sources != nil || verdict == plan.Drop:
		d.judge(at, match+"-j DROP")
	case verdict == plan.Reject:
		d.judge(at, match+"-g "+rejectChain)
	}
	if f.Kind == plan.ClusterIP {
		d.judge(spot{addr: f.Address}, "-g "+rejectChain)
	}
}

func (d *draft) serve(at spot, bodies []string) {
	d.served = append(d.served, entry{at, &d.port.ID, bodies})
}

func (d *draft) judge(at spot, body string) {
	d.verdicts = append(d.verdicts, entry{at, &d.port.ID, []string{body}})
}

func (d *draft) rule(body string) rule { return rule{body, &d.port.ID} }

// add makes a chain of the nat table, once, and gives its name.
func (d *draft) add(name string, rules func() []string) string {
	if d.chains[name] {
		return name
	}
	d.chains[name] = true
	c := chain{name: name}
	for _, body := range rules() {
		c.rules = append(c.rules, d.rule(body))
	}
	d.nat = append(d.nat, c)
	return name
}

// passing are the rules of the nat table for a frontend. Just one of them has
// the comment and is passed by each connection once: its counter counts them.
func (d *draft) passing(f plan.Frontend, t treatments, bare, counted string) []string {
	if t.unserves() {
		// ACCEPT ends the table here. Else a frontend at an address of the node
		// could find another port's node port of the same number.
		return []string{counted + "-j ACCEPT"}
	}
	if f.Sources != nil {
		return []string{counted + "-g " + d.firewall(f, t)}
	}
	if !t.alike() {
		return []string{counted + "-g " + d.origins(f, t)}
	}
	pool := d.pool(t[plan.Elsewhere])
	if mark := d.markAlike(t); mark != "" {
		return []string{bare + mark, counted + "-g " + pool}
	}
	return []string{counted + "-g " + pool}
}

// firewall is the chain that lets a frontend's sources through. What it does not
// is dropped by the filter table.
func (d *draft) firewall(f plan.Frontend, t treatments) string {
	return d.add(d.sourceName(f), func() []string {
		next := d.origins(f, t)
		var rules []string
		for _, s := range f.Sources {
			rules = append(rules, fmt.Sprintf("-s %s -g %s", s, next))
		}
		return append(rules, "-j ACCEPT")
	})
}

// refusal is the chain of the filter table that refuses a frontend's sources
// and drops all others.
func (d *draft) refusal(f plan.Frontend) string {
	c := chain{name: d.sourceName(f)}
	for _, s := range f.Sources {
		c.rules = append(c.rules, d.rule(fmt.Sprintf("-s %s -g %s", s, rejectChain)))
	}
	c.rules = append(c.rules, d.rule("-j DROP"))
	d.filter = append(d.filter, c)
	return c.name
}

func (d *draft) sourceName(f plan.Frontend) string {
	return bySource + digest(d.port.ID.String(), f.Address.String(), fmt.Sprint(f.Port))
}

// seconds is a time as "recent" takes it: at least one second.
func seconds(t time.Duration) int64 { return max(1, int64((t+time.Second-1)/time.Second)) }
