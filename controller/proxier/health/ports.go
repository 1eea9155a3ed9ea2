package health

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// again is from a port that could not be had until the next try.
const again = 3 * time.Second

// ServicePorts answer at the health-check node ports of Services. Their methods
// may be called by several goroutines.
type ServicePorts struct {
	healthy func() bool
	log     *slog.Logger
	local   func() ([]net.Addr, error)
	stop    chan struct{}
	ended   sync.WaitGroup // the retries, and the checks that come to their end

	mu     sync.Mutex
	want   map[plan.Service]plan.HealthCheck
	at     plan.NodePorts
	checks map[plan.Service]*check
	closed bool
}

// NewServicePorts makes ServicePorts that answer nowhere yet.
func NewServicePorts(healthy func() bool, log *slog.Logger) *ServicePorts {
	s := &ServicePorts{
		healthy: healthy, log: log, local: net.InterfaceAddrs,
		stop: make(chan struct{}), checks: map[plan.Service]*check{},
	}
	s.ended.Go(s.retry)
	return s
}

// Sync makes them answer for the Services given and no others, at all addresses
// or at those of the node that node ports have. A Service whose port can't be
// had harms no other, and is tried again.
func (s *ServicePorts) Sync(want map[plan.Service]plan.HealthCheck, at plan.NodePorts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.want, s.at = maps.Clone(want), at
	s.mend()
}

// Problems are the Services whose port can't be had now, and why.
func (s *ServicePorts) Problems() map[plan.Service]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[plan.Service]error{}
	for service, c := range s.checks {
		if c.failed != nil {
			all[service] = c.failed
		}
	}
	return all
}

// Close ends them all, after the answers that are under way.
func (s *ServicePorts) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.stop)
		s.want = nil
		s.mend()
	}
	s.mu.Unlock()
	s.ended.Wait()
}

// retry tries again what could not be had, and finds addresses that the node
// has got since.
func (s *ServicePorts) retry() {
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.mu.Lock()
			s.mend()
			s.mu.Unlock()
		}
	}
}

// mend makes what is be what is wanted, as far as it can. What is to be given
// up goes first, for another Service may have got its port.
func (s *ServicePorts) mend() {
	holders := map[uint16]plan.Service{}
	for service, c := range s.checks {
		switch {
		case s.want[service].Port != c.port:
			s.end(service, c)
		case c.holds:
			holders[c.port] = service
		}
	}
	if len(s.want) == 0 {
		return
	}
	addresses, err := s.addresses()
	for _, service := range slices.SortedFunc(maps.Keys(s.want), compare) {
		s.mendOne(service, addresses, holders, err)
	}
}

func (s *ServicePorts) mendOne(service plan.Service, addresses []string, holders map[uint16]plan.Service, err error) {
	want := s.want[service]
	c := s.checks[service]
	if c == nil {
		c = newCheck(service, want.Port, s)
		s.checks[service] = c
	}
	c.ready.Store(int64(want.Ready))
	// SO_REUSEPORT would let both have it, and who asks would get the one's
	// answer or the other's.
	holder, taken := holders[want.Port]
	c.holds = !taken || holder == service
	switch {
	case !c.holds:
		err = fmt.Errorf("port %d: already the health-check node port of %s", want.Port, holder)
	case err == nil:
		err = c.listen(addresses)
	}
	if c.holds {
		holders[want.Port] = service
	}
	s.tell(c, err)
}

// tell says what goes wrong when it begins to, and when it ends.
func (s *ServicePorts) tell(c *check, err error) {
	switch {
	case err != nil && c.failed == nil:
		s.log.Error("health-check node port can't be served; trying again", "service", c.service, "port", c.port, "error", err)
	case err == nil && c.failed != nil:
		s.log.Info("health-check node port is served again", "service", c.service, "port", c.port)
	}
	c.failed = err
}

func (s *ServicePorts) end(service plan.Service, c *check) {
	delete(s.checks, service)
	c.deafen()
	s.ended.Go(c.finish)
}

// addresses are where to listen: "" is everywhere, in both families.
func (s *ServicePorts) addresses() ([]string, error) {
	if s.at.All {
		return []string{""}, nil
	}
	all, err := s.local()
	if err != nil {
		return nil, fmt.Errorf("list addresses of the node: %w", err)
	}
	var some []string
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue // an address that isn't IP
		}
		at := p.Addr().Unmap()
		// A link-local one means something together with its link alone.
		if !at.Is6() || !at.IsLinkLocalUnicast() {
			if slices.ContainsFunc(s.at.Prefixes, func(p netip.Prefix) bool { return p.Contains(at) }) {
				some = append(some, at.String())
			}
		}
	}
	slices.Sort(some)
	return slices.Compact(some), nil
}

func compare(a, b plan.Service) int {
	return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
}
