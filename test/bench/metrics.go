package main

import (
	"strings"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// metrics compares Sallyport with itself: what counting requests costs each of
// them, with the access log that is usual.
func metrics(s *lab.Session, b *bench) []lab.Row {
	pair := newCertificate(s, speedHost, 1)
	namesHere(s, lab.TempDir(s))
	counting := startContestantAt(s, b, pair, kind{}, "sallyport with metrics", usualListeners(), "--enable-metrics")
	plain := startContestantAt(s, b, pair, kind{}, "sallyport without metrics", listeners{handHTTP, handHTTPS, productHealth + 1, productDefault + 1})
	// Requests per CPU-second without ÷ with is CPU time per request with ÷ without.
	row := compare(s, b, "CPU time of the worker for a request, metrics on ÷ off", "≤ 1.08", counting, plain, kind{})
	if !counts(s, productHealth) || counts(s, productHealth+1) {
		s.Fatalf("not one of the two counts requests, and the other does not")
	}
	return []lab.Row{row}
}

// counts says whether the Sallyport whose /metrics is at a port counts requests.
func counts(s *lab.Session, port int) bool {
	return strings.Contains(scraped(s, port), "\nnginx_ingress_controller_requests{")
}
