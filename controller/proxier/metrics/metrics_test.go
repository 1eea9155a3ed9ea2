package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

func options(mode string) Options {
	return Options{Mode: mode, Wanted: "auto", Version: "v1", Families: []plan.Family{plan.IPv4, plan.IPv6}}
}

func ask(t *testing.T, h http.Handler, path string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	b, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w, string(b)
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w, body := ask(t, m.Handler(), "/metrics")
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, body)
	}
	return body
}

// has says which lines are missing.
func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
}

func id(name string) plan.ID {
	return plan.ID{Service: plan.Service{Namespace: "ns", Name: name}, Port: "http", Protocol: plan.TCP, Family: plan.IPv4}
}

const series = "sallyport_proxier_service_connections_total"

// Ports over the budget are counted, and are the same ones each time; a name
// that is not UTF-8 costs no other.
func TestBudget(t *testing.T) {
	counts := map[plan.ID]uint64{id("\xff"): 1}
	for i := range 9 {
		counts[id(fmt.Sprintf("s%d", i))] = uint64(i)
	}
	o := options("nftables")
	o.Series = 3
	o.Connections = func(context.Context) (map[plan.ID]uint64, error) { return counts, nil }
	m := New(o)
	for range 5 {
		text := scrape(t, m)
		if n := strings.Count(text, "\n"+series+"{"); n != 3 {
			t.Errorf("%d series", n)
		}
		has(t, text, series+`{ip_family="IPv4",namespace="ns",port="http",protocol="tcp",service="s2"} 2`, "sallyport_proxier_series_dropped 7")
	}
}

// A kernel that does not answer costs its own counters, and is counted.
func TestConnectionsFail(t *testing.T) {
	o := options("nftables")
	o.Connections = func(context.Context) (map[plan.ID]uint64, error) { return nil, errors.New("gone") }
	m := New(o)
	m.Restored()
	scrape(t, m)
	text := scrape(t, m)
	has(t, text, "sallyport_proxier_scrape_errors_total 2", "sallyport_proxier_restored_total 1")
	if strings.Contains(text, series) {
		t.Error("there are counters")
	}
}

// All that is told is shown, for each family.
func TestTold(t *testing.T) {
	m := New(options("nftables"))
	at := time.Unix(1700000000, 500_000_000)
	m.Queued(at)
	m.Synced(at, 2*time.Second, true)
	m.Synced(at, time.Millisecond, false)
	m.Failed(true)
	m.Failed(false)
	m.EndpointChanges(5, 2)
	m.ServiceChanges(3, 1)
	m.ServiceChanges(0, 0)
	m.Latency(plan.IPv4, -time.Second)
	m.Latency(plan.IPv4, 61*time.Second)
	m.NoLocalEndpoints(plan.IPv6, 1, 2)
	m.Conntrack(plan.IPv4, 7, time.Second)
	m.Healthz(503)
	m.Livez(200)
	m.IPTablesRules(plan.IPv4, "nat", 1, 1)
	m.Refused(4)
	m.Problems(6)
	text := scrape(t, m)
	for _, f := range []string{`{ip_family="IPv4"}`, `{ip_family="IPv6"}`} {
		has(t, text,
			"kubeproxy_sync_proxy_rules_duration_seconds_count"+f+" 2",
			"kubeproxy_sync_full_proxy_rules_duration_seconds_sum"+f+" 2",
			"kubeproxy_sync_partial_proxy_rules_duration_seconds_count"+f+" 1",
			"kubeproxy_sync_proxy_rules_last_timestamp_seconds"+f+" 1.7000000005e+09",
			"kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds"+f+" 1.7000000005e+09",
			"kubeproxy_sync_proxy_rules_nftables_sync_failures_total"+f+" 2")
	}
	has(t, text,
		`sallyport_proxier_sync_failures_total{sync="full"} 1`,
		"kubeproxy_sync_proxy_rules_endpoint_changes_pending 2",
		"kubeproxy_sync_proxy_rules_endpoint_changes_total 5",
		"kubeproxy_sync_proxy_rules_service_changes_pending 0",
		"kubeproxy_sync_proxy_rules_service_changes_total 3",
		`kubeproxy_network_programming_duration_seconds_bucket{ip_family="IPv4",le="0.25"} 1`,
		`kubeproxy_network_programming_duration_seconds_bucket{ip_family="IPv4",le="60"} 1`,
		`kubeproxy_network_programming_duration_seconds_bucket{ip_family="IPv4",le="65"} 2`,
		`kubeproxy_network_programming_duration_seconds_bucket{ip_family="IPv4",le="300"} 2`,
		`kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv6",traffic_policy="internal"} 1`,
		`kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv6",traffic_policy="external"} 2`,
		`kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"} 7`,
		`kubeproxy_conntrack_reconciler_sync_duration_seconds_count{ip_family="IPv4"} 1`,
		`kubeproxy_proxy_healthz_total{code="503"} 1`,
		`kubeproxy_proxy_livez_total{code="200"} 1`,
		"sallyport_proxier_refused_ports 4",
		"sallyport_proxier_problems 6",
		`sallyport_proxier_mode{mode="nftables",wanted="auto"} 1`)
}

// The names of each mode: kube-proxy's where it has one, and not another mode's.
func TestNames(t *testing.T) {
	always := []string{
		"kubeproxy_conntrack_reconciler_deleted_entries_total", "kubeproxy_conntrack_reconciler_sync_duration_seconds",
		"kubeproxy_network_programming_duration_seconds", "kubeproxy_proxy_healthz_total", "kubeproxy_proxy_livez_total",
		"kubeproxy_sync_full_proxy_rules_duration_seconds", "kubeproxy_sync_partial_proxy_rules_duration_seconds",
		"kubeproxy_sync_proxy_rules_duration_seconds",
		"kubeproxy_sync_proxy_rules_endpoint_changes_pending", "kubeproxy_sync_proxy_rules_endpoint_changes_total",
		"kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
		"kubeproxy_sync_proxy_rules_no_local_endpoints_total",
		"kubeproxy_sync_proxy_rules_service_changes_pending", "kubeproxy_sync_proxy_rules_service_changes_total",
		"sallyport_proxier_build_info", "sallyport_proxier_mode", "sallyport_proxier_problems", "sallyport_proxier_refused_ports",
		"sallyport_proxier_restored_total", "sallyport_proxier_scrape_errors_total", "sallyport_proxier_series_dropped",
		"sallyport_proxier_service_connections_total", "sallyport_proxier_sync_failures_total",
	}
	for mode, more := range map[string][]string{
		"nftables": {"kubeproxy_sync_proxy_rules_nftables_sync_failures_total"},
		"iptables": {"kubeproxy_sync_proxy_rules_iptables_last", "kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total",
			"kubeproxy_sync_proxy_rules_iptables_restore_failures_total", "kubeproxy_sync_proxy_rules_iptables_total"},
		"ipvs":      {"kubeproxy_sync_proxy_rules_iptables_restore_failures_total"},
		"userspace": nil,
	} {
		o := options(mode)
		o.Connections = func(context.Context) (map[plan.ID]uint64, error) { return map[plan.ID]uint64{id("a"): 1}, nil }
		m := New(o)
		m.Queued(time.Unix(1, 0))
		m.Synced(time.Unix(1, 0), 1, true)
		m.Failed(true)
		m.Failed(false)
		m.Latency(plan.IPv4, 1)
		m.NoLocalEndpoints(plan.IPv4, 0, 0)
		m.Conntrack(plan.IPv4, 0, 0)
		m.Healthz(200)
		m.Livez(200)
		m.IPTablesRules(plan.IPv4, "nat", 1, 1)
		var names []string
		for _, found := range regexp.MustCompile(`(?m)^# TYPE ((?:kubeproxy|sallyport)_\S+)`).FindAllStringSubmatch(scrape(t, m), -1) {
			names = append(names, found[1])
		}
		want := slices.Sorted(slices.Values(append(slices.Clone(always), more...)))
		slices.Sort(names)
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s: -want +got\n%s", mode, diff)
		}
	}
}

func TestPages(t *testing.T) {
	m := New(options("nftables"))
	p := Pages{Mode: "nftables", Flags: map[string]any{"proxy-mode": "auto", "masquerade-all": false}}
	type is struct {
		Code       int
		Type, Body string
	}
	for path, want := range map[string]is{
		"/proxyMode":    {200, "text/plain; charset=utf-8", "nftables"},
		"/healthz":      {200, "text/plain; charset=utf-8", "ok"},
		"/configz":      {200, "application/json", `{"masquerade-all":false,"proxy-mode":"auto"}`},
		"/debug/pprof/": {404, "text/plain; charset=utf-8", "404 page not found\n"},
		"/":             {404, "text/plain; charset=utf-8", "404 page not found\n"},
	} {
		w, body := ask(t, p.handler(m), path)
		if diff := cmp.Diff(want, is{w.Code, w.Header().Get("Content-Type"), body}); diff != "" {
			t.Errorf("%s: -want +got\n%s", path, diff)
		}
	}
	p.Profiling = true
	if w, body := ask(t, p.handler(m), "/debug/pprof/"); w.Code != 200 || !strings.Contains(body, "goroutine") {
		t.Errorf("profiling: %d %s", w.Code, body)
	}
}

func TestServer(t *testing.T) {
	s := NewServer("127.0.0.1:0", New(options("iptables")), Pages{Mode: "iptables"}, slog.New(slog.DiscardHandler))
	if err := s.Bind(t.Context()); err != nil {
		t.Fatal(err)
	}
	url := "http://" + s.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		s.Serve(ctx)
		close(done)
	}()
	for _, path := range []string{"/metrics", "/proxyMode"} {
		r, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != 200 {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	cancel()
	<-done
}
