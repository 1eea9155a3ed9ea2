package main

import (
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier"
	"github.com/sallyport-ingress/sallyport/controller/proxier/iptables"
	"github.com/sallyport-ingress/sallyport/controller/proxier/metrics"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A kernel that doesn't take back what somebody deleted makes the node
// unhealthy in the end, though no object has changed; and healthy again once it
// took it.
func TestAKernelThatStaysEmptyIsUnhealthy(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	w := newWatcher(&options{SyncPeriod: 30 * time.Second}, "nftables", func() bool { return true }, metrics.New(metrics.Options{Mode: "nftables"}), log)
	defer w.ports.Close()
	later := func() time.Time { return time.Now().Add(2 * time.Minute) }
	programmed := func() { w.Programmed(proxier.Round{Plan: &plan.Plan{}, Begun: time.Now(), Full: true}) }
	programmed()
	if !w.state.Healthy(later()) {
		t.Error("unhealthy with nothing to do")
	}
	w.Failed(true)
	if w.state.Healthy(later()) {
		t.Error("healthy two minutes after the kernel refused, and nothing since")
	}
	programmed()
	if !w.state.Healthy(later()) {
		t.Error("unhealthy after the kernel took all")
	}
}

// A health-check node port that somebody else has is a problem of its Service,
// and so an Event on it, until it is free.
func TestATakenHealthCheckNodePortIsAProblem(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	w := newWatcher(&options{SyncPeriod: 30 * time.Second}, "nftables", func() bool { return true }, metrics.New(metrics.Options{Mode: "nftables"}), log)
	defer w.ports.Close()
	other, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	of := plan.Service{Namespace: "default", Name: "web"}
	checked := &plan.Plan{
		Settings:     plan.Settings{NodePorts: plan.NodePorts{All: true}},
		HealthChecks: map[plan.Service]plan.HealthCheck{of: {Port: uint16(other.Addr().(*net.TCPAddr).Port), Ready: 1}},
	}
	w.Programmed(proxier.Round{Plan: checked, Begun: time.Now(), Full: true})
	all := w.problems()
	if len(all) != 1 || all[0].Field != "spec.healthCheckNodePort" || all[0].Object.Name != "web" {
		t.Errorf("problems: %v", all)
	}
	other.Close()
	w.Programmed(proxier.Round{Plan: checked, Begun: time.Now(), HealthChecks: true})
	if all := w.problems(); len(all) > 0 {
		t.Errorf("problems of a port that is served: %v", all)
	}
}

// The number of iptables rules is told under kube-proxy's names, once there is
// something to count.
func TestIPTablesRulesAreTold(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	m := metrics.New(metrics.Options{Mode: "iptables", Families: []plan.Family{plan.IPv4}})
	w := newWatcher(&options{SyncPeriod: 30 * time.Second}, "iptables", func() bool { return true }, m, log)
	defer w.ports.Close()
	w.rules = func() []iptables.Rules {
		return []iptables.Rules{{Family: plan.IPv4, Table: "nat", Total: 9, Written: 4}}
	}
	w.Programmed(proxier.Round{Plan: &plan.Plan{}, Begun: time.Now(), Full: true})
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="nat"} 9`,
		`kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv4",table="nat"} 4`,
	} {
		if !strings.Contains(answer.Body.String(), line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
}
