package build

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// A streamPort is what only one can have.
type streamPort struct {
	number int
	udp    bool
}

func (p streamPort) String() string {
	if p.udp {
		return fmt.Sprintf("port %d of UDP", p.number)
	}
	return fmt.Sprintf("port %d of TCP", p.number)
}

// written is what the snippet of an Ingress says of the stream block.
type written struct {
	ingress *networkingv1.Ingress
	streams option.List
}

// streams are the ports whose connections are handed on as they are. Whose are
// first: those of the operator's ConfigMaps, and then the oldest Ingress's.
func (t *task) streams() {
	taken := map[streamPort]string{}
	t.ownServers(taken)
	t.streamServices(t.o.TCPServices, false, taken)
	t.streamServices(t.o.UDPServices, true, taken)
	operator := model.Object{Kind: "ConfigMap", Namespace: t.o.ConfigMap.Namespace, Name: t.o.ConfigMap.Name}
	for _, s := range annotation.Streams(t.result.Config.Settings.StreamSnippet) {
		if err := t.written(s, "", taken); err != nil {
			t.problem(operator, "data.stream-snippet", err.Error())
		}
	}
	for _, w := range t.snippets {
		for _, s := range annotation.Streams(w.streams) {
			if err := t.written(s, w.ingress.Namespace, taken); err != nil {
				t.weigh(objectOf(w.ingress), t.o.AnnotationsPrefix+"/stream-snippet", err.Error(), model.Elsewhere)
			}
		}
	}
	slices.SortFunc(t.result.Config.Settings.Streams, func(a, b model.Stream) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(map[bool]int{true: 1}[a.UDP], map[bool]int{true: 1}[b.UDP]))
	})
}

// claimPort gives a port to its first claimant, if anybody can have it.
func (t *task) claimPort(p streamPort, who string, taken map[streamPort]string) error {
	if other, ok := taken[p]; ok {
		return fmt.Errorf("%s is that of %s already", p, other)
	}
	if t.o.NoStreams {
		return fmt.Errorf("%s wants nginx's stream module, which is missing; install the package libnginx-mod-stream", p)
	}
	return t.firstClaim(p, who, taken)
}

// streamServices reads a ConfigMap of TCP or UDP services.
func (t *task) streamServices(key store.Key, udp bool, taken map[streamPort]string) {
	if key.Name == "" {
		return
	}
	entries, _ := t.texts(key) // one that is missing may come
	object := model.Object{Kind: "ConfigMap", Namespace: key.Namespace, Name: key.Name}
	for _, port := range slices.Sorted(maps.Keys(entries)) {
		stream, ref, err := streamEntry(port, entries[port], udp)
		if err == nil {
			err = t.claimPort(streamPort{stream.Port, udp}, fmt.Sprintf("ConfigMap %s", key), taken)
		}
		if err != nil {
			t.problem(object, fmt.Sprintf("data.%.40q", port), err.Error())
			continue
		}
		if reason := t.missing(ref); reason != "" {
			t.problem(object, "data."+port, reason)
		}
		stream.Addresses = t.unopened(ref)
		t.result.Config.Settings.Streams = append(t.result.Config.Settings.Streams, stream)
	}
}

var portName = regexp.MustCompile(`^[-a-z0-9]{1,63}$`)

// streamEntry reads `PORT: namespace/name:port[:PROXY[:PROXY]]`.
func streamEntry(port, value string, udp bool) (model.Stream, BackendRef, error) {
	stream, ref := model.Stream{UDP: udp}, BackendRef{UDP: udp}
	var err error
	if stream.Port, err = option.Int(1, 65535).Parse(port); err != nil {
		return stream, ref, err
	}
	parts := strings.Split(strings.TrimSpace(value), ":")
	namespace, name, ok := strings.Cut(parts[0], "/")
	if _, err := option.Reference.Parse(parts[0]); err != nil || !ok || len(parts) < 2 || len(parts) > 4 || !portName.MatchString(parts[1]) {
		return stream, ref, fmt.Errorf("%.80q is not namespace/name:port, with :PROXY or :PROXY:PROXY after it where wanted", value)
	}
	ref.Service = store.Key{Namespace: namespace, Name: name}
	if number, err := strconv.Atoi(parts[1]); err != nil {
		ref.Port.Name = parts[1]
	} else if ref.Port.Number = int32(number); number < 1 || number > 65535 {
		return stream, ref, fmt.Errorf("%.80q: port %d is not in the range from 1 to 65535", value, number)
	}
	for i, word := range parts[2:] {
		switch {
		case word == "":
		case strings.ToUpper(word) != "PROXY":
			return stream, ref, fmt.Errorf("%.80q: %.40q is not PROXY", value, word)
		case udp:
			return stream, ref, fmt.Errorf("%.80q: there is no PROXY protocol for UDP", value)
		case i == 0:
			stream.AcceptProxy = true
		default:
			stream.SendProxy = true
		}
	}
	protocol := "tcp"
	if udp {
		protocol = "udp"
	}
	stream.Name = protocol + "-" + namespace + "-" + name + "-" + parts[1]
	return stream, ref, nil
}

// written enters a server of a snippet. One of an Ingress may only have a
// Service of its own namespace.
func (t *task) written(s annotation.Stream, namespace string, taken map[streamPort]string) error {
	who := "the ConfigMap's stream-snippet"
	if namespace != "" {
		who = "an older Ingress"
	}
	stream := model.Stream{
		Port: s.Port, UDP: s.UDP, AcceptProxy: s.AcceptProxy, SendProxy: s.SendProxy,
		ConnectTimeout: s.ConnectTimeout, Timeout: s.Timeout, Responses: s.Responses, Name: "snippet-" + strconv.Itoa(s.Port),
	}
	host, port := s.Target[:strings.LastIndexByte(s.Target, ':')], s.Target[strings.LastIndexByte(s.Target, ':')+1:]
	number, _ := strconv.Atoi(port) // its check held
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err == nil {
		if namespace != "" {
			return fmt.Errorf("proxy_pass %s is no Service: it has to be NAME.NAMESPACE.svc", s.Target)
		}
		if err := t.claimPort(streamPort{s.Port, s.UDP}, who, taken); err != nil {
			return err
		}
		stream.Addresses = []netip.AddrPort{netip.AddrPortFrom(address, uint16(number))}
		t.result.Config.Settings.Streams = append(t.result.Config.Settings.Streams, stream)
		return nil
	}
	key, ok := serviceNamed(host)
	if !ok {
		return fmt.Errorf("proxy_pass %s is no Service: it has to be NAME.NAMESPACE.svc", s.Target)
	}
	if namespace != "" && key.Namespace != namespace && !t.result.Config.Settings.AllowCrossNamespace {
		return fmt.Errorf("proxy_pass %s %w", s.Target, errOtherNamespace)
	}
	if err := t.claimPort(streamPort{s.Port, s.UDP}, who, taken); err != nil {
		return err
	}
	ref := BackendRef{Service: key, Port: networkingv1.ServiceBackendPort{Number: int32(number)}, UDP: s.UDP}
	stream.Addresses = t.unopened(ref)
	t.result.Config.Settings.Streams = append(t.result.Config.Settings.Streams, stream)
	if reason := t.missing(ref); reason != "" {
		return fmt.Errorf("%s", reason)
	}
	return nil
}

// unopened are the addresses for connections as they are: the Service's own,
// which stay the same, or else its endpoints.
func (t *task) unopened(ref BackendRef) []netip.AddrPort {
	t.result.Streamed[ref.Service] = true
	service := t.s.Services[ref.Service]
	if service == nil {
		return nil
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		t.result.Wanted.Names = append(t.result.Wanted.Names, service.Spec.ExternalName)
	} else if a, err := netip.ParseAddr(service.Spec.ClusterIP); err == nil {
		if port, ok := portFor(service, ref.Port, ref.protocol()); ok {
			return []netip.AddrPort{netip.AddrPortFrom(a, uint16(port.Port))}
		}
		return nil
	}
	t.result.Pinned[ref.Service] = true
	var list []netip.AddrPort
	for _, e := range t.Backend(t.s, ref).Endpoints {
		list = append(list, e.Address)
	}
	return list
}
