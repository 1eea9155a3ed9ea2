package planner

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// good is what the others in a snapshot get, whatever one of them does.
var good = []metav1.Object{
	aService(named("good", 1, "10.96.0.9")),
	aSlice([]string{"10.244.2.9"}, of("good", "good-1")),
	aNode(),
}

const goodText = `
	default/good/tcp/IPv4
	  cluster 10.96.0.9:80
	  -> 10.244.2.9:8080`

const webText = `
	default/web/tcp/IPv4
	  cluster 10.96.0.1:80
	  -> 10.244.2.10:8080`

func TestBadServices(t *testing.T) {
	const nothing = ""
	for name, test := range map[string]struct {
		change   func(*corev1.Service)
		want     string
		problems []string
	}{
		"ClusterIP with leading zeros": {
			named("web", 100, "10.96.0.01"), nothing,
			[]string{`Service default/web spec.clusterIPs[0]: "10.96.0.01" is no IP address`},
		},
		"ClusterIP with leading zeros, but a node port": {
			func(s *corev1.Service) { named("web", 100, "10.96.0.01")(s); nodePort(30080)(s) }, `
			default/web/tcp/IPv4
			  node 30080
			  -> 10.244.2.10:8080`,
			[]string{`Service default/web spec.clusterIPs[0]: "10.96.0.01" is no IP address`},
		},
		"ClusterIP that can't be told, but its family can": {
			func(s *corev1.Service) {
				named("web", 100, "?", "10.96.0.1")(s)
				nodePort(30080)(s)
				s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}
			}, `
			default/web/tcp/IPv4
			  cluster 10.96.0.1:80
			  node 30080
			  -> 10.244.2.10:8080
			default/web/tcp/IPv6
			  node 30080
			  -> `,
			[]string{`Service default/web spec.clusterIPs[0]: "?" is no IP address`},
		},
		"ClusterIP alone, and bad": {
			func(s *corev1.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = "nowhere", nil }, nothing,
			[]string{`Service default/web spec.clusterIP: "nowhere" is no IP address`},
		},
		"no ClusterIP, as kubectl's users write it": {
			func(s *corev1.Service) { nodePort(30080)(s); s.Spec.ClusterIP, s.Spec.ClusterIPs = "", nil }, nothing,
			[]string{"Service default/web spec.clusterIP: is missing, and nobody here gives a Service one: it is left out"},
		},
		"two ClusterIPs without an address": {
			named("web", 100, "", ""), nothing,
			[]string{"Service default/web spec.clusterIP: is missing, and nobody here gives a Service one: it is left out"},
		},
		"ClusterIP is loopback": {
			named("web", 100, "127.0.0.53"), nothing,
			[]string{`Service default/web spec.clusterIPs[0]: 127.0.0.53 is a loopback address, which no Service may have`},
		},
		"ClusterIP is a mapped one": {
			named("web", 100, "::ffff:10.96.0.1"), nothing,
			[]string{`Service default/web spec.clusterIPs[0]: "::ffff:10.96.0.1" is an IPv4 address written as IPv6`},
		},
		"external IPs that no Service may have": {
			externalIPs("127.0.0.1", "0.0.0.0", "224.0.0.1", "169.254.169.254", "255.255.255.255"), webText,
			[]string{
				`Service default/web spec.externalIPs[0]: 127.0.0.1 is a loopback address, which no Service may have`,
				`Service default/web spec.externalIPs[1]: 0.0.0.0 is the unspecified address, which no Service may have`,
				`Service default/web spec.externalIPs[2]: 224.0.0.1 is a multicast address, which no Service may have`,
				`Service default/web spec.externalIPs[3]: 169.254.169.254 is a link-local address, which no Service may have`,
				`Service default/web spec.externalIPs[4]: 255.255.255.255 is a multicast address, which no Service may have`,
			},
		},
		"external IPs of the other family, with a zone, and a good one": {
			externalIPs("2001:db8::7", "fe80::1%eth0", "203.0.113.5"), `
			default/web/tcp/IPv4
			  cluster 10.96.0.1:80
			  external 203.0.113.5:80
			  -> 10.244.2.10:8080`,
			[]string{
				`Service default/web spec.externalIPs[0]: 2001:db8::7 is left out: the Service has no ClusterIP of IPv6`,
				`Service default/web spec.externalIPs[1]: "fe80::1%eth0" has a zone`,
			},
		},
		"load-balancer IP on a link": {
			balanced("169.254.0.1"), webText,
			[]string{`Service default/web status.loadBalancer.ingress[0].ip: 169.254.0.1 is a link-local address, which no Service may have`},
		},
		"ports out of range": {
			func(s *corev1.Service) {
				s.Spec.Type = corev1.ServiceTypeNodePort
				s.Spec.Ports = []corev1.ServicePort{
					{Name: "zero"}, {Name: "much", Port: 65536}, {Name: "less", Port: -1}, {Port: 80, NodePort: 65536},
				}
			}, webText,
			[]string{
				"Service default/web spec.ports[0].port: 0 is no port number",
				"Service default/web spec.ports[1].port: 65536 is no port number",
				"Service default/web spec.ports[2].port: -1 is no port number",
				"Service default/web spec.ports[3].nodePort: 65536 is no port number",
			},
		},
		"port names, protocols, one twice": {
			func(s *corev1.Service) {
				s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "a\"; drop", Port: 1},
					corev1.ServicePort{Name: "icmp", Port: 1, Protocol: "ICMP"}, corev1.ServicePort{Port: 81})
			}, webText,
			[]string{
				`Service default/web spec.ports[1].name: "a\"; drop" is no name for a port`,
				`Service default/web spec.ports[2].protocol: "ICMP" is no protocol of Services`,
				`Service default/web spec.ports[3]: has the name and protocol of spec.ports[0]`,
			},
		},
		"two ports that are one": {
			func(s *corev1.Service) {
				s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "again", Port: 80})
			}, webText,
			[]string{`Service default/web spec.clusterIPs[0]: 10.96.0.1:80/tcp is taken by another port of this Service`},
		},
		"words that mean nothing": {
			func(s *corev1.Service) {
				s.Spec.ExternalTrafficPolicy = "local"
				s.Spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicy("local"))
				s.Spec.SessionAffinity = "Cookie"
				s.Annotations = map[string]string{annotationBalance: "fair"}
			}, webText,
			[]string{
				`Service default/web spec.externalTrafficPolicy: "local" is no policy: Cluster is taken for it`,
				`Service default/web spec.internalTrafficPolicy: "local" is no policy: Cluster is taken for it`,
				`Service default/web spec.sessionAffinity: "Cookie" is no session affinity: there is none`,
				`Service default/web sallyport.io/balance: "fair" is none of random, round-robin, source-hash, maglev`,
			},
		},
		"an affinity of two days": {
			func(s *corev1.Service) { clientIP(new(int32(172800)))(s) }, `
			default/web/tcp/IPv4 affinity 10800
			  cluster 10.96.0.1:80
			  -> 10.244.2.10:8080`,
			[]string{`Service default/web spec.sessionAffinityConfig.clientIP.timeoutSeconds: 172800 is not within 1 to 86400: 10800 is taken for it`},
		},
		"a type that there isn't": {
			func(s *corev1.Service) { s.Spec.Type = "Anycast" }, nothing,
			[]string{`Service default/web spec.type: "Anycast" is no type of Service: it is left out`},
		},
		"a health check at no port": {
			func(s *corev1.Service) { balanced()(s); externalLocal(s); s.Spec.HealthCheckNodePort = 70000 }, webText,
			[]string{`Service default/web spec.healthCheckNodePort: 70000 is no port number`},
		},
		"a thousand bad external IPs": {
			func(s *corev1.Service) {
				for i := range 1000 {
					s.Spec.ExternalIPs = append(s.Spec.ExternalIPs, fmt.Sprint("bad", i))
				}
			}, webText,
			[]string{
				`Service default/web spec.externalIPs[0]: "bad0" is no IP address`,
				`Service default/web spec.externalIPs[1]: "bad1" is no IP address`,
				`Service default/web spec.externalIPs[2]: "bad2" is no IP address`,
				`Service default/web spec.externalIPs[3]: "bad3" is no IP address`,
				`Service default/web spec.externalIPs[4]: "bad4" is no IP address`,
				`Service default/web : has 995 more problems such as these`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := planned(t, options, append([]metav1.Object{aService(test.change), aSlice([]string{"10.244.2.10"})}, good...)...)
			wantPlan(t, p, goodText+"\n"+test.want)
			wantProblems(t, p, test.problems...)
		})
	}
}

func clientIP(seconds *int32) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
		s.Spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: seconds}}
	}
}

func TestBadNames(t *testing.T) {
	s := aService(func(s *corev1.Service) { s.Name = "web\nCOMMIT" })
	p := planned(t, options, append([]metav1.Object{s}, good...)...)
	wantPlan(t, p, goodText)
	wantProblems(t, p, "Service default/web\nCOMMIT metadata.name: is no name for a Service: it is left out")
}

func TestBadSlices(t *testing.T) {
	for name, test := range map[string]struct {
		slice    *discoveryv1.EndpointSlice
		want     string // endpoints
		problems []string
	}{
		"addresses": {
			aSlice([]string{"10.244.2.010", "fd00::1", "::ffff:10.244.2.10", "127.0.0.1", "169.254.169.254", "10.244.2.10"}),
			"10.244.2.10:8080",
			[]string{
				`EndpointSlice default/web-1 endpoints[0].addresses[0]: "10.244.2.010" is no IP address`,
				`EndpointSlice default/web-1 endpoints[1].addresses[0]: fd00::1 is not of the slice's address type IPv4`,
				`EndpointSlice default/web-1 endpoints[2].addresses[0]: "::ffff:10.244.2.10" is an IPv4 address written as IPv6`,
				`EndpointSlice default/web-1 endpoints[3].addresses[0]: 127.0.0.1 is a loopback address, which no Service may have`,
				`EndpointSlice default/web-1 endpoints[4].addresses[0]: 169.254.169.254 is a link-local address, which no Service may have`,
			},
		},
		"no address, and a second one that is good": {
			aSlice([]string{"", "bad"}, func(s *discoveryv1.EndpointSlice) {
				s.Endpoints[0].Addresses = nil
				s.Endpoints[1].Addresses = []string{"bad", "10.244.2.10", "10.244.2.11"}
			}),
			"10.244.2.10:8080",
			[]string{
				`EndpointSlice default/web-1 endpoints[0].addresses: is empty`,
				`EndpointSlice default/web-1 endpoints[1].addresses[0]: "bad" is no IP address`,
			},
		},
		"ports": {
			aSlice([]string{"10.244.2.10"}, func(s *discoveryv1.EndpointSlice) {
				for _, n := range []int32{0, 65536, -1} {
					s.Ports = append(s.Ports, discoveryv1.EndpointPort{Port: new(n)})
				}
				s.Ports = append(s.Ports, discoveryv1.EndpointPort{}, discoveryv1.EndpointPort{Port: new(int32(1)), Protocol: new(corev1.Protocol("GRE"))})
			}),
			"10.244.2.10:8080",
			[]string{
				"EndpointSlice default/web-1 ports[1].port: 0 is no port number",
				"EndpointSlice default/web-1 ports[2].port: 65536 is no port number",
				"EndpointSlice default/web-1 ports[3].port: -1 is no port number",
				`EndpointSlice default/web-1 ports[5].protocol: "GRE" is no protocol of Services`,
			},
		},
		"weight": {
			aSlice([]string{"10.244.2.10"}, weight("101")), "10.244.2.10:8080",
			[]string{`EndpointSlice default/web-1 sallyport.io/weight: "101" is no number from 1 to 100: 1 is taken for it`},
		},
		"a weight that is no number": {
			aSlice([]string{"10.244.2.10"}, weight("+5")), "10.244.2.10:8080",
			[]string{`EndpointSlice default/web-1 sallyport.io/weight: "+5" is no number from 1 to 100: 1 is taken for it`},
		},
		"names": {
			aSlice([]string{"pod.example"}, func(s *discoveryv1.EndpointSlice) { s.AddressType = discoveryv1.AddressTypeFQDN }), "", nil,
		},
		"a type that there isn't": {
			aSlice([]string{"10.244.2.10"}, func(s *discoveryv1.EndpointSlice) { s.AddressType = "MAC" }), "",
			[]string{`EndpointSlice default/web-1 addressType: "MAC" is no type of address`},
		},
		"five thousand bad ones": {
			aSlice(append(make([]string, 5000), "10.244.2.10")), "10.244.2.10:8080",
			[]string{
				`EndpointSlice default/web-1 endpoints[0].addresses[0]: "" is no IP address`,
				`EndpointSlice default/web-1 endpoints[1].addresses[0]: "" is no IP address`,
				`EndpointSlice default/web-1 endpoints[2].addresses[0]: "" is no IP address`,
				`EndpointSlice default/web-1 endpoints[3].addresses[0]: "" is no IP address`,
				`EndpointSlice default/web-1 endpoints[4].addresses[0]: "" is no IP address`,
				`EndpointSlice default/web-1 : has 4995 more problems such as these`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := planned(t, options, append([]metav1.Object{aService(), test.slice}, good...)...)
			wantPlan(t, p, goodText+"\n"+strings.TrimRight(`
			default/web/tcp/IPv4
			  cluster 10.96.0.1:80
			  -> `, "")+test.want)
			wantProblems(t, p, test.problems...)
		})
	}
}

func weight(text string) func(*discoveryv1.EndpointSlice) {
	return func(s *discoveryv1.EndpointSlice) { s.Annotations = map[string]string{annotationWeight: text} }
}

// TestSourceRanges: whatever is wrong with ranges, nobody gets in for it.
func TestSourceRanges(t *testing.T) {
	const lb4, lb6 = "203.0.113.5", "2001:db8::5"
	for name, test := range map[string]struct {
		change   func(*corev1.Service)
		v4, v6   string
		problems []string
	}{
		"none":     {func(*corev1.Service) {}, "", "", nil},
		"of both":  {ranges("198.18.0.0/15", "2001:db8:1::/48"), " from [198.18.0.0/15]", " from [2001:db8:1::/48]", nil},
		"everyone": {ranges("198.18.0.0/15", "0.0.0.0/0", "::/0"), "", "", nil},
		"masked, merged, with spaces": {
			ranges(" 198.18.1.7/16 ", "198.18.0.0/24", "198.18.255.0/24", "198.20.0.0/16", "10.0.0.0/8", "10.0.0.0/8", "2001:db8:1::/48"),
			" from [10.0.0.0/8 198.18.0.0/16 198.20.0.0/16]", " from [2001:db8:1::/48]", nil,
		},
		"one bad": {
			ranges("198.18.0.0/33", "198.18.0.0/15", "2001:db8:1::/48"), " from [198.18.0.0/15]", " from [2001:db8:1::/48]",
			[]string{`Service default/web spec.loadBalancerSourceRanges[0]: "198.18.0.0/33" is no CIDR`},
		},
		"all bad": {
			ranges("198.18.0.1", "::ffff:198.18.0.0/112"), " from []", " from []",
			[]string{
				`Service default/web spec.loadBalancerSourceRanges[0]: "198.18.0.1" is no CIDR`,
				`Service default/web spec.loadBalancerSourceRanges[1]: "::ffff:198.18.0.0/112" is no CIDR`,
				`Service default/web spec.loadBalancerSourceRanges: has no range of IPv4: nobody reaches 203.0.113.5`,
				`Service default/web spec.loadBalancerSourceRanges: has no range of IPv6: nobody reaches 2001:db8::5`,
			},
		},
		"of one family": {
			ranges("198.18.0.0/15"), " from [198.18.0.0/15]", " from []",
			[]string{`Service default/web spec.loadBalancerSourceRanges: has no range of IPv6: nobody reaches 2001:db8::5`},
		},
		"the annotation": {
			rangesAnnotation("198.18.0.0/15, 2001:db8:1::/48"), " from [198.18.0.0/15]", " from [2001:db8:1::/48]", nil,
		},
		"the annotation beside the field": {
			func(s *corev1.Service) {
				rangesAnnotation("10.0.0.0/8")(s)
				ranges("198.18.0.0/15", "2001:db8:1::/48")(s)
			},
			" from [198.18.0.0/15]", " from [2001:db8:1::/48]", nil,
		},
		"a bad annotation": {
			rangesAnnotation("198.18.0.0/15,,::/0"), " from [198.18.0.0/15]", "",
			[]string{`Service default/web service.beta.kubernetes.io/load-balancer-source-ranges[1]: "" is no CIDR`},
		},
		"the node is within": {
			ranges("192.0.2.0/24", "2001:db8:a::/48"), " from [192.0.2.0/24 203.0.113.5/32]", " from [2001:db8::5/128 2001:db8:a::/48]", nil,
		},
		"the node and the address are within": {
			ranges("128.0.0.0/1", "2001:db8::/32"), " from [128.0.0.0/1]", " from [2001:db8::/32]", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := planned(t, options, aService(dual, balanced(lb4, lb6), externalIPs("203.0.113.9"), test.change), aNode())
			wantPlan(t, p, `
			default/web/tcp/IPv4
			  cluster 10.96.0.1:80
			  lb 203.0.113.5:80`+test.v4+`
			  external 203.0.113.9:80
			  -> `+`
			default/web/tcp/IPv6
			  cluster [fd00:96::1]:80
			  lb [2001:db8::5]:80`+test.v6+`
			  -> `)
			wantProblems(t, p, test.problems...)
		})
	}
}

func rangesAnnotation(text string) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Annotations = map[string]string{corev1.AnnotationLoadBalancerSourceRangesKey: text}
	}
}
