package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	names "github.com/prometheus/common/model"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A query is what a panel, or a variable, of one of ingress-nginx's two
// dashboards looks up: series of this name with these labels.
type query struct {
	panel, series, labels string
	value                 map[string]string // labels of which one series has this value, or one that begins so
}

// controllerLabels are those by which both choose a controller.
const controllerLabels = "controller_namespace controller_class controller_pod"

var failed = map[string]string{"status": "4"}

// queries are those of "NGINX Ingress controller" and of "Request Handling
// Performance". Beside these labels they name some that Prometheus adds (instance,
// namespace and exported_namespace of a target with a namespace of its own), and
// some that no version has had on the series: ingress and kubernetes_pod_name of
// a certificate, which match as empty while all are chosen.
var queries = []query{
	{"Config Reloads (annotation)", "config_last_reload_successful_timestamp_seconds", "controller_class", nil},
	{"Controller Request Volume", "requests", controllerLabels, nil},
	{"Controller Connections", "nginx_process_connections", controllerLabels, map[string]string{"state": "active"}},
	{"Controller Success Rate", "requests", controllerLabels, map[string]string{"status": "2"}},
	{"Config Reloads", "success", controllerLabels, nil},
	{"Last Config Failed", "config_last_reload_successful", controllerLabels, nil},
	{"Ingress Request Volume", "requests", controllerLabels + " ingress", map[string]string{"ingress": "web"}},
	{"Ingress Success Rate", "requests", controllerLabels + " ingress status", failed},
	{"Network I/O pressure", "request_size_sum", controllerLabels, nil},
	{"Network I/O pressure", "response_size_sum", controllerLabels, nil},
	{"Average Memory Usage", "nginx_process_resident_memory_bytes", controllerLabels, nil},
	{"Average CPU Usage", "nginx_process_cpu_seconds_total", controllerLabels, nil},
	{"Ingress Percentile Response Times and Transfer Rates", "request_duration_seconds_bucket", controllerLabels + " ingress le", nil},
	{"Ingress Percentile Response Times and Transfer Rates", "request_size_sum", controllerLabels + " ingress", nil},
	{"Ingress Percentile Response Times and Transfer Rates", "response_size_sum", controllerLabels + " ingress", nil},
	{"Ingress Percentile Response Times (Exported Namespaces)", "request_duration_seconds_bucket", controllerLabels + " ingress namespace le", nil},
	{"Ingress Certificate Expiry", "ssl_expire_time_seconds", "host namespace", map[string]string{"host": "secure.example.org"}},
	{"variables", "config_hash", controllerLabels, nil},
	{"variables", "requests", controllerLabels + " ingress namespace", nil},

	{"Total request handling time", "request_duration_seconds_bucket", "ingress le", nil},
	{"Upstream response time", "response_duration_seconds_bucket", "ingress le", nil},
	{"Request volume by Path", "request_duration_seconds_count", "ingress path", nil},
	{"Median upstream response time by Path", "response_duration_seconds_bucket", "ingress path le", nil},
	{"Response error rate by Path", "request_duration_seconds_count", "ingress path status", failed},
	{"Upstream time consumed by Path", "response_duration_seconds_sum", "ingress path", nil},
	{"Response error volume by Path", "request_duration_seconds_count", "ingress path status", failed},
	{"Average response size by Path", "response_size_sum", "ingress path", nil},
	{"Average response size by Path", "response_size_count", "ingress path", nil},
	{"Average response size by Path", "response_size_bucket", "ingress le", nil},
}

// withoutData are the panels whose series ingress-nginx itself has taken away.
var withoutData = map[string]string{"Upstream service latency": "ingress_upstream_latency_seconds"}

// The panels of ingress-nginx's dashboards have data after some traffic.
func TestDashboardsHaveData(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 175, "web")
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "secure.example.org").SecretYAML("default", "cert"))
		w.Apply(t, web("web", "a.example.org", "web").String()+secure("secure", "secure.example.org", "cert").String())
		w.Apply(t, annotated(ingress{name: "closed", rules: []string{rule("Prefix", "a.example.org", "/closed", "web")}}, "whitelist-source-range", "192.0.2.1"))
		s := w.launch(t, "--enable-metrics")
		requests(t, s, "http://a.example.org/", "web", "http://a.example.org/closed", "403", "https://secure.example.org/", "web")
		counts(t, s, "nginx_ingress_controller_requests{", `ingress="closed"`, "} 1")
		counts(t, s, "nginx_ingress_controller_requests{", `ingress="secure"`, "} 1")
		series := seriesOf(t, scrape(t, s))
		for _, q := range queries {
			found := series["nginx_ingress_controller_"+q.series]
			if !slices.ContainsFunc(found, q.matches) {
				t.Errorf("%s: no series %s with labels %s and %v among %v", q.panel, q.series, q.labels, q.value, found)
			}
		}
		for panel, name := range withoutData {
			if len(series["nginx_ingress_controller_"+name+"_sum"]) > 0 {
				t.Errorf("%s has data: say so in the list", panel)
			}
		}
	})
}

func (q query) matches(labels map[string]string) bool {
	for _, name := range strings.Fields(q.labels) {
		if labels[name] == "" {
			return false
		}
	}
	for name, want := range q.value {
		if !strings.HasPrefix(labels[name], want) {
			return false
		}
	}
	return true
}

// seriesOf are the labels of all series that a scrape gives, by name, as
// Prometheus stores them.
func seriesOf(t *testing.T, text string) map[string][]map[string]string {
	t.Helper()
	parser := expfmt.NewTextParser(names.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]map[string]string{}
	for name, family := range families {
		for _, m := range family.Metric {
			labels := map[string]string{}
			for _, pair := range m.Label {
				labels[pair.GetName()] = pair.GetValue()
			}
			if family.GetType() != dto.MetricType_HISTOGRAM {
				all[name] = append(all[name], labels)
				continue
			}
			all[name+"_sum"] = append(all[name+"_sum"], labels)
			all[name+"_count"] = append(all[name+"_count"], labels)
			for _, b := range m.Histogram.Bucket {
				bucket := maps.Clone(labels)
				bucket["le"] = fmt.Sprint(b.GetUpperBound())
				all[name+"_bucket"] = append(all[name+"_bucket"], bucket)
			}
		}
	}
	return all
}
