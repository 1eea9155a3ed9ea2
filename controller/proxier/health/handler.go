package health

import (
	"encoding/json"
	"net/http"
	"time"
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
		answer(w, body{i.programmed, at, &i.eligible, i.ready()}, c.Healthz)
	})
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		at := now()
		i := s.at(at)
		answer(w, body{i.programmed, at, nil, i.live}, c.Livez)
	})
	return mux
}

// A body has kube-proxy's keys. It lacks kube-proxy's status by family: here
// both are programmed as one.
type body struct {
	LastUpdated  time.Time `json:"lastUpdated"`
	CurrentTime  time.Time `json:"currentTime"`
	NodeEligible *bool     `json:"nodeEligible,omitempty"`
	Healthy      bool      `json:"healthy"`
}

func answer(w http.ResponseWriter, b body, count func(code int)) {
	code := http.StatusServiceUnavailable
	if b.Healthy {
		code = http.StatusOK
		// Monitors take lastUpdated for a sign of life, which it was when
		// kube-proxy synced at every period: while all is well, it is now.
		b.LastUpdated = b.CurrentTime
	}
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
