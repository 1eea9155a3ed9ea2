package l4

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// A packet is one line of a table: new connections from one place to another,
// and what must become of each.
//
//	FROM[,FROM] PROTOCOL[,PROTOCOL] [SERVICE.]PLACE:PORT[,…] = OUTCOME [sees own|node]
//
// FROM is client, n2, n2pod, p1, p2 or edge. PLACE is vip, lb, xip, the same
// with a 6 for IPv6 or with an s for both; node, node6 and nodes (all of the
// edge's addresses), primary, second, lo, lo6: at these the port is the node
// port of the Service's PORT. all is vips, lbs, xips and nodes.
//
// OUTCOME is refused; dropped; passes, which is that nobody took it and the
// world answers; the pods that answer, each at least once, as "p1 p2" or with a
// port as "p1:9090"; "sticks p1 p2", one of them and always the same.
//
// A line may begin with "@MODE[,MODE]", and is for these modes alone, or with
// "!MODE[,MODE]". What is after # is the reason.
type packet struct {
	line    string
	from    string
	network string
	to      netip.AddrPort
	outcome lab.Outcome
	passes  bool
	sticks  bool
	by      []string
	sees    string
}

const (
	// silence is how long a packet that must be dropped is given to be answered
	// nevertheless.
	silence = 300 * time.Millisecond
	// patience bounds what must be answered. It measures nothing.
	patience = 8 * time.Second
	// turns bound how often one pod of several is asked for: by then the last of
	// three was missed by chance once in 10^17.
	turns = 100
)

// parsePackets reads a table's lines for a mode.
func parsePackets(text string, m mode, n *numbers) ([]packet, error) {
	var all []packet
	for _, line := range strings.Split(text, "\n") {
		rest, _, _ := strings.Cut(line, "#")
		f := strings.Fields(rest)
		if len(f) > 0 && (f[0][0] == '@' || f[0][0] == '!') {
			if slices.Contains(strings.Split(f[0][1:], ","), string(m)) != (f[0][0] == '@') {
				continue
			}
			f = f[1:]
		}
		if len(f) == 0 {
			continue
		}
		some, err := parseLine(f, n)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
		for i := range some {
			some[i].line = strings.TrimSpace(line)
		}
		all = append(all, some...)
	}
	return all, nil
}

func parseLine(f []string, n *numbers) ([]packet, error) {
	if len(f) < 5 || f[3] != "=" {
		return nil, fmt.Errorf("want FROM PROTOCOL TO = OUTCOME")
	}
	want, err := parseOutcome(f[4:])
	if err != nil {
		return nil, err
	}
	var all []packet
	for _, network := range strings.Split(f[1], ",") {
		for _, place := range strings.Split(f[2], ",") {
			targets, err := n.targets(place, network)
			if err != nil {
				return nil, err
			}
			for _, from := range strings.Split(f[0], ",") {
				for _, to := range targets {
					p := want
					p.from, p.network, p.to = from, network, to
					all = append(all, p)
				}
			}
		}
	}
	return all, nil
}

func parseOutcome(words []string) (packet, error) {
	var p packet
	if i := slices.Index(words, "sees"); i >= 0 {
		if i+2 != len(words) || words[i+1] != "own" && words[i+1] != "node" {
			return p, fmt.Errorf("sees what: own or node, at the end")
		}
		p.sees, words = words[i+1], words[:i]
	}
	switch words[0] {
	case "refused":
		p.outcome = lab.Refused
	case "dropped":
		p.outcome = lab.Dropped
	case "passes":
		p.passes = true
	case "sticks":
		p.sticks, p.by = true, words[1:]
	default:
		p.by = words
	}
	return p, nil
}

// several are the names for more than one place.
var several = map[string][]string{
	"vips": {"vip", "vip6"}, "lbs": {"lb", "lb6"}, "xips": {"xip", "xip6"},
	"node": {"primary", "second"}, "nodes": {"primary", "second", "node6"},
	"all":  {"vip", "vip6", "lb", "lb6", "xip", "xip6", "primary", "second", "node6"},
	"all4": {"vip", "lb", "xip", "primary", "second"},
}

// ofNode are the places of the edge itself.
var ofNode = map[string]string{
	"primary": lab.Edge4, "second": lab.Edge4Second, "node6": lab.Edge6, "lo": "127.0.0.1", "lo6": "::1",
}

// targets gives the addresses and ports of a [SERVICE.]PLACE:PORT.
func (n *numbers) targets(text, network string) ([]netip.AddrPort, error) {
	place, number, ok := strings.Cut(text, ":")
	if !ok {
		return nil, fmt.Errorf("%s: no port", text)
	}
	name := "web"
	if s, p, ok := strings.Cut(place, "."); ok {
		name, place = s, p
	}
	places := several[place]
	if places == nil {
		places = []string{place}
	}
	var all []netip.AddrPort
	for _, place := range places {
		port := uint16(integer(number))
		at := ofNode[place]
		if at != "" {
			var err error
			if port, err = n.nodePortOf(name, port, network); err != nil {
				return nil, err
			}
		} else {
			at = n.address(name, place).String()
		}
		all = append(all, netip.AddrPortFrom(netip.MustParseAddr(at), port))
	}
	return all, nil
}

// nodePortOf gives the node port of a Service's port: the one that it had last,
// so that what is gone can be asked for as well.
func (n *numbers) nodePortOf(service string, port uint16, network string) (uint16, error) {
	s := n.services[service]
	if s == nil { // not there yet: what its first port would get
		return uint16(n.nodePort(service, 0)), nil
	}
	for i, p := range s.Spec.Ports {
		if p.Port == int32(port) && (p.Protocol == corev1.ProtocolUDP) == (network == "udp") {
			return uint16(n.nodePort(service, i)), nil
		}
	}
	return 0, fmt.Errorf("%s: no port %d/%s", service, port, network)
}
