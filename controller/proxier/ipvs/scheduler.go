package ipvs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// schedulers are those that --ipvs-scheduler knows: the others of Linux need
// real servers that are set up for them.
func schedulers() []string {
	return []string{"rr", "wrr", "lc", "wlc", "dh", "sh", "sed", "nq", "mh"}
}

// CheckScheduler says whether a name is that of a scheduler. Whether this
// kernel has it only New says.
func CheckScheduler(name string) error {
	if slices.Contains(schedulers(), name) {
		return nil
	}
	return fmt.Errorf("scheduler %q is none of %s", name, strings.Join(schedulers(), ", "))
}

// The flags of a virtual server, from linux/ip_vs.h. IP_VS_SVC_F_HASHED, 2, is
// the kernel's own.
const (
	flagPersistent = 0x1
	flagHashed     = 0x2
	// flagFallback lets sh and mh ask the next real server where theirs has the
	// weight 0: they keep places for those, and else refuse what falls there.
	flagFallback = 0x8
)

// A schedule is how a virtual server chooses.
type schedule struct {
	Name    string
	Flags   uint32
	Timeout uint32 // of persistence, in seconds
}

// scheduleOf chooses by a port's own balance. Random is what ipvs has no
// scheduler for, and gets the default.
func scheduleOf(p *plan.Port, pool []plan.Endpoint, byDefault string) schedule {
	s := schedule{Name: byDefault}
	switch p.Balance {
	case plan.RoundRobin:
		s.Name = "rr"
		if slices.ContainsFunc(pool, func(e plan.Endpoint) bool { return e.Weight != pool[0].Weight }) {
			s.Name = "wrr"
		}
	case plan.SourceHash:
		s.Name = "sh"
	case plan.Maglev:
		s.Name = "mh"
	case plan.ModeDefault, plan.Random:
	}
	if s.Name == "sh" || s.Name == "mh" {
		s.Flags |= flagFallback
	}
	if p.Affinity > 0 {
		s.Flags |= flagPersistent
		s.Timeout = max(1, uint32(p.Affinity.Seconds()))
	}
	return s
}

// drains says whether a real server of a protocol stays until its connections
// are gone. UDP and SCTP begin anew at another one. Nor is there a place for
// one that gets nothing new with dh, which would refuse all that falls there.
func (s schedule) drains(p plan.Protocol) bool { return p == plan.TCP && s.Name != "dh" }
