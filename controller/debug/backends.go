package debug

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// A backend is one port of a Service and who sends requests there. The names of
// fields are ingress-nginx's where it has them.
type backend struct {
	Name      string     `json:"name"` // as in logs and metrics
	Namespace string     `json:"namespace"`
	Service   string     `json:"service"`
	Port      string     `json:"port"`
	NoService bool       `json:"noService,omitempty"` // it does not exist
	Endpoints []endpoint `json:"endpoints"`
	Routes    []route    `json:"routes"`
}

type endpoint struct {
	Address string `json:"address"`
	Port    string `json:"port"`
	Weight  int    `json:"weight,omitempty"`
}

type route struct {
	Host    string `json:"host,omitempty"` // "": all others
	Path    string `json:"path"`
	Ingress string `json:"ingress"`
}

// nameOf is a backend's name in logs and metrics.
func nameOf(id model.BackendID) string { return strings.ReplaceAll(string(id), "/", "-") }

func (v View) backends() []backend {
	routes := map[model.BackendID][]route{}
	for _, r := range v.Config.Routes {
		one := route{Host: r.Host, Path: r.Path}
		if r.Ingress != "" {
			one.Ingress = r.Namespace + "/" + r.Ingress
		}
		routes[r.Backend] = append(routes[r.Backend], one)
	}
	all := make([]backend, 0, len(v.Config.Backends))
	for _, id := range slices.Sorted(maps.Keys(v.Config.Backends)) {
		parts := strings.Split(string(id)+"//", "/")
		b := backend{Name: nameOf(id), Namespace: parts[0], Service: parts[1], Port: parts[2], NoService: v.Missing[id], Routes: routes[id], Endpoints: []endpoint{}}
		for _, e := range v.Config.Backends[id].Endpoints {
			b.Endpoints = append(b.Endpoints, endpoint{e.Address.Addr().String(), strconv.Itoa(int(e.Address.Port())), e.Weight})
		}
		slices.SortFunc(b.Routes, func(x, y route) int { return cmp.Or(cmp.Compare(x.Host, y.Host), cmp.Compare(x.Path, y.Path)) })
		all = append(all, b)
	}
	return all
}

// names are a line each.
func (v View) names() []byte {
	text := ""
	for _, id := range slices.Sorted(maps.Keys(v.Config.Backends)) {
		text += nameOf(id) + "\n"
	}
	return []byte(text)
}

// backend finds one by its name, or as namespace/service/port.
func (v View) backend(name string) (any, error) {
	for _, b := range v.backends() {
		if b.Name == name || b.Namespace+"/"+b.Service+"/"+b.Port == name {
			return b, nil
		}
	}
	return nil, fmt.Errorf("there is no backend %q; `sallyport dbg backends list` names them", name)
}
