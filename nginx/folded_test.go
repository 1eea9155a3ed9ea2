package nginx

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

// A worker has so many rows: what comes after is counted all the same, under the
// label that says so.
func TestRequestsBeyondTheRowsAreFolded(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.Header.Get("Want"))
		if err != nil {
			t.Error(err)
			return
		}
		w.WriteHeader(status)
	}))
	defer backend.Close()
	l := newLab(t)
	l.metrics, l.rows = true, 1000 // and one connection, so one worker
	l.start(simple(backend.Listener.Addr().String()))
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	n := 0.0
	for _, method := range []string{"GET", "POST", "BREW"} {
		for status := 200; status < 900; status++ {
			req, err := http.NewRequestWithContext(t.Context(), method, l.url("/a/"), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Want", strconv.Itoa(status))
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != status {
				t.Fatalf("%s: %d, want %d", method, resp.StatusCode, status)
			}
			n++
		}
	}
	counted(t, l, n)
	list, folded, err := l.Requests(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, s := range list {
		if s.Ingress == "_folded" {
			if got := fmt.Sprint(s.Host, s.Path, s.Namespace, s.Service); got != "_folded_folded_folded_folded" {
				t.Errorf("labels %q", got)
			}
			sum += s.Requests
		}
	}
	if want := n - 1000; folded != want || sum != want {
		t.Errorf("%v requests folded, %v in the series, want %v of %v", folded, sum, want, n)
	}
}
