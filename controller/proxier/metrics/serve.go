package metrics

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/proxier/health/httpd"
)

// response is for how long a client may take to take an answer. A profile's
// handler refuses to run for longer, and runs for 30 seconds where nobody says.
const response = 2 * time.Minute

// Pages are what is served at --metrics-bind-address beside the metrics.
type Pages struct {
	Mode      string         // the mode in use
	Flags     map[string]any // the flags in use, by name; anything that JSON can say
	Profiling bool           // whether /debug/pprof is there
}

// NewServer makes the server of --metrics-bind-address, at an address that
// httpd.Address has returned.
func NewServer(address string, m *Metrics, p Pages, log *slog.Logger) *httpd.Server {
	return httpd.New("metrics", address, p.handler(m), response, log)
}

func (p Pages) handler(m *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /proxyMode", func(w http.ResponseWriter, _ *http.Request) { text(w, p.Mode) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, "ok") })
	mux.HandleFunc("GET /configz", p.configz)
	if p.Profiling { // by any method: go tool pprof posts symbols
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func (p Pages) configz(w http.ResponseWriter, _ *http.Request) {
	flags := p.Flags
	if flags == nil {
		flags = map[string]any{}
	}
	b, err := json.Marshal(flags)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b) // who asked may have gone
}

func text(w http.ResponseWriter, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, s) // who asked may have gone
}
