package iptables

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

func TestParseSaved(t *testing.T) {
	got := parseSaved([]byte(`# Generated
*nat
:PREROUTING ACCEPT [5:300]
:SALLYPORT-SERVICES - [0:0]
:SALLYPORT-IPVS-SERVICES - [0:0]
:SALLYPORT-IP-0A60 - [0:0]
[1:60] -A PREROUTING -j SALLYPORT-SERVICES
[1:60] -A PREROUTING -j SALLYPORT-IPVS-SERVICES
[2:60] -A PREROUTING -m comment --comment "not \" -j SALLYPORT-SERVICES" -j ACCEPT
[0:0] -A OUTPUT -d 1.2.3.4/32 -m comment --comment "a b" -g SALLYPORT-SERVICES
[7:60] -A SALLYPORT-IP-0A60 -m comment --comment "default/web:a/tcp/IPv4" -g SALLYPORT-SVC-A
[8:60] -A SALLYPORT-IP-0A60 -j SALLYPORT-OUTSIDE
COMMIT
`))
	want := map[string]*saved{"nat": {
		ours:    map[string]int{"SALLYPORT-SERVICES": 0, "SALLYPORT-IP-0A60": 2},
		jumps:   map[string]int{"PREROUTING -j SALLYPORT-SERVICES": 1, `OUTPUT -d 1.2.3.4/32 -m comment --comment "a b" -g SALLYPORT-SERVICES`: 1},
		targets: map[string]string{"PREROUTING -j SALLYPORT-SERVICES": "SALLYPORT-SERVICES", `OUTPUT -d 1.2.3.4/32 -m comment --comment "a b" -g SALLYPORT-SERVICES`: "SALLYPORT-SERVICES"},
		counted: []reading{{"SALLYPORT-IP-0A60", "default/web:a/tcp/IPv4", 7}},
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(saved{}, reading{})); diff != "" {
		t.Error(diff)
	}
}

func TestRemark(t *testing.T) {
	id := plan.ID{Service: plan.Service{Namespace: "a\nCOMMIT", Name: `b" -j ACCEPT`}, Protocol: plan.TCP, Family: plan.IPv4}
	if got, want := remark(id), "a_COMMIT/b__-j_ACCEPT/tcp/IPv4"; got != want {
		t.Errorf("remark is %q, wants %q", got, want)
	}
}

// The line that iptables-restore names is found in whichever block it is.
func TestLinesHaveOwners(t *testing.T) {
	one, two := &plan.ID{Port: "one"}, &plan.ID{Port: "two"}
	a, none, b := &block{table: "filter"}, &block{table: "nat"}, &block{table: "nat"}
	a.chain(chain{"A", []rule{{"-j x", one}, {"-j y", one}, {"-j z", nil}}})
	a.tail("-I INPUT 1 -j A")
	b.chain(chain{"B", []rule{{"-j x", two}}})
	// *filter, :A, x, y, z, -I, COMMIT, *nat, :B, x, COMMIT
	want := []*plan.ID{nil, nil, nil, one, one, nil, nil, nil, nil, nil, two, nil, nil}
	for line, id := range want {
		if got := (script{a, none, b}).at(line); got != id {
			t.Errorf("line %d is %v's, wants %v", line, got, id)
		}
	}
}

// A chain that was written anew counts from 0, and no connection is counted
// twice or lost after it was read.
func TestCounts(t *testing.T) {
	port := service("web", "10.96.0.1", 80, plan.TCP)
	var c counts
	c.only(map[plan.ID]*plan.Port{port.ID: port})
	read := func(n uint64, between func()) uint64 {
		c.begin()
		between()
		all := map[plan.ID]uint64{}
		c.end([]reading{{"A", remark(port.ID), n}, {"A", "somebody/else", 5}}, all)
		if len(all) != 1 {
			t.Errorf("counts of %d ports", len(all))
		}
		return all[port.ID]
	}
	anew := func() { c.restarted([]string{"A"}) }
	nothing := func() {}
	steps := []struct {
		kernel  uint64
		between func()
		want    uint64
	}{{3, nothing, 3}, {4, nothing, 4}, {9, anew, 4}, {2, nothing, 6}, {1, nothing, 7}}
	for i, s := range steps {
		if got := read(s.kernel, s.between); got != s.want {
			t.Errorf("reading %d: %d, wants %d", i, got, s.want)
		}
	}
	anew()
	if got := read(0, nothing); got != 7 {
		t.Errorf("after it was written: %d, wants 7", got)
	}
	c.change(nil, []plan.Change{{ID: port.ID}})
	c.begin()
	all := map[plan.ID]uint64{}
	c.end(nil, all)
	if len(all) != 0 {
		t.Errorf("a port that is gone has a count: %v", all)
	}
}
