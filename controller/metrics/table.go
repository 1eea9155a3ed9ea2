package metrics

import (
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// prefix is what the names of all metrics but those of Go start with.
const prefix = "nginx_ingress_controller"

// A Metric is one that /metrics shows: what is registered, and what the
// reference says, are made of it.
type Metric struct {
	Name   string // without the prefix
	Type   string
	Unit   string   // of its value, or of what its buckets bound
	Labels []string // beside controller_namespace, controller_class and controller_pod
	Help   string
	Ours   bool // ingress-nginx has none of this name
}

// The types, and the units of what is not a number of things.
const (
	counter, gauge, histogramType  = "counter", "gauge", "histogram"
	seconds, bytes, unixTime, flag = "seconds", "bytes", "Unix time, in seconds", "1 or 0"
)

// perRequest are the labels of what is counted for each request. The last is
// there with --metrics-per-host alone.
var perRequest = []string{"status", "method", "path", "namespace", "ingress", "service", "canary", "host"}

// perCertificate are those of certificates, which have none of the common ones.
var perCertificate = []string{"namespace", "class", "host", "secret_name", "identifier"}

var perIngress = []string{"namespace", "ingress"}

var ofRequests = []Metric{
	{"requests", counter, "requests", perRequest, "Requests.", false},
	{"request_duration_seconds", histogramType, seconds, perRequest, "From the first byte of a request to the last of its response.", false},
	{"connect_duration_seconds", histogramType, seconds, perRequest, "Time to connect to the endpoint.", false},
	{"header_duration_seconds", histogramType, seconds, perRequest, "Time until the endpoint's response header.", false},
	{"response_duration_seconds", histogramType, seconds, perRequest, "Time until the end of the endpoint's response.", false},
	{"request_size", histogramType, bytes, perRequest, "Bytes of a request, with its header.", false},
	{"response_size", histogramType, bytes, perRequest, "Bytes of a response, with its header.", false},
	{"bytes_sent", histogramType, bytes, perRequest, "Bytes sent to clients. Deprecated: response_size counts them too.", false},
	{"folded_requests_total", counter, "requests", nil, "Requests that the series of the Ingress _folded count, for want of room for series of their own.", true},
	{"scrape_errors_total", counter, "scrapes", nil, "Scrapes at which nginx did not tell its counters of requests.", true},
}

var ofController = []Metric{
	{"build_info", gauge, "always 1", []string{"release", "build", "repository"}, "What is running.", false},
	{"leader_election_status", gauge, flag, []string{"name"}, "Whether this replica writes status and Events.", false},
	{"config_hash", gauge, "a number", nil, "The generation of nginx.conf that is live, as a number made of its digest.", false},
	{"config_last_reload_successful", gauge, flag, nil, "Whether the last change of nginx.conf was taken.", false},
	{"config_last_reload_successful_timestamp_seconds", gauge, unixTime, nil, "When a change of nginx.conf was last taken.", false},
	{"success", counter, "reloads", nil, "Changes of nginx.conf that nginx has taken.", false},
	{"errors", counter, "reloads", nil, "Changes of nginx.conf that nginx has not taken.", false},
	{"reload_duration_seconds", histogramType, seconds, nil, "From a rendered nginx.conf until new workers answer.", true},
	{"push_duration_seconds", histogramType, seconds, nil, "From changed data until nginx has it.", true},
	{"push_errors_total", counter, "pushes", nil, "Pushes of data that failed; they are tried again.", true},
	{"pushed_items_total", counter, "items", nil, "Items of data that were set or deleted in nginx.", true},
	{"change_duration_seconds", histogramType, seconds, []string{"kind"}, "From the news of a change of an object until nginx has acknowledged what came of it, by the object's kind; of changes that come together, the first.", true},
	{"quarantined_objects", gauge, "objects", nil, "Ingresses, and the ConfigMap, of which nginx refuses the present version.", true},
	{"problems", gauge, "problems", nil, "Things in objects that are not as their authors mean them.", true},
	{"orphan_ingress", gauge, "always 1", []string{"namespace", "ingress", "type"}, "Ingresses with a Service that is missing (no-service), or without endpoints (no-endpoint).", false},
	{"check_success", counter, "versions", perIngress, "Versions of an Ingress without a problem; with the webhook, each time that one is judged.", false},
	{"check_errors", counter, "versions", perIngress, "Versions of an Ingress with a problem; with the webhook, each time that one is refused.", false},
	{"ssl_expire_time_seconds", gauge, unixTime, perCertificate, "When the certificate of a host ends.", false},
	{"ssl_certificate_info", gauge, "always 1", append(slices.Clone(perCertificate), "issuer_organization", "issuer_common_name", "serial_number", "public_key_algorithm"), "Whose the certificate of a host is.", false},
	{"spans_exported_total", counter, "spans", nil, "Spans that the collector took.", true},
	{"spans_dropped_total", counter, "spans", []string{"reason"}, "Spans that no collector was told of: nginx's queue was full, or the collector refused them.", true},
}

var ofAdmission = []Metric{
	{"admission_tested_ingresses", gauge, "Ingresses", nil, "Ingresses that were built to judge the last one: itself and those that share its hosts.", false},
	{"admission_tested_duration", gauge, seconds, nil, "How long that took.", false},
	{"admission_render_ingresses", gauge, "Ingresses", nil, "Ingresses that were rendered to judge the last one.", false},
	{"admission_render_duration", gauge, seconds, nil, "How long that took.", false},
	{"admission_config_size", gauge, bytes, nil, "Size of the nginx.conf that was rendered to judge the last one: that of its hosts alone.", false},
	{"admission_roundtrip_duration", gauge, seconds, nil, "How long the last question of the API server took to answer.", false},
	{"admission_listening", gauge, flag, nil, "Whether the admission webhook has its port.", true},
}

var ofProcess = []Metric{
	{"nginx_process_connections_total", counter, "connections", []string{"state"}, "Connections of clients, by state: accepted, handled.", false},
	{"nginx_process_requests_total", counter, "requests", nil, "Requests of clients.", false},
	{"nginx_process_connections", gauge, "connections", []string{"state"}, "Connections of clients now, by state: active, reading, writing, waiting.", false},
	{"nginx_process_num_procs", gauge, "processes", nil, "Processes.", false},
	{"nginx_process_cpu_seconds_total", counter, seconds, nil, "Processor time used.", false},
	{"nginx_process_read_bytes_total", counter, bytes, nil, "Bytes read from storage.", false},
	{"nginx_process_write_bytes_total", counter, bytes, nil, "Bytes written to storage.", false},
	{"nginx_process_resident_memory_bytes", gauge, bytes, nil, "Memory in use.", false},
	{"nginx_process_virtual_memory_bytes", gauge, bytes, nil, "Memory mapped.", false},
	{"nginx_process_oldest_start_time_seconds", gauge, unixTime, nil, "When the oldest process started.", false},
}

// A Group is what metrics have in common.
type Group struct {
	Title, Text string
	Metrics     []Metric
}

// Groups are all metrics of ours, in the order of the reference.
func Groups() []Group {
	return []Group{
		{"Requests", "Counted by nginx, with `--enable-metrics` alone. `host` is there unless `--metrics-per-host=false`; `status` is a class with `--report-status-classes`; `path` is that of the Ingress, `canary` the name of the canary that answered, or empty. `--exclude-socket-metrics` leaves some of the first eight out. The bounds are those of `--time-buckets`, `--length-buckets` (sizes) and `--size-buckets` (`bytes_sent`).", ofRequests},
		{"The controller", "`ssl_expire_time_seconds` and `ssl_certificate_info` have the labels that are named here and no others.", ofController},
		{"Admission", "Of the last Ingress that was judged.", ofAdmission},
		{"nginx's processes", "All of them together, those of configurations before the present one too.", ofProcess},
	}
}

// named is the metric of a name.
func named(name string) Metric {
	for _, g := range Groups() {
		for _, m := range g.Metrics {
			if m.Name == name {
				return m
			}
		}
	}
	panic(fmt.Sprintf("metrics: %s is not in the table", name))
}

// desc describes a metric; labels may be fewer than the table's.
func desc(name string, labels []string, constant prometheus.Labels) *prometheus.Desc {
	return prometheus.NewDesc(prefix+"_"+name, named(name).Help, labels, constant)
}
