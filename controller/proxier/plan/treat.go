package plan

// An Origin is what matters of where a packet comes from.
type Origin uint8

// The origins. LocalPod is known only where Settings.Detect works for the
// family; what nobody knows as a pod's is Elsewhere.
const (
	Elsewhere Origin = iota
	LocalPod         // a pod of this node
	ThisNode         // a process on this node's own network: a source address of the node
)

// A Verdict is what becomes of a new connection.
type Verdict uint8

// The verdicts.
const (
	Serve  Verdict = iota // by one endpoint of the Treatment's pool
	Reject                // refused at once: a TCP reset, an ICMP port unreachable
	Drop                  // no answer
)

// A Treatment is what a new connection gets.
type Treatment struct {
	Verdict Verdict
	// Local says that the pool is Port.Local, else it is Port.Cluster.
	Local bool
	Pool  []Endpoint // not empty where Verdict is Serve
	// Masquerade hides the source behind the node's address. Where it is false
	// the source stays, but for a hairpin: what an endpoint sends to a Service
	// and gets back itself is masqueraded always.
	Masquerade bool
}

// Treat decides what a new connection to a frontend gets. Frontend.Sources is
// not in it: who isn't among them is dropped before.
//
// Traffic to a ClusterIP goes by the internal policy. Its source stays, unless
// all is to be masqueraded, or local pods can be told and it is none.
//
// Traffic to the others goes by the external policy. With Cluster its source is
// always hidden, for the endpoint may be on another node and has to answer by
// way of this one. With Local only endpoints on this node serve it, and its
// source stays. Local does not hold for what this node and its pods send
// themselves: that could as well go to the ClusterIP, and gets what it would
// get there by the policy Cluster.
func (s *Settings) Treat(p *Port, f Frontend, o Origin) Treatment {
	works := s.Detect.Works(p.Family)
	if o == LocalPod && !works {
		o = Elsewhere
	}
	t := Treatment{Local: f.Local, Pool: p.Cluster}
	switch {
	case f.Kind == ClusterIP:
		t.Masquerade = s.MasqueradeAll || works && o != LocalPod
	case !f.Local:
		t.Masquerade = true
	case o == LocalPod:
		t.Local = false
	case o == ThisNode:
		t.Local, t.Masquerade = false, true
	}
	if t.Local {
		t.Pool = p.Local
	}
	switch {
	case len(t.Pool) > 0:
	case len(p.Cluster) == 0 && len(p.Local) == 0:
		t.Verdict = Reject
	default:
		t.Verdict = Drop
	}
	if t.Verdict != Serve {
		t.Masquerade = false
	}
	return t
}
