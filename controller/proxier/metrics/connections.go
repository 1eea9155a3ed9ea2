package metrics

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Connections gives how many new connections each port got so far. A Backend's
// method is one. It is called by one goroutine at a time.
type Connections func(context.Context) (map[plan.ID]uint64, error)

const (
	// DefaultSeries is how many ports are shown at most where nobody says.
	DefaultSeries = 100_000
	// answerTimeout bounds the wait for the kernel's counters at a scrape.
	// Prometheus itself waits for 10 seconds where nobody says.
	answerTimeout = 8 * time.Second
)

// connections shows the connections of each port.
type connections struct {
	ask                    Connections
	budget                 int
	total, dropped, failed *prometheus.Desc

	mu       sync.Mutex // a scrape at a time: who is asked knows one goroutine
	failures float64
}

func newConnections(ask Connections, budget int) *connections {
	if budget <= 0 {
		budget = DefaultSeries
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName("", own, name), help, labels, nil)
	}
	return &connections{
		ask:     ask,
		budget:  budget,
		total:   desc("service_connections_total", "New connections to a port of a Service; of UDP, flows.", "namespace", "service", "port", "protocol", "ip_family"),
		dropped: desc("series_dropped", "Ports whose connections are not shown, because they are too many or a name is not UTF-8."),
		failed:  desc("scrape_errors_total", "Scrapes for which the kernel did not tell the connections."),
	}
}

// Describe is part of prometheus.Collector.
func (c *connections) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.total
	ch <- c.dropped
	ch <- c.failed
}

// Collect is part of prometheus.Collector.
func (c *connections) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	counts, err := c.ask(ctx)
	if err != nil {
		c.failures++
	}
	ch <- prometheus.MustNewConstMetric(c.failed, prometheus.CounterValue, c.failures)
	if err != nil {
		return
	}
	shown := choose(counts, c.budget)
	for _, id := range shown {
		ch <- prometheus.MustNewConstMetric(c.total, prometheus.CounterValue, float64(counts[id]),
			id.Namespace, id.Name, id.Port, id.Protocol.String(), id.Family.String())
	}
	ch <- prometheus.MustNewConstMetric(c.dropped, prometheus.GaugeValue, float64(len(counts)-len(shown)))
}

// choose returns the ports that are shown: where not all can be, the first by
// name, so that it is the same ones at each scrape.
func choose(counts map[plan.ID]uint64, budget int) []plan.ID {
	shown := make([]plan.ID, 0, len(counts))
	for id := range maps.Keys(counts) {
		// One label that is not UTF-8 would cost the whole scrape.
		if utf8.ValidString(id.Namespace) && utf8.ValidString(id.Name) && utf8.ValidString(id.Port) {
			shown = append(shown, id)
		}
	}
	if len(shown) <= budget {
		return shown
	}
	slices.SortFunc(shown, func(a, b plan.ID) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Family, b.Family))
	})
	return shown[:budget]
}
