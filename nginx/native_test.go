package nginx

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// Native histograms have the same values as the others: each request's is in one
// of their buckets, and in the right one.
func TestNativeHistograms(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, strings.Repeat("x", n))
	}))
	defer backend.Close()
	l := newLab(t)
	l.metrics, l.native = true, true
	l.start(simple(backend.Listener.Addr().String()))
	client := newClient()
	sizes := []int{0, 1, 100, 1000, 1001, 4096, 100000, 3000000}
	for _, n := range sizes {
		if status, body := ask(t, client, "GET", l.url(fmt.Sprintf("/a/?n=%d", n))); status != 200 || len(body) != n {
			t.Fatalf("%d, %d bytes", status, len(body))
		}
	}
	s := counted(t, l, float64(len(sizes)))["GET 200"]
	for name, h := range map[string]Histogram{
		"request_duration": s.RequestDuration, "connect_duration": s.ConnectDuration, "header_duration": s.HeaderDuration,
		"response_duration": s.ResponseDuration, "request_size": s.RequestSize, "response_size": s.ResponseSize, "bytes_sent": s.BytesSent,
	} {
		if h.Native == nil {
			t.Fatalf("%s has none", name)
		}
		sum := h.Native.Zero
		for _, n := range h.Native.Counts {
			sum += n
		}
		if sum != float64(len(sizes)) || h.Native.Schema != 3 {
			t.Errorf("%s: %+v", name, h.Native)
		}
	}
	// The largest is above 3,000,000 and below 3,001,000 bytes.
	all := s.BytesSent.Native
	last := all.Indexes[len(all.Indexes)-1]
	if want := int(math.Ceil(math.Log2(3000500) * 8)); last != want || all.Zero != 0 {
		t.Errorf("the largest is in bucket %d, want %d: %+v", last, want, all)
	}
	if err := l.Reload(limit(t), l.conf()); err != nil {
		t.Fatal(err)
	}
	if again := counted(t, l, float64(len(sizes)))["GET 200"]; again.BytesSent.Native.Indexes[0] != all.Indexes[0] {
		t.Errorf("after a reload: %+v", again.BytesSent.Native)
	}
	// Counted by other bounds, it is nothing.
	l.native = false
	if err := l.Reload(limit(t), l.conf()); err != nil {
		t.Fatal(err)
	}
	counted(t, l, 0)
}
