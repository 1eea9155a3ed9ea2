package planner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// TestClaims: old is older than young. Each test's want is all frontends but
// the undisputed ClusterIPs.
func TestClaims(t *testing.T) {
	oldOne := func(change ...func(*corev1.Service)) *corev1.Service {
		return aService(append([]func(*corev1.Service){named("old", 10, "10.96.0.10")}, change...)...)
	}
	young := func(change ...func(*corev1.Service)) *corev1.Service {
		return aService(append([]func(*corev1.Service){named("young", 20, "10.96.0.20")}, change...)...)
	}
	health := func(n int32) func(*corev1.Service) {
		return func(s *corev1.Service) {
			balanced()(s)
			externalLocal(s)
			s.Spec.HealthCheckNodePort = n
		}
	}
	udp := func(s *corev1.Service) { s.Spec.Ports[0].Protocol = corev1.ProtocolUDP }
	port := func(n int32) func(*corev1.Service) { return func(s *corev1.Service) { s.Spec.Ports[0].Port = n } }

	for name, test := range map[string]struct {
		objects  []metav1.Object
		want     string
		problems []string
	}{
		"a node port": {
			[]metav1.Object{oldOne(nodePort(30080)), young(nodePort(30080))}, "old node 30080",
			[]string{"Service default/young spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/old, which is older"},
		},
		"a node port, in two families": {
			[]metav1.Object{
				oldOne(nodePort(30080), func(s *corev1.Service) { s.Spec.ClusterIPs = []string{"fd00:96::10", "10.96.0.10"} }),
				young(nodePort(30080), func(s *corev1.Service) { s.Spec.ClusterIPs = []string{"fd00:96::20", "10.96.0.20"} }),
			}, "old node 30080; old node 30080",
			[]string{"Service default/young spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/old, which is older"},
		},
		"a node port of two protocols": {[]metav1.Object{oldOne(nodePort(30080)), young(nodePort(30080), udp)}, "old node 30080; young node 30080", nil},
		"an external IP": {
			[]metav1.Object{young(externalIPs("203.0.113.5")), oldOne(externalIPs("203.0.113.5"))}, "old external 203.0.113.5:80",
			[]string{"Service default/young spec.externalIPs[0]: 203.0.113.5:80/tcp is taken by Service default/old, which is older"},
		},
		"an external IP and a load balancer's": {
			[]metav1.Object{young(balanced("203.0.113.5")), oldOne(externalIPs("203.0.113.5"))}, "old external 203.0.113.5:80",
			[]string{"Service default/young status.loadBalancer.ingress[0].ip: 203.0.113.5:80/tcp is taken by Service default/old, which is older"},
		},
		"an external IP, shared": {
			[]metav1.Object{young(externalIPs("203.0.113.5"), port(81)), oldOne(externalIPs("203.0.113.5"))},
			"old external 203.0.113.5:80; young external 203.0.113.5:81", nil,
		},
		"another's ClusterIP as an external IP": {
			[]metav1.Object{young(), oldOne(externalIPs("10.96.0.20"))}, "",
			[]string{"Service default/old spec.externalIPs[0]: 10.96.0.20 is the ClusterIP of Service default/young"},
		},
		"another port of another's ClusterIP": {
			[]metav1.Object{young(), oldOne(balanced("10.96.0.20"), port(443))}, "",
			[]string{"Service default/old status.loadBalancer.ingress[0].ip: 10.96.0.20 is the ClusterIP of Service default/young"},
		},
		"the ClusterIP of a Service that another proxy serves": {
			[]metav1.Object{young(labelled(store.LabelServiceProxyName, "other")), oldOne(externalIPs("10.96.0.20"))}, "",
			[]string{"Service default/old spec.externalIPs[0]: 10.96.0.20 is the ClusterIP of Service default/young"},
		},
		"a third one's external IP is not freed by that": {
			[]metav1.Object{
				young(), oldOne(externalIPs("10.96.0.20")),
				aService(named("third", 30, "10.96.0.30"), externalIPs("10.96.0.20")),
			}, "",
			[]string{
				"Service default/old spec.externalIPs[0]: 10.96.0.20 is the ClusterIP of Service default/young",
				"Service default/third spec.externalIPs[0]: 10.96.0.20 is the ClusterIP of Service default/young",
			},
		},
		"one ClusterIP of two": {
			[]metav1.Object{oldOne(), young(named("young", 20, "10.96.0.10"), nodePort(30080))}, "young node 30080",
			[]string{"Service default/young spec.clusterIPs[0]: 10.96.0.10:80/tcp is taken by Service default/old, which is older"},
		},
		"of one age": {
			[]metav1.Object{young(nodePort(30080)), aService(named("a-young", 20, "10.96.0.30"), nodePort(30080))}, "a-young node 30080",
			[]string{"Service default/young spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/a-young, which is as old and comes first"},
		},
		"a health check's port": {
			[]metav1.Object{young(health(31000)), oldOne(health(31000))}, "old health 31000",
			[]string{"Service default/young spec.healthCheckNodePort: node port 31000/tcp is taken by Service default/old for its health checks, which is older"},
		},
		"a health check's port and a node port": {
			[]metav1.Object{oldOne(health(31000)), young(nodePort(31000))}, "old health 31000",
			[]string{"Service default/young spec.ports[0].nodePort: node port 31000/tcp is taken by Service default/old for its health checks, which is older"},
		},
		"a node port and a health check's port": {
			[]metav1.Object{oldOne(nodePort(31000)), young(health(31000))}, "old node 31000",
			[]string{"Service default/young spec.healthCheckNodePort: node port 31000/tcp is taken by Service default/old, which is older"},
		},
		"a health check's own node port": {
			[]metav1.Object{oldOne(health(31000), func(s *corev1.Service) { s.Spec.Ports[0].NodePort = 31000 })}, "old node 31000 local",
			[]string{"Service default/old spec.healthCheckNodePort: node port 31000/tcp is taken by another port of this Service"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := planned(t, options, test.objects...)
			if got := disputed(p.Plan()); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			wantProblems(t, p, test.problems...)
		})
	}
}

// disputed shows the frontends that are no ClusterIPs, and the health checks.
func disputed(p *plan.Plan) string {
	var all []string
	for _, id := range sortedIDs(p) {
		for _, f := range p.Ports[id].Frontends {
			if f.Kind != plan.ClusterIP {
				all = append(all, id.Name+" "+frontendText(f))
			}
		}
	}
	for s, h := range p.HealthChecks {
		all = append(all, s.Name+" health "+frontendText(plan.Frontend{Kind: plan.NodePort, Port: h.Port})[len("node "):])
	}
	return strings.Join(all, "; ")
}

// TestClaimsChangeHands: what one gives up, the next has in the same Update,
// and nothing else is planned anew.
func TestClaimsChangeHands(t *testing.T) {
	first := aService(named("first", 1, "10.96.0.11"), nodePort(30080), externalIPs("203.0.113.5"))
	second := aService(named("second", 2, "10.96.0.12"), nodePort(30080), externalIPs("203.0.113.5", "10.96.0.14"))
	third := aService(named("third", 3, "10.96.0.13"), nodePort(30080))
	s := aSnapshot(third, second, first, aService())
	p := New(options)
	p.Update(s, store.Changes{}, true)

	for _, step := range []struct {
		does     string
		service  *corev1.Service
		gone     string
		changes  []string
		problems []string
	}{
		{
			does: "a Service gets the ClusterIP that another has as its external IP", service: aService(named("fourth", 4, "10.96.0.14")),
			changes: []string{"fourth", "second"},
			problems: []string{
				"Service default/second spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/first, which is older",
				"Service default/second spec.externalIPs[1]: 10.96.0.14 is the ClusterIP of Service default/fourth",
				"Service default/second spec.externalIPs[0]: 203.0.113.5:80/tcp is taken by Service default/first, which is older",
				"Service default/third spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/first, which is older",
			},
		},
		{
			does: "it goes again", gone: "fourth", changes: []string{"fourth", "second"},
			problems: []string{
				"Service default/second spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/first, which is older",
				"Service default/second spec.externalIPs[0]: 203.0.113.5:80/tcp is taken by Service default/first, which is older",
				"Service default/third spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/first, which is older",
			},
		},
		{
			does: "the winner gives up the node port", service: aService(named("first", 1, "10.96.0.11"), externalIPs("203.0.113.5")),
			changes: []string{"first", "second"},
			problems: []string{
				"Service default/second spec.externalIPs[0]: 203.0.113.5:80/tcp is taken by Service default/first, which is older",
				"Service default/third spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/second, which is older",
			},
		},
		{
			does: "the winner goes", gone: "first", changes: []string{"first", "second"},
			problems: []string{"Service default/third spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/second, which is older"},
		},
		{
			does: "the winner is made anew, younger", service: aService(named("second", 9, "10.96.0.12"), nodePort(30080)),
			changes:  []string{"second", "third"},
			problems: []string{"Service default/second spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/third, which is older"},
		},
		{
			does: "the loser ages: only the reason changes", service: aService(named("second", 3, "10.96.0.12"), nodePort(30080), func(s *corev1.Service) { s.UID = "u-z" }),
			problems: []string{"Service default/second spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/third, which is as old and comes first"},
		},
		{
			does: "so does the winner", service: aService(named("third", 2, "10.96.0.13"), nodePort(30080)),
			problems: []string{"Service default/second spec.ports[0].nodePort: node port 30080/tcp is taken by Service default/third, which is older"},
		},
	} {
		c := store.Changes{Services: map[store.Key]bool{}}
		if step.service != nil {
			put(s, step.service)
			c.Services[keyOf(step.service)] = true
		} else {
			key := store.Key{Namespace: "default", Name: step.gone}
			delete(s.Services, key)
			c.Services[key] = true
		}
		var changed []string
		for _, one := range p.Update(s, c, false).Changes {
			changed = append(changed, one.ID.Name)
		}
		if diff := cmp.Diff(step.changes, changed); diff != "" {
			t.Errorf("%s: changed (-want +got):\n%s", step.does, diff)
		}
		t.Log(step.does)
		wantProblems(t, p, step.problems...)
	}
}
