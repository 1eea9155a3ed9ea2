package planner

import (
	"fmt"
	"iter"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// annotationBalance says how a Service's endpoints are chosen.
const annotationBalance = "sallyport.io/balance"

// balances are the values of annotationBalance.
var balances = map[string]plan.Balance{
	"random": plan.Random, "round-robin": plan.RoundRobin, "source-hash": plan.SourceHash, "maglev": plan.Maglev,
}

// A request is what one Service asks for, whoever else asks for it too.
type request struct {
	ours      bool // it is to be planned; else it only has its ClusterIPs
	families  []plan.Family
	addresses []address
	ports     []portRequest
	byName    map[portName]int // indices in ports
	// internalLocal and externalLocal say that the policy is Local.
	internalLocal, externalLocal bool
	affinity                     time.Duration
	balance                      plan.Balance
	health                       uint16 // the health-check node port; 0: none
}

// A portName is what Services and slices tell ports by.
type portName struct {
	name     string
	protocol plan.Protocol
}

type portRequest struct {
	portName
	port, nodePort uint16 // nodePort 0: none
	index          int    // in spec.ports
}

// ask reads what a Service asks for into p.work, which the next call overwrites.
func (p *Planner) ask(s *corev1.Service) *request {
	q, r := &p.work.request, &p.work.report
	*q = request{families: q.families[:0], addresses: q.addresses[:0], ports: q.ports[:0], byName: q.byName}
	r.reset()
	r.on(model.Object{Kind: "Service", Namespace: s.Namespace, Name: s.Name})
	if q.ours = p.options.serves(s, r); !q.ours {
		r.end()
		q.ownAddresses(s, &report{})
		return q
	}
	q.ownAddresses(s, r)
	q.external(s, r)
	q.sortAddresses()
	q.limit(s, p.node.settings.NodeAddresses, r)
	q.readPorts(s, r)
	q.readPolicies(s, r)
	return q
}

// serves says whether a Service is one that this proxy plans.
func (o Options) serves(s *corev1.Service, r *report) bool {
	name, named := s.Labels[store.LabelServiceProxyName]
	_, headless := s.Labels[corev1.IsHeadlessService]
	if headless || named != (o.ServiceProxyName != "") || name != o.ServiceProxyName {
		return false
	}
	if len(clusterIPs(s)) == 0 {
		// An API server gives one to each Service that is to have one. In a folder
		// nobody does, and the author is to know why nothing is there.
		if s.Spec.Type != corev1.ServiceTypeExternalName && !saysHeadless(s) {
			r.add("is missing, and nobody here gives a Service one: it is left out", "spec.clusterIP")
		}
		return false
	}
	switch s.Spec.Type {
	case "", corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer:
	default:
		r.add(fmt.Sprintf("%.64q is no type of Service: it is left out", s.Spec.Type), "spec.type")
		return false
	}
	if !plain(s.Namespace, "-.", 253) || !plain(s.Name, "-.", 253) {
		r.add("is no name for a Service: it is left out", "metadata.name")
		return false
	}
	return true
}

// plain says whether a name has only the characters that Kubernetes lets it
// have. Names get into what backends write, and not every source of objects
// checks them.
func plain(name, more string, most int) bool {
	return len(name) <= most && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(more, r)
	})
}

func (q *request) readPorts(s *corev1.Service, r *report) {
	// A map keeps the room of its fullest time, and is cleared at that cost.
	const roomy = 64
	if q.byName == nil || len(q.byName) > roomy {
		q.byName = map[portName]int{}
	}
	clear(q.byName)
	nodePorts := s.Spec.Type == corev1.ServiceTypeNodePort || s.Spec.Type == corev1.ServiceTypeLoadBalancer
	for i, p := range s.Spec.Ports {
		is := portRequest{portName: portName{name: p.Name}, index: i}
		var known, fits bool
		is.protocol, known = protocolOf(p.Protocol)
		is.port, fits = portOf(p.Port)
		first, twice := q.byName[is.portName]
		switch {
		case !plain(p.Name, "-", 63):
			r.add(fmt.Sprintf("%.64q is no name for a port", p.Name), "spec.ports[%d].name", i)
		case !known:
			r.add(fmt.Sprintf("%.64q is no protocol of Services", p.Protocol), "spec.ports[%d].protocol", i)
		case !fits:
			r.add(fmt.Sprintf("%d is no port number", p.Port), "spec.ports[%d].port", i)
		case twice:
			r.add(fmt.Sprintf("has the name and protocol of spec.ports[%d]", q.ports[first].index), "spec.ports[%d]", i)
		default:
			if nodePorts && p.NodePort != 0 {
				if is.nodePort, fits = portOf(p.NodePort); !fits {
					r.add(fmt.Sprintf("%d is no port number", p.NodePort), "spec.ports[%d].nodePort", i)
				}
			}
			q.byName[is.portName] = len(q.ports)
			q.ports = append(q.ports, is)
		}
	}
}

func protocolOf(p corev1.Protocol) (plan.Protocol, bool) {
	switch p {
	case corev1.ProtocolTCP, "":
		return plan.TCP, true
	case corev1.ProtocolUDP:
		return plan.UDP, true
	case corev1.ProtocolSCTP:
		return plan.SCTP, true
	}
	return 0, false
}

func portOf(n int32) (uint16, bool) { return uint16(n), n >= 1 && n <= 65535 }

func (q *request) readPolicies(s *corev1.Service, r *report) {
	q.externalLocal = isLocal(string(s.Spec.ExternalTrafficPolicy), "spec.externalTrafficPolicy", r)
	if policy := s.Spec.InternalTrafficPolicy; policy != nil {
		q.internalLocal = isLocal(string(*policy), "spec.internalTrafficPolicy", r)
	}
	switch s.Spec.SessionAffinity {
	case corev1.ServiceAffinityClientIP:
		q.affinity = affinityOf(s.Spec.SessionAffinityConfig, r)
	case corev1.ServiceAffinityNone, "":
	default:
		r.add(fmt.Sprintf("%.64q is no session affinity: there is none", s.Spec.SessionAffinity), "spec.sessionAffinity")
	}
	if text, said := s.Annotations[annotationBalance]; said {
		balance, known := balances[text]
		if !known {
			r.add(fmt.Sprintf("%.64q is none of random, round-robin, source-hash, maglev", text), annotationBalance)
		}
		q.balance = balance
	}
	if n := s.Spec.HealthCheckNodePort; n != 0 && q.externalLocal && s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		var fits bool
		if q.health, fits = portOf(n); !fits {
			r.add(fmt.Sprintf("%d is no port number", n), "spec.healthCheckNodePort")
			q.health = 0
		}
	}
}

func isLocal(policy, field string, r *report) bool {
	switch policy {
	case "Local":
		return true
	case "Cluster", "":
	default:
		r.add(fmt.Sprintf("%.64q is no policy: Cluster is taken for it", policy), field)
	}
	return false
}

// affinityOf is the timeout of the affinity ClientIP.
func affinityOf(c *corev1.SessionAffinityConfig, r *report) time.Duration {
	const usual = time.Duration(corev1.DefaultClientIPServiceAffinitySeconds) * time.Second
	if c == nil || c.ClientIP == nil || c.ClientIP.TimeoutSeconds == nil {
		return usual
	}
	seconds := *c.ClientIP.TimeoutSeconds
	if seconds < 1 || seconds > 86400 {
		r.add(fmt.Sprintf("%d is not within 1 to 86400: %d is taken for it", seconds, usual/time.Second),
			"spec.sessionAffinityConfig.clientIP.timeoutSeconds")
		return usual
	}
	return time.Duration(seconds) * time.Second
}

// A place is a frontend, and the index of what asks for it.
type place struct {
	plan.Frontend
	index int
}

// places are the frontends that a port asks for in a family, sorted.
func (q *request) places(of portRequest, f plan.Family) iter.Seq[place] {
	return func(yield func(place) bool) {
		nodePort := of.nodePort != 0
		for _, a := range q.addresses {
			if nodePort && a.kind > plan.NodePort {
				nodePort = false
				if !yield(q.nodePort(of)) {
					return
				}
			}
			if plan.FamilyOf(a.address) != f {
				continue
			}
			is := plan.Frontend{Kind: a.kind, Address: a.address, Port: of.port, Local: q.externalLocal, Sources: a.sources}
			if a.kind == plan.ClusterIP {
				is.Local = q.internalLocal
			}
			if !yield(place{is, a.index}) {
				return
			}
		}
		if nodePort {
			yield(q.nodePort(of))
		}
	}
}

func (q *request) nodePort(of portRequest) place {
	return place{plan.Frontend{Kind: plan.NodePort, Port: of.nodePort, Local: q.externalLocal}, of.index}
}

// stakesOf is all that a Service asks for; concerned says that there is any
// reason to keep it in mind. The next call overwrites the stakes.
func (p *Planner) stakesOf(s *corev1.Service) (stakes []stake, concerned bool) {
	if s == nil {
		return nil, false
	}
	q := p.ask(s)
	stakes = p.work.stakes[:0]
	for _, a := range q.addresses {
		stakes = append(stakes, stake{addressKey(a.address), wholePart, rankOf(a.kind)})
	}
	for _, port := range q.ports {
		for _, f := range q.families {
			for at := range q.places(port, f) {
				stakes = append(stakes, stake{frontendKey(at.Frontend, f, port.protocol), int32(port.index), rankOf(at.Kind)})
			}
		}
	}
	if q.health != 0 {
		for _, k := range healthKeys(q.health) {
			stakes = append(stakes, stake{k, healthPart, given})
		}
	}
	p.work.stakes = stakes
	return stakes, q.ours || len(stakes) > 0 || len(p.work.report.all) > 0
}
