package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// start measures how long Sallyport takes from nothing until it says that it is
// ready, and then asks each host once: none may be missing.
func start(s *lab.Session, b *bench) []lab.Row {
	const most = 5 * time.Second
	w := newWorld(s, manyIngresses, nil)
	began := time.Now()
	startProduct(s, b, "", "--kubeconfig="+w.kubeconfig)
	took := time.Since(began)
	missing := 0
	for i := range manyIngresses {
		k := &client{address: httpAddress(), request: get(host(i), "/")}
		if a, err := k.do(); err != nil || a.status != http.StatusOK {
			missing++
		}
		k.close()
	}
	return []lab.Row{{
		Measure: "cold start to ready, 1,000 Ingresses", Reach: "≤ 5 s",
		Measured: fmt.Sprintf("%.2f s", took.Seconds()), Verdict: lab.VerdictOf(took <= most), Of: "/healthz is asked every hundredth of a second",
	}, {
		Measure: "hosts that are not served when it says that it is ready", Reach: "0",
		Measured: fmt.Sprint(missing), Verdict: lab.VerdictOf(missing == 0), Of: fmt.Sprintf("%d hosts, each asked once", manyIngresses),
	}}
}
