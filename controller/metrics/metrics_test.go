package metrics

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/nginx"
)

// fakeNginx answers what a test says.
type fakeNginx struct {
	series []nginx.Series
	folded float64
	err    error
}

func (f *fakeNginx) Requests(context.Context) ([]nginx.Series, float64, error) {
	return f.series, f.folded, f.err
}
func (f *fakeNginx) Stub(context.Context) (nginx.StubStatus, error) {
	return nginx.StubStatus{Active: 3, Accepted: 10, Handled: 10, Requests: 20}, f.err
}
func (f *fakeNginx) Workers() nginx.Processes {
	return nginx.Processes{Count: 3, Resident: 1 << 20, OldestStart: time.Unix(1700000000, 0)}
}

func series(host, status string, n float64) nginx.Series {
	h := nginx.Histogram{Sum: n / 100, Count: n, Buckets: []float64{n - 1, 1, 0}}
	return nginx.Series{Host: host, Path: "/", Namespace: "default", Ingress: "web", Service: "web", Method: "GET", Status: status,
		Requests: n, RequestDuration: h, ConnectDuration: h, HeaderDuration: h, ResponseDuration: h, RequestSize: h, ResponseSize: h, BytesSent: h}
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %v: %s", w.Code, err, body)
	}
	return string(body)
}

func options(n *fakeNginx) Options {
	bounds := []float64{1, 2}
	return Options{Namespace: "ns", Class: "k8s.io/ingress-nginx", Pod: "pod", Nginx: n, Requests: true, PerHost: true,
		Buckets: Buckets{Time: bounds, Length: bounds, Size: bounds}}
}

const constant = `controller_class="k8s.io/ingress-nginx",controller_namespace="ns",controller_pod="pod"`

func TestRequests(t *testing.T) {
	text := scrape(t, New(options(&fakeNginx{series: []nginx.Series{series("a.example.org", "200", 5)}})))
	labels := `canary="",` + constant + `,host="a.example.org",ingress="web",method="GET",namespace="default",path="/",service="web",status="200"`
	for _, line := range []string{
		"nginx_ingress_controller_requests{" + labels + "} 5",
		"nginx_ingress_controller_request_duration_seconds_bucket{" + labels + `,le="1"} 4`,
		"nginx_ingress_controller_request_duration_seconds_bucket{" + labels + `,le="2"} 5`,
		"nginx_ingress_controller_request_duration_seconds_bucket{" + labels + `,le="+Inf"} 5`,
		"nginx_ingress_controller_bytes_sent_count{" + labels + "} 5",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
}

// Without the host label, hosts are added up; a second scrape counts nothing
// twice.
func TestRequestsWithoutHost(t *testing.T) {
	n := &fakeNginx{}
	o := options(n)
	o.PerHost = false
	m := New(o)
	for range 2 {
		n.series = []nginx.Series{series("a.example.org", "200", 5), series("b.example.org", "200", 7)}
		text := scrape(t, m)
		if strings.Contains(text, `host="`) || !regexp.MustCompile(`(?m)^nginx_ingress_controller_requests\{.*\} 12$`).MatchString(text) {
			t.Errorf("not added up:\n%s", text)
		}
	}
}

// Requests for hosts that no Ingress names are counted on demand only.
func TestUndefinedHosts(t *testing.T) {
	unknown := series("x", "404", 1)
	unknown.Namespace, unknown.Ingress, unknown.Service = "", "", ""
	n := &fakeNginx{series: []nginx.Series{unknown}}
	o := options(n)
	if strings.Contains(scrape(t, New(o)), "controller_requests{") {
		t.Error("counted without demand")
	}
	o.PerUndefinedHost = true
	if !strings.Contains(scrape(t, New(o)), "controller_requests{") {
		t.Error("not counted")
	}
}

// An nginx that doesn't answer costs its own counters, and is counted.
func TestNginxDoesNotAnswer(t *testing.T) {
	m := New(options(&fakeNginx{err: errors.New("gone")}))
	m.Reloaded(false, time.Now(), 0)
	text := scrape(t, m)
	for _, want := range []string{"nginx_ingress_controller_scrape_errors_total{" + constant + "} 1", "nginx_ingress_controller_errors{" + constant + "} 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
}

// The names that dashboards and alerts of ingress-nginx ask for.
func TestNames(t *testing.T) {
	m := New(options(&fakeNginx{series: []nginx.Series{series("a", "200", 1)}}))
	m.Leader("id", true)
	m.Live("Ingress", time.Second)
	m.Reloaded(true, time.Now(), time.Second)
	m.Ingresses([]Ingress{{Namespace: "a", Name: "b", Changed: true, Orphan: "no-service"}, {Namespace: "a", Name: "c", Changed: true, Problem: true}}, 1, 0)
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE nginx_ingress_controller_(\S+)`).FindAllStringSubmatch(scrape(t, m), -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	want := []string{
		"admission_config_size", "admission_listening", "admission_render_duration", "admission_render_ingresses",
		"admission_roundtrip_duration", "admission_tested_duration", "admission_tested_ingresses",
		"build_info", "bytes_sent", "change_duration_seconds", "check_errors", "check_success", "config_hash", "config_last_reload_successful",
		"config_last_reload_successful_timestamp_seconds", "connect_duration_seconds", "errors", "folded_requests_total", "header_duration_seconds",
		"leader_election_status", "nginx_process_connections", "nginx_process_connections_total", "nginx_process_cpu_seconds_total",
		"nginx_process_num_procs", "nginx_process_oldest_start_time_seconds", "nginx_process_read_bytes_total",
		"nginx_process_requests_total", "nginx_process_resident_memory_bytes", "nginx_process_virtual_memory_bytes",
		"nginx_process_write_bytes_total", "orphan_ingress", "problems", "push_duration_seconds", "push_errors_total", "pushed_items_total",
		"quarantined_objects", "reload_duration_seconds", "request_duration_seconds", "request_size", "requests",
		"response_duration_seconds", "response_size", "scrape_errors_total", "success",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A class of statuses is one series, and what is excluded is not shown, under
// either of its names.
func TestStatusClassesAndExcludedMetrics(t *testing.T) {
	o := options(&fakeNginx{folded: 7, series: []nginx.Series{series("a", "200", 5), series("a", "204", 3), series("a", "404", 2)}})
	o.StatusClasses = true
	o.Excluded = []string{"bytes_sent", "nginx_ingress_controller_response_size"}
	text := scrape(t, New(o))
	for status, n := range map[string]string{"2xx": "8", "4xx": "2"} {
		if !regexp.MustCompile(`nginx_ingress_controller_requests\{[^}]*status="` + status + `"\} ` + n + "\n").MatchString(text) {
			t.Errorf("no %s requests of %s in\n%s", n, status, text)
		}
	}
	for _, name := range []string{"bytes_sent", "response_size", `status="200"`} {
		if strings.Contains(text, name) {
			t.Errorf("%s is shown", name)
		}
	}
	if !strings.Contains(text, "nginx_ingress_controller_folded_requests_total{"+constant+"} 7\n") {
		t.Error("folded requests are not told")
	}
}

func TestObjectsThatArePutAsideAreCounted(t *testing.T) {
	m := New(options(&fakeNginx{}))
	m.Ingresses(nil, 5, 3)
	text := scrape(t, m)
	for _, want := range []string{"quarantined_objects{" + constant + "} 3\n", "problems{" + constant + "} 5\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
}

// Each metric of requests can be excluded, and nothing else.
func TestEachRequestMetricCanBeExcluded(t *testing.T) {
	o := options(&fakeNginx{series: []nginx.Series{series("a", "200", 5)}})
	for _, m := range ofRequests {
		if excludable(m.Name) {
			o.Excluded = append(o.Excluded, m.Name)
		}
	}
	if len(o.Excluded) != 8 {
		t.Errorf("%q can be excluded", o.Excluded)
	}
	if text := scrape(t, New(o)); strings.Contains(text, `ingress="web"`) {
		t.Errorf("something is shown:\n%s", text)
	}
	if name := NoRequestMetric([]string{"requests", " nginx_ingress_controller_bytes_sent", "build_info"}); name != "build_info" {
		t.Errorf("%q", name)
	}
}
