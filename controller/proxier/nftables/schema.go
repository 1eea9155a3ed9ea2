package nftables

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables/wire"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// The name of our table in both families, how it begins where there are several
// proxiers, and of one that is never made.
const (
	tableName   = "sallyport"
	namedPrefix = "sallyport-for-"
	probeName   = "sallyport-probe"
)

// schema is raised when sets change, or what a chain of some name does. A table
// of another schema is replaced as a whole.
const schema = 1

// A family is what differs between IPv4 and IPv6.
type family struct {
	plan  plan.Family
	wire  wire.Family
	ip    string // ip or ip6, as nft writes it
	size  int    // of an address, in bytes
	table string
}

func familyOf(f plan.Family) family {
	if f == plan.IPv4 {
		return family{plan: f, wire: wire.IPv4, ip: "ip", size: 4, table: tableName}
	}
	return family{plan: f, wire: wire.IPv6, ip: "ip6", size: 16, table: tableName}
}

// A field is one part of a concatenated key or value. Each takes up a multiple
// of four bytes.
type field uint8

const (
	address  field = iota
	protocol       // one byte
	port           // two bytes in network order
	slot           // four bytes in the machine's order: what numgen and jhash give
	source         // an address that may be a range
)

// size is how many bytes a field takes up.
func (f family) fieldSize(of field) int {
	if of == address || of == source {
		return f.size
	}
	return 4
}

// typ is nft's number of a data type, and its name.
func (f family) fieldType(of field) (uint32, string) {
	switch of {
	case protocol:
		return 12, "inet_proto"
	case port:
		return 13, "inet_service"
	case slot:
		return 4, "integer"
	}
	if f.plan == plan.IPv4 {
		return 7, "ipv4_addr"
	}
	return 8, "ipv6_addr"
}

// fieldLen is how many of a field's bytes hold something.
func (f family) fieldLen(of field) uint32 {
	switch of {
	case protocol:
		return 1
	case port:
		return 2
	case slot:
		return 4
	}
	return uint32(f.size)
}

// A set is the declaration of a set or map.
type set struct {
	name    string
	key     []field
	data    []field // what a map gives; nil for a set
	verdict bool    // a map that gives verdicts, and counts
	dynamic bool    // packets write to it
	ranges  bool    // the last field of a key is a range
}

// The sets whose names are known beforehand.
const (
	services          = "services"
	endpoints         = "endpoints"
	localEndpoints    = "local-endpoints"
	nodePorts         = "nodeports"
	nodePortEndpoints = "nodeport-endpoints"
	nodePortLocal     = "nodeport-local-endpoints"
	firewalled        = "firewalled"
	allowed           = "allowed"
	hairpin           = "hairpin"
	clusterIPs        = "cluster-ips"
	affinity          = "affinity"
	nodePortAffinity  = "nodeport-affinity"
)

// The sets of the endpoints of ports with affinity: one of each for every
// timeout there is.
const (
	members         = "members-"
	nodePortMembers = "nodeport-members-"
)

var (
	frontend = []field{address, protocol, port}
	nodePort = []field{protocol, port}
	endpoint = []field{address, port}
)

func join(parts ...[]field) []field {
	var all []field
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// sets are all but those of single timeouts, in the order in which they are
// declared.
func sets() []set {
	one := []field{slot}
	client := []field{address}
	return []set{
		{name: services, key: frontend, verdict: true},
		{name: nodePorts, key: nodePort, verdict: true},
		{name: firewalled, key: frontend, verdict: true},
		{name: allowed, key: join(frontend, []field{source}), ranges: true},
		{name: endpoints, key: join(frontend, one), data: endpoint},
		{name: localEndpoints, key: join(frontend, one), data: endpoint},
		{name: nodePortEndpoints, key: join(nodePort, one), data: endpoint},
		{name: nodePortLocal, key: join(nodePort, one), data: endpoint},
		{name: affinity, key: join(client, frontend), data: endpoint, dynamic: true},
		{name: nodePortAffinity, key: join(client, nodePort), data: endpoint, dynamic: true},
		{name: hairpin, key: []field{address, address}},
		{name: clusterIPs, key: []field{address}},
	}
}

// membersOf are the sets of a timeout.
func membersOf(timeout time.Duration) []set {
	t := seconds(timeout)
	return []set{
		{name: members + t, key: join(frontend, endpoint)},
		{name: nodePortMembers + t, key: join(nodePort, endpoint)},
	}
}

// seconds writes a timeout as names have it, rounded up.
func seconds(timeout time.Duration) string {
	return strconv.FormatInt(int64((timeout+time.Second-1)/time.Second), 10)
}

// setOf finds a set's declaration by its name.
func setOf(name string) set {
	for _, s := range sets() {
		if s.name == name {
			return s
		}
	}
	if strings.HasPrefix(name, nodePortMembers) {
		return set{name: name, key: join(nodePort, endpoint)}
	}
	return set{name: name, key: join(frontend, endpoint)}
}

// affinitySize bounds how many clients are remembered: more than conntrack
// holds by default. A client too many is served, and not remembered.
const affinitySize = 262144

// declare is a set as the kernel wants it.
func (f family) declare(s set) wire.Set {
	w := wire.Set{Name: s.name, Counter: s.verdict, UserData: f.userData(s)}
	w.KeyType, w.KeyLen = f.concat(s.key)
	switch {
	case s.verdict:
		w.Flags, w.DataType, w.DataLen = unix.NFT_SET_MAP, unix.NFT_DATA_VERDICT, 16
	case s.data != nil:
		w.Flags = unix.NFT_SET_MAP
		w.DataType, w.DataLen = f.concat(s.data)
	}
	if s.dynamic {
		w.Flags |= unix.NFT_SET_TIMEOUT | unix.NFT_SET_EVAL
		w.Size = affinitySize
	}
	if s.ranges {
		const concatenated = 0x80 // NFT_SET_CONCAT
		w.Flags |= unix.NFT_SET_INTERVAL | concatenated
		for _, of := range s.key {
			w.Fields = append(w.Fields, f.fieldLen(of))
		}
	}
	return w
}

// concat is the type of a concatenation, six bits for each field, and its
// length in bytes.
func (f family) concat(fields []field) (typ, size uint32) {
	for _, of := range fields {
		t, _ := f.fieldType(of)
		typ = typ<<6 | t
		size += uint32(f.fieldSize(of))
	}
	return typ, size
}

// text declares a set in nft's words.
func (f family) text(s set) string {
	kind, key := "set", f.types(s.key)
	switch {
	case s.verdict:
		kind, key = "map", "type "+key+" : verdict; counter;"
	case s.slots():
		// An integer's type has no name: nft gets it by an example.
		kind, key = "map", "typeof "+f.exemplar(s.key)+" : "+f.exemplar(s.data)+";"
	case s.data != nil:
		kind, key = "map", "type "+key+" : "+f.types(s.data)+";"
	default:
		key = "type " + key + ";"
	}
	if s.dynamic {
		key += fmt.Sprintf(" size %d; flags dynamic,timeout;", affinitySize)
	}
	if s.ranges {
		key += " flags interval;"
	}
	return kind + " " + s.name + " { " + key
}

// slots says that the key ends with a slot.
func (s set) slots() bool { return len(s.key) > 0 && s.key[len(s.key)-1] == slot }

func (f family) types(fields []field) string {
	names := make([]string, len(fields))
	for i, of := range fields {
		_, names[i] = f.fieldType(of)
	}
	return strings.Join(names, " . ")
}

// exemplar names, for each field, an expression of its type.
func (f family) exemplar(fields []field) string {
	names := make([]string, len(fields))
	for i, of := range fields {
		switch of {
		case protocol:
			names[i] = "meta l4proto"
		case port:
			names[i] = "th dport"
		case slot:
			names[i] = "numgen random mod 2"
		default:
			names[i] = f.ip + " daddr"
		}
	}
	return strings.Join(names, " . ")
}

// The parts of keys and values, as bytes.

func appendAddress(b []byte, a netip.Addr) []byte { return append(b, a.AsSlice()...) }

func appendProtocol(b []byte, p plan.Protocol) []byte { return append(b, byte(p), 0, 0, 0) }

func appendPort(b []byte, p uint16) []byte { return append(b, byte(p>>8), byte(p), 0, 0) }

func appendSlot(b []byte, n int) []byte { return binary.NativeEndian.AppendUint32(b, uint32(n)) }

func appendEndpoint(b []byte, e netip.AddrPort) []byte {
	return appendPort(appendAddress(b, e.Addr()), e.Port())
}

// words says what a key or value of fields means. end is the last key of a
// range, or "".
func (f family) words(fields []field, key, end string) string {
	parts := make([]string, 0, len(fields))
	at := 0
	for _, of := range fields {
		n := f.fieldSize(of)
		if at+n > len(key) {
			break
		}
		word := fieldText(of, key[at:at+n])
		if of == source && end != "" {
			word += "-" + fieldText(of, end[at:at+n])
		}
		parts = append(parts, word)
		at += n
	}
	return strings.Join(parts, " . ")
}

func fieldText(of field, b string) string {
	switch of {
	case protocol:
		return plan.Protocol(b[0]).String()
	case port:
		return strconv.Itoa(int(b[0])<<8 | int(b[1]))
	case slot:
		return strconv.FormatUint(uint64(binary.NativeEndian.Uint32([]byte(b))), 10)
	}
	a, _ := netip.AddrFromSlice([]byte(b))
	return a.String()
}
