package admission

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
)

// Admitting one Ingress beside 5,000 others costs what it costs beside 50.
func BenchmarkAdmit(b *testing.B) {
	const few, many = 50, 5000
	servers := map[int]*Server{few: newServer(crowd(few)), many: newServer(crowd(many))}
	body := question(b, admissionv1.Create, want{
		name: "new", host: "new.example.org", path: "/",
		annotations: map[string]string{"proxy-body-size": "8m", "limit-rps": "5"},
	}.ingress(), nil)
	took := map[int]time.Duration{}
	b.ResetTimer()
	// By turns, so that what else the machine does is on both sides.
	for i := range b.N {
		turn := []int{few, many}
		if i%2 == 1 {
			turn = []int{many, few}
		}
		for _, n := range turn {
			start := time.Now()
			if w := post(servers[n], bytes.NewReader(body)); w.Code != 200 {
				b.Fatal(w.Body)
			}
			took[n] += time.Since(start)
		}
	}
	b.ReportMetric(float64(took[few].Microseconds())/float64(b.N), "us/at_50")
	b.ReportMetric(float64(took[many].Microseconds())/float64(b.N), "us/at_5000")
	b.ReportMetric(float64(took[many])/float64(took[few]), "at_5000/at_50")
}

func crowd(n int) *world {
	var all []want
	for i := range n {
		all = append(all, want{name: fmt.Sprint("i", i), host: fmt.Sprintf("h%d.example.org", i), path: "/"})
	}
	return newWorld(options(), nil, all...)
}
