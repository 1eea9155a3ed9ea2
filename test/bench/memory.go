package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory measures what the controller itself holds, without its nginx.
func memory(s *session, b *bench) []row {
	const most = 100e6
	w := newWorld(s, manyIngresses, nil)
	p := w.startProduct(s, b, "", host(manyIngresses-1))
	time.Sleep(10 * time.Second) // what comes of the start itself goes by: status, Events
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	s.must(err, "controller")
	resident, err := parseStatus(text, "VmRSS")
	s.must(err, "controller")
	peak, err := parseStatus(text, "VmHWM")
	s.must(err, "controller")
	heap := gauge(s, "go_memstats_heap_inuse_bytes")
	return []row{{
		measure: "controller memory at 1,000 Ingresses, 1,000 Services", reach: "≤ 100 MB",
		measured: mb(resident), verdict: verdictOf(float64(resident) <= most),
		of: fmt.Sprintf("resident 10 s after the start; its peak %s; heap in use %s", mb(peak), mb(int64(heap))),
	}}
}

func mb(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// gauge reads one metric without labels of the controller.
func gauge(s *session, name string) float64 {
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", productHealth))
	s.must(err, "metrics")
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		s.Fatalf("metrics: status %d", r.StatusCode)
	}
	text, err := io.ReadAll(r.Body)
	s.must(err, "metrics")
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			s.must(err, name)
			return v
		}
	}
	s.Fatalf("metrics: no %s", name)
	return 0
}
