package build

import (
	"fmt"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// firstClaim gives a port that nobody claimed, unless it is ours or another
// program's.
func (t *task) firstClaim(p streamPort, who string, taken map[streamPort]string) error {
	l := t.o.Listen
	for _, own := range []struct {
		port int
		name string
	}{
		{l.HTTPPort, "HTTP"}, {l.HTTPSPort, "HTTPS"}, {l.DefaultPort, "the default server"}, {l.StatusPort, "nginx's status"},
		{t.o.HealthPort, "/healthz"}, {t.o.WebhookPort, "the admission webhook"},
	} {
		if own.port == p.number && !p.udp && own.port != 0 {
			return fmt.Errorf("%s is that of %s", p, own.name)
		}
	}
	if most := t.mostPorts(); len(taken) >= most {
		return fmt.Errorf("%s is one too many: max-worker-connections and the limit of open files leave room for %d ports", p, most)
	}
	if t.o.Taken != nil {
		if reason := t.o.Taken(p.number, p.udp); reason != "" {
			t.result.Taken = true
			return fmt.Errorf("%s can't be had: %s", p, reason)
		}
	}
	taken[p] = who
	return nil
}

// bound leaves out addresses that the machine has not, for nginx does not start
// with one. Where it has none of them, nobody from outside is let in.
func (t *task) bound(object model.Object) {
	s := &t.result.Config.Settings
	if t.o.Absent == nil {
		return
	}
	var there []string
	for _, address := range s.Bind.All() {
		if reason := t.o.Absent(address); reason != "" {
			t.result.Taken = true
			t.problem(object, "data.bind-address", fmt.Sprintf("%s is left out: %s", address, reason))
			continue
		}
		there = append(there, address)
	}
	if s.Bind != "" && len(there) == 0 {
		there = []string{"127.0.0.1"}
	}
	s.Bind = option.ListOf(there...)
}

// mostPorts is how many ports nginx may listen on beside its own: a socket is a
// connection of each worker, and nginx does not start where they are too many.
// With reuseport each worker has one of its own, which the master holds too.
// Half of both is left to connections.
func (t *task) mostPorts() int {
	s := &t.result.Config.Settings
	families := 1
	if s.Listen.IPv6 {
		families = 2
	}
	most := s.WorkerConnections / 2 / families
	if t.o.OpenFiles == 0 {
		return most
	}
	if s.ReusePort {
		families *= max(s.WorkerProcesses, 1)
	}
	return min(most, t.o.OpenFiles/2/families)
}
