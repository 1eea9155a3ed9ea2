package health

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Counts are told the status of each answer. Either may be nil.
type Counts struct{ Healthz, Livez func(code int) }

// Handler serves /healthz and /livez of a State at the times that a clock
// gives: 200 where it is Ready, or Live, else 503.
func Handler(s *State, now func() time.Time, c Counts) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		at := now()
		i := s.at(at)
		answer(w, i.ready(), body{i.programmed, at, &i.eligible, i.healthy(), nil}, c.Healthz)
	})
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		at := now()
		i := s.at(at)
		answer(w, i.live, body{i.programmed, at, nil, i.live, nil}, c.Livez)
	})
	return mux
}

// A body has kube-proxy's keys. Both families are programmed as one, and say
// the same.
type body struct {
	LastUpdated  time.Time `json:"lastUpdated"`
	CurrentTime  time.Time `json:"currentTime"`
	NodeEligible *bool     `json:"nodeEligible,omitempty"`
	Healthy      bool      `json:"healthy"`
	// Status is by plan.Family.
	Status map[string]familyStatus `json:"status"`
}

type familyStatus struct {
	LastUpdated time.Time `json:"lastUpdated"`
	Healthy     bool      `json:"healthy"`
}

func answer(w http.ResponseWriter, ok bool, b body, count func(code int)) {
	code := http.StatusServiceUnavailable
	if ok {
		code = http.StatusOK
	}
	if b.Healthy {
		// Monitors take lastUpdated for a sign of life, which it was when
		// kube-proxy synced at every period: while all is well, it is now.
		b.LastUpdated = b.CurrentTime
	}
	one := familyStatus{b.LastUpdated, b.Healthy}
	b.Status = map[string]familyStatus{plan.IPv4.String(): one, plan.IPv6.String(): one}
	if count != nil {
		count(code)
	}
	text, err := json.Marshal(b)
	if err != nil { // a year beyond 9999
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, code, text)
}

func write(w http.ResponseWriter, code int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	// Who asked may have gone; there is nobody else to tell.
	_, _ = w.Write(text)
}
