package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// memory measures what the controller itself holds, without its nginx.
func memory(s *lab.Session, b *bench) []lab.Row {
	const most = 100e6
	w := newWorld(s, manyIngresses, nil)
	p := w.startProduct(s, b, "", host(manyIngresses-1))
	time.Sleep(10 * time.Second) // what comes of the start itself goes by: status, Events
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	s.Must(err, "controller")
	resident, err := lab.ParseStatus(text, "VmRSS")
	s.Must(err, "controller")
	peak, err := lab.ParseStatus(text, "VmHWM")
	s.Must(err, "controller")
	heap := gauge(s, "go_memstats_heap_inuse_bytes")
	return []lab.Row{{
		Measure: "controller memory at 1,000 Ingresses, 1,000 Services", Reach: "≤ 100 MB",
		Measured: mb(resident), Verdict: lab.VerdictOf(float64(resident) <= most),
		Of: fmt.Sprintf("resident 10 s after the start; its peak %s; heap in use %s", mb(peak), mb(int64(heap))),
	}}
}

func mb(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// gauge reads one metric without labels of the controller.
func gauge(s *lab.Session, name string) float64 {
	for line := range strings.Lines(scraped(s, productHealth)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			s.Must(err, name)
			return v
		}
	}
	s.Fatalf("metrics: no %s", name)
	return 0
}

// scraped is what /metrics at a port says.
func scraped(s *lab.Session, port int) string {
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	s.Must(err, "metrics")
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		s.Fatalf("metrics: status %d", r.StatusCode)
	}
	text, err := io.ReadAll(r.Body)
	s.Must(err, "metrics")
	return string(text)
}
