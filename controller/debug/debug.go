// Package debug turns what the controller knows into answers for people: which
// backends there are, which certificate a host gets, what nginx runs with, what
// is wrong.
//
// It may not give out a key, or anything else of a Secret but the certificates
// that every client is shown: it picks what it tells, and prints no value of
// the model as a whole.
package debug

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// A View is what is known at one moment.
type View struct {
	Config     *model.Config // nil before the first build
	Ingresses  []*networkingv1.Ingress
	Problems   []model.Problem
	Missing    map[model.BackendID]bool // backends whose Service does not exist
	Conf       []byte                   // nil while nginx doesn't run
	Generation string
	Pending    bool
}

// Facts don't change while the controller runs.
type Facts struct {
	Version, Nginx, Package string // Package is nginx's; "" where it is of none
	WorkDir, Pod            string
	Started                 time.Time
}

// Options are where answers come from.
type Options struct {
	Facts  Facts
	View   func(context.Context) (View, error)
	Status func(context.Context) (nginx.Status, error) // nginx's own
	Ready  func() bool
}

// Handler answers.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	get := func(path string, answer func(View, *http.Request) (any, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			view, err := o.View(r.Context())
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			if view.Config == nil {
				http.Error(w, "the controller has not read the cluster yet", http.StatusServiceUnavailable)
				return
			}
			value, err := answer(view, r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusNotFound)
				return
			}
			write(w, value)
		})
	}
	get("/backends", func(v View, _ *http.Request) (any, error) { return v.backends(), nil })
	get("/backends/names", func(v View, _ *http.Request) (any, error) { return v.names(), nil })
	get("/backends/{name...}", func(v View, r *http.Request) (any, error) { return v.backend(r.PathValue("name")) })
	get("/certs/{host}", func(v View, r *http.Request) (any, error) { return v.certificate(r.PathValue("host")) })
	get("/conf", func(v View, _ *http.Request) (any, error) { return v.conf() })
	get("/general", func(v View, r *http.Request) (any, error) { return o.general(v), nil })
	get("/generation", func(v View, r *http.Request) (any, error) { return o.generation(r.Context(), v) })
	get("/problems", func(v View, _ *http.Request) (any, error) { return v.problems(), nil })
	return mux
}

// write writes texts as they are and all else as JSON for people.
func write(w http.ResponseWriter, value any) {
	if text, ok := value.([]byte); ok {
		_, _ = w.Write(text) // whoever asked has gone
		return
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	_ = e.Encode(value)
}

func (v View) conf() (any, error) {
	if v.Conf == nil {
		return nil, fmt.Errorf("nginx does not run")
	}
	return v.Conf, nil
}

// problems are a line each.
func (v View) problems() []byte {
	text := []byte{}
	for _, p := range v.Problems {
		text = append(text, p.String()...)
		text = append(text, '\n')
	}
	return text
}

// general is what people look at first.
type general struct {
	Version     string    `json:"version"`
	Nginx       string    `json:"nginx"`
	Package     string    `json:"nginxPackage,omitempty"`
	Pod         string    `json:"pod,omitempty"`
	WorkDir     string    `json:"workDir"`
	Started     time.Time `json:"started"`
	Ready       bool      `json:"ready"`
	Ingresses   int       `json:"ingresses"`
	Hosts       int       `json:"hosts"`
	Routes      int       `json:"routes"`
	Backends    int       `json:"backends"`
	Certificate int       `json:"certificates"`
	Streams     int       `json:"streams"`
	Problems    int       `json:"problems"`
}

func (o Options) general(v View) general {
	return general{
		Version: o.Facts.Version, Nginx: o.Facts.Nginx, Package: o.Facts.Package, Pod: o.Facts.Pod, WorkDir: o.Facts.WorkDir,
		Started: o.Facts.Started.UTC().Truncate(time.Second), Ready: o.Ready(),
		Ingresses: len(v.Ingresses), Hosts: len(v.Config.Servers), Routes: len(v.Config.Routes), Backends: len(v.Config.Backends),
		Certificate: len(v.Config.Certificates), Streams: len(v.Config.Settings.Streams), Problems: len(v.Problems),
	}
}

// generation is what nginx should run with, and what it says it does.
type generation struct {
	Generation string `json:"generation"`
	Pending    bool   `json:"pending"` // a change is on its way
	Nginx      string `json:"nginx"`   // the generation of its newest workers
	Workers    int    `json:"workers"` // of that generation, which have started
	Configured int    `json:"configured"`
	Data       int    `json:"dataVersion"`
	Capacity   int    `json:"dataCapacityBytes"`
	Free       int    `json:"dataFreeBytes"`
}

func (o Options) generation(ctx context.Context, v View) (any, error) {
	s, err := o.Status(ctx)
	if err != nil {
		return nil, err
	}
	return generation{
		Generation: v.Generation, Pending: v.Pending, Nginx: s.Generation, Workers: s.Workers, Configured: s.Configured,
		Data: s.Version, Capacity: s.Capacity, Free: s.Free,
	}, nil
}
