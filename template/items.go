package template

import (
	"encoding/json"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// Items are the data items of a config, as ARCHITECTURE.md lists them. Texts of
// the last call are used again where the value behind them is the same.
func (r *Renderer) Items(c *model.Config) map[string]string {
	next := items{
		routes:       make(map[model.RouteID]memo[model.Route], len(c.Routes)),
		backends:     make(map[model.BackendID]memo[model.Backend], len(c.Backends)),
		certificates: make(map[model.CertificateID]string, len(c.Certificates)),
	}
	all := make(map[string]string, len(c.Routes)+len(c.Backends)+2*len(c.Certificates))
	for id, route := range c.Routes {
		m, ok := r.items.routes[id]
		if !ok || m.value != route {
			m = memo[model.Route]{route, routeItem(route)}
		}
		next.routes[id] = m
		all["r:"+string(id)] = m.text
	}
	for id, backend := range c.Backends {
		m, ok := r.items.backends[id]
		if !ok || !slices.Equal(m.value.Endpoints, backend.Endpoints) {
			m = memo[model.Backend]{backend, BackendItem(backend)}
		}
		next.backends[id] = m
		all[BackendKey(id)] = m.text
	}
	for id, certificate := range c.Certificates {
		text, ok := r.items.certificates[id]
		if !ok {
			text = encode(certificateItem{string(certificate.Chain), string(certificate.Key)})
		}
		next.certificates[id] = text
		all["c:"+string(id)] = text
	}
	for host, id := range c.Hosts {
		all["h:"+host] = encode(string(id))
	}
	r.items = next
	return all
}

type items struct {
	routes       map[model.RouteID]memo[model.Route]
	backends     map[model.BackendID]memo[model.Backend]
	certificates map[model.CertificateID]string
}

type memo[T any] struct {
	value T
	text  string
}

// BackendKey is the key of a backend's item.
func BackendKey(id model.BackendID) string { return "b:" + string(id) }

// BackendItem is the item of a backend: all that the endpoint lane pushes.
func BackendItem(b model.Backend) string {
	list := make([][3]any, len(b.Endpoints))
	for i, e := range b.Endpoints {
		address := e.Address.Addr().String()
		if e.Address.Addr().Is6() {
			address = "[" + address + "]"
		}
		list[i] = [3]any{address, e.Address.Port(), max(e.Weight, 1)}
	}
	return encode(struct {
		Endpoints [][3]any `json:"endpoints"`
	}{list})
}

func routeItem(r model.Route) string {
	return encode(struct {
		Name string `json:"name"`
		model.Route
	}{r.Namespace + "-" + r.Service + "-" + r.Port, r})
}

type certificateItem struct {
	Chain string `json:"chain"`
	Key   string `json:"key"`
}

// encode can't fail: it gets strings and numbers only.
func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("template: " + err.Error())
	}
	return string(text)
}
