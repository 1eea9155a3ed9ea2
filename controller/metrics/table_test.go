package metrics

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/controller/spans"
)

// ingressNginxMetrics are those of ingress-nginx v1.15.1.
const ingressNginxMetrics = `requests request_duration_seconds connect_duration_seconds header_duration_seconds response_duration_seconds
	request_size response_size bytes_sent
	build_info config_hash config_last_reload_successful config_last_reload_successful_timestamp_seconds success errors
	check_success check_errors ssl_expire_time_seconds ssl_certificate_info leader_election_status orphan_ingress
	admission_tested_ingresses admission_tested_duration admission_render_ingresses admission_render_duration
	admission_config_size admission_roundtrip_duration
	nginx_process_connections_total nginx_process_requests_total nginx_process_connections nginx_process_num_procs
	nginx_process_cpu_seconds_total nginx_process_read_bytes_total nginx_process_write_bytes_total
	nginx_process_resident_memory_bytes nginx_process_virtual_memory_bytes nginx_process_oldest_start_time_seconds`

func TestMetricsOfIngressNginxAreInTheTable(t *testing.T) {
	names := strings.Fields(ingressNginxMetrics)
	if len(names) != 36 {
		t.Fatalf("%d names", len(names))
	}
	var theirs []string
	for _, g := range Groups() {
		for _, m := range g.Metrics {
			if !m.Ours {
				theirs = append(theirs, m.Name)
			}
		}
	}
	slices.Sort(names)
	slices.Sort(theirs)
	if diff := cmp.Diff(names, theirs); diff != "" {
		t.Errorf("-ingress-nginx +table:\n%s", diff)
	}
}

// The table says of each metric what a scrape gives: its type and its labels.
func TestTheTableIsWhatAScrapeGives(t *testing.T) {
	m := full(t)
	m.Spans(&spans.Counts{})
	scraped := families(t, m)
	common := []string{"controller_class", "controller_namespace", "controller_pod"}
	for _, g := range Groups() {
		for _, want := range g.Metrics {
			got := scraped[prefix+"_"+want.Name]
			if got == nil {
				t.Errorf("%s is not shown", want.Name)
				continue
			}
			delete(scraped, prefix+"_"+want.Name)
			labels := slices.Clone(want.Labels)
			if !slices.Contains(labels, "class") {
				labels = append(labels, common...)
			}
			slices.Sort(labels)
			var have []string
			for _, pair := range got.Metric[0].Label {
				have = append(have, pair.GetName())
			}
			slices.Sort(have)
			if diff := cmp.Diff(labels, have); diff != "" {
				t.Errorf("%s: labels, -table +scrape:\n%s", want.Name, diff)
			}
			if kind := strings.ToLower(got.GetType().String()); kind != want.Type {
				t.Errorf("%s is a %s, and a %s in the table", want.Name, kind, want.Type)
			}
			if want.Unit == "" || got.GetHelp() != want.Help {
				t.Errorf("%s: unit %q, help %q, and %q in the table", want.Name, want.Unit, got.GetHelp(), want.Help)
			}
		}
	}
	for name := range scraped {
		if strings.HasPrefix(name, prefix) {
			t.Errorf("%s is not in the table", name)
		}
	}
}
