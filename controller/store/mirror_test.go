package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// short is "type ports address address-" with a minus for what is not ready.
func short(s *discoveryv1.EndpointSlice) string {
	var b strings.Builder
	b.WriteString(string(s.AddressType))
	for _, p := range s.Ports {
		fmt.Fprintf(&b, " %s:%d/%s", *p.Name, *p.Port, *p.Protocol)
	}
	for _, e := range s.Endpoints {
		b.WriteString(" " + e.Addresses[0])
		if !*e.Conditions.Ready {
			b.WriteString("-")
		}
	}
	return b.String()
}

func TestEndpointsAreMirrored(t *testing.T) {
	for _, c := range []struct {
		name, meta, subsets string
		want                []string
		problems            int
	}{
		{name: "no subsets", subsets: "[]"},
		{name: "no addresses", subsets: "[{ports: [{port: 80}]}]"},
		{name: "null", subsets: "[null]"},
		{name: "no address at all", subsets: "[{addresses: [{ip: nonsense}, {}, {ip: 'fe80::1%eth0'}], ports: [{port: 80}]}]", problems: 3},
		{name: "no ports", subsets: "[{addresses: [{ip: 10.0.0.1}]}]", want: []string{"IPv4 10.0.0.1"}},
		{name: "skipped", meta: "labels: {endpointslice.kubernetes.io/skip-mirror: 'true'}", subsets: "[{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]"},
		{name: "not skipped", meta: "labels: {endpointslice.kubernetes.io/skip-mirror: 'false'}", subsets: "[{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]", want: []string{"IPv4 :80/TCP 10.0.0.1"}},
		{name: "a lock", meta: "annotations: {control-plane.alpha.kubernetes.io/leader: '{}'}", subsets: "[{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]"},
		{name: "two families and not ready", subsets: "[{addresses: [{ip: 'fd00::1'}, {ip: 10.0.0.2}], notReadyAddresses: [{ip: 10.0.0.1}], ports: [{name: b, port: 81}, {name: a, port: 80, protocol: UDP}]}]",
			want: []string{"IPv4 a:80/UDP b:81/TCP 10.0.0.1- 10.0.0.2", "IPv6 a:80/UDP b:81/TCP fd00::1"}},
		{name: "mapped IPv4, and twice", subsets: "[{addresses: [{ip: '::ffff:10.0.0.1'}, {ip: 10.0.0.1}], ports: [{port: 80}]}]", want: []string{"IPv4 :80/TCP 10.0.0.1"}},
		{name: "ready here and not there", subsets: "[{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}, {notReadyAddresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]", want: []string{"IPv4 :80/TCP 10.0.0.1-"}},
		{name: "other ports of other addresses", subsets: "[{addresses: [{ip: 10.0.0.1}], ports: [{name: web, port: 80}]}, {addresses: [{ip: 10.0.0.2}], ports: [{name: web, port: 81}]}]",
			want: []string{"IPv4 web:80/TCP 10.0.0.1", "IPv4 web:81/TCP 10.0.0.2"}},
		{name: "the same ports in two subsets", subsets: "[{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}, {addresses: [{ip: 10.0.0.2}], ports: [{port: 80}]}]",
			want: []string{"IPv4 :80/TCP 10.0.0.1 10.0.0.2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := decodeFile("a.yaml", []byte("apiVersion: v1\nkind: Endpoints\nmetadata:\n  name: web\n  "+c.meta+"\nsubsets: "+c.subsets+"\n"))
			if len(f.problems) != c.problems {
				t.Errorf("problems: %q", told(f))
			}
			var got []string
			for _, o := range (catalog{"a.yaml": f}).view().objects {
				s := o.(*discoveryv1.EndpointSlice)
				if owner, _ := serviceOf(s); owner != key("default", "web") {
					t.Errorf("belongs to %v", owner)
				}
				got = append(got, short(s))
			}
			slices.Sort(got)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestEndpointsYieldToSlices(t *testing.T) {
	const both = `
apiVersion: v1
kind: Endpoints
metadata: {name: web}
subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-x1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [{addresses: [10.0.0.2]}]
`
	v := catalog{"a.yaml": decodeFile("a.yaml", []byte(both))}.view()
	if len(v.objects) != 1 || v.objects[ref{endpointSlices, key("default", "web-x1")}] == nil {
		t.Errorf("objects: %v", v.objects)
	}
}
