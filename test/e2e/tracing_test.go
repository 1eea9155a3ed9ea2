package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const tracedURL = "http://a.example.org/"

// traced is a world with a traced host, whose spans go to an address.
func traced(t *testing.T, number int, collector string, settings ...string) *cluster.Sallyport {
	t.Helper()
	w := inFolder(t)
	apps(t, w, number, "web")
	host, port, _ := strings.Cut(collector, ":")
	w.Apply(t, web("web", "a.example.org", "web").String()+configMap(append(settings,
		`worker-processes: "1"`, `enable-opentelemetry: "true"`, "otlp-collector-host: "+host, fmt.Sprintf("otlp-collector-port: %q", port))...))
	return w.launch(t, "--configmap=sallyport/sallyport", "--enable-metrics")
}

func asks(t *testing.T, s *cluster.Sallyport, times int) {
	t.Helper()
	for range times {
		expect(t, s, tracedURL, "web")
	}
}

// ended waits until the requests before have ended in nginx, too: a client has the
// response before that. The one worker has then taken another request.
func ended(t *testing.T, s *cluster.Sallyport) {
	t.Helper()
	expect(t, s, "http://nobody.example.org/", "404")
}

// A full batch does not wait, and one that is not full waits until the delay is
// over, or the process ends.
func TestSpansComeInBatches(t *testing.T) {
	c := cluster.Collect(t, "10.244.140.9:4317")
	s := traced(t, 140, "10.244.140.9:4317", `otel-schedule-delay-millis: "3600000"`, `otel-max-export-batch-size: "4"`)
	asks(t, s, 4)
	cluster.Eventually(t, "four spans", func() error {
		spans, _ := c.Spans()
		return more(len(spans), 4)
	})
	cluster.Eventually(t, "they are counted", func() error {
		if text := scrape(t, s); lines(text, "nginx_ingress_controller_spans_exported_total{", "} 4") == 0 {
			return fmt.Errorf("/metrics has %s", grep(text, "spans"))
		}
		return nil
	})
	asks(t, s, 3)
	ended(t, s)
	if spans, _ := c.Spans(); len(spans) != 4 {
		t.Errorf("%d spans came before their time", len(spans)-4)
	}
	s.Stop(t)
	spans, _ := c.Spans()
	if len(spans) != 7 {
		t.Errorf("%d spans came in all, want 7", len(spans))
	}
	for _, span := range spans {
		if got := span.Text("ingress.name") + " " + span.Text("ingress.namespace") + " " + span.Text("ingress.endpoint"); got != "web default 10.244.140.1:8080" {
			t.Errorf("a span is of %s", got)
		}
	}
}

// Samplers decide where a trace begins; a client's decision stays.
func TestSpansAreSampled(t *testing.T) {
	for i, test := range []struct {
		settings []string
		least    int // of 40 that begin here
		most     int
	}{
		{[]string{"otel-sampler: AlwaysOff"}, 0, 0},
		{[]string{"otel-sampler: TraceIdRatioBased", `otel-sampler-ratio: "0.5"`}, 5, 35}, // beyond that by chance: once in two million runs
		{[]string{"otel-sampler: AlwaysOff", `otel-sampler-parent-based: "false"`}, 0, 0},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			address := fmt.Sprintf("10.244.%d.9:4317", 141+i)
			c := cluster.Collect(t, address)
			s := traced(t, 141+i, address, append(test.settings, `otel-schedule-delay-millis: "50"`)...)
			asks(t, s, 40)
			const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			s.Do(t, cluster.Request{URL: tracedURL, Header: map[string][]string{"Traceparent": {parent}}})
			ended(t, s)
			s.Stop(t)
			spans, _ := c.Spans()
			mine, theirs := 0, 0
			for _, span := range spans {
				if len(span.ParentSpanId) == 0 {
					mine++
				} else {
					theirs++
				}
			}
			if mine < test.least || mine > test.most {
				t.Errorf("%d of 40 traces that began here are told, want %d to %d", mine, test.least, test.most)
			}
			if want := 1 - i/2; theirs != want {
				t.Errorf("%d of the client's trace are told, want %d", theirs, want)
			}
		})
	}
}

// A collector that refuses, or takes and never answers, holds up nobody.
func TestACollectorThatHangs(t *testing.T) {
	t.Run("refuses", func(t *testing.T) {
		s := traced(t, 144, "10.244.144.9:4317", `otel-schedule-delay-millis: "50"`)
		asks(t, s, 10)
		logged(t, s, "spans are lost until the collector takes them", "10.244.144.9:4317")
		asks(t, s, 10)
		s.Stop(t)
		if n := lines(s.Log(), "spans are lost"); n != 1 {
			t.Errorf("it is told %d times, want once", n)
		}
	})
	t.Run("never answers", func(t *testing.T) {
		listener, err := net.Listen("tcp", "10.244.145.9:4317")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		s := traced(t, 145, "10.244.145.9:4317", `otel-schedule-delay-millis: "50"`, `otel-max-queuesize: "5"`, `otel-max-export-batch-size: "2"`)
		asks(t, s, 30)
		s.Stop(t)
	})
}

// What finds the queue full is dropped, counted and told.
func TestAFullQueueOfSpans(t *testing.T) {
	c := cluster.Collect(t, "10.244.146.9:4317")
	s := traced(t, 146, "10.244.146.9:4317", `otel-schedule-delay-millis: "3600000"`, `otel-max-queuesize: "3"`, `otel-max-export-batch-size: "3"`)
	asks(t, s, 200) // three fit until the queue is next looked at
	logged(t, s, "spans are dropped")
	s.Stop(t)
	spans, _ := c.Spans()
	if len(spans) == 0 {
		t.Error("no span came")
	}
}
