package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// process shows what nginx's processes use, and its own status.
type process struct {
	nginx                                              Nginx
	connectionsTotal, requestsTotal, connections       *prometheus.Desc
	count, cpu, read, written, resident, virtual, from *prometheus.Desc
}

func newProcess(n Nginx, labels prometheus.Labels) *process {
	of := func(name string) *prometheus.Desc {
		name = "nginx_process_" + name
		return desc(name, named(name).Labels, labels)
	}
	return &process{
		nginx:            n,
		connectionsTotal: of("connections_total"),
		requestsTotal:    of("requests_total"),
		connections:      of("connections"),
		count:            of("num_procs"),
		cpu:              of("cpu_seconds_total"),
		read:             of("read_bytes_total"),
		written:          of("write_bytes_total"),
		resident:         of("resident_memory_bytes"),
		virtual:          of("virtual_memory_bytes"),
		from:             of("oldest_start_time_seconds"),
	}
}

// Describe is part of prometheus.Collector.
func (p *process) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.connectionsTotal, p.requestsTotal, p.connections, p.count, p.cpu, p.read, p.written, p.resident, p.virtual, p.from} {
		ch <- d
	}
}

// Collect is part of prometheus.Collector.
func (p *process) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	used := p.nginx.Workers()
	if used.Count == 0 {
		return // nothing runs
	}
	gauge(p.count, float64(used.Count))
	counter(p.cpu, used.CPUSeconds)
	counter(p.read, float64(used.ReadBytes))
	counter(p.written, float64(used.WriteBytes))
	gauge(p.resident, float64(used.Resident))
	gauge(p.virtual, float64(used.Virtual))
	gauge(p.from, float64(used.OldestStart.Unix()))

	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	stub, err := p.nginx.Stub(ctx)
	if err != nil {
		return // it is going, or coming
	}
	counter(p.connectionsTotal, float64(stub.Accepted), "accepted")
	counter(p.connectionsTotal, float64(stub.Handled), "handled")
	counter(p.requestsTotal, float64(stub.Requests))
	gauge(p.connections, float64(stub.Active), "active")
	gauge(p.connections, float64(stub.Reading), "reading")
	gauge(p.connections, float64(stub.Writing), "writing")
	gauge(p.connections, float64(stub.Waiting), "waiting")
}
