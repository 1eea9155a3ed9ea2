package build

import (
	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// ownServers drops those servers of http-snippet that want a port that is taken:
// nginx would not start.
func (t *task) ownServers(taken map[streamPort]string) {
	object := model.Object{Kind: "ConfigMap", Namespace: t.o.ConfigMap.Namespace, Name: t.o.ConfigMap.Name}
	s := &t.result.Config.Settings
	var kept, block []string
	var bad error
	depth := 0
	for _, words := range annotation.Directives(s.HTTPSnippet) {
		block = append(block, annotation.Line(words))
		if words[0] == "listen" && depth == 1 && bad == nil {
			bad = t.ownPort(streamPort{number: annotation.ListenPort(words[1])}, taken)
		}
		switch words[len(words)-1] {
		case annotation.BlockOpen:
			depth++
		case annotation.BlockClose:
			depth--
		}
		if depth > 0 {
			continue
		}
		if bad == nil {
			kept = append(kept, block...)
		} else {
			t.problem(object, "data.http-snippet", bad.Error()+"; a server is left out")
		}
		block, bad = nil, nil
	}
	s.HTTPSnippet = option.ListOf(kept...)
}

// ownPort claims a port for such servers; they may share it.
func (t *task) ownPort(p streamPort, taken map[streamPort]string) error {
	if taken[p] != "" {
		return nil
	}
	return t.firstClaim(p, "a server of http-snippet", taken)
}
