package build

import (
	"fmt"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// ownServers drops those servers of http-snippet that want a port that is taken:
// nginx would not start.
func (t *task) ownServers(object model.Object) {
	s := &t.result.Config.Settings
	taken := []int{s.Listen.HTTPPort, s.Listen.HTTPSPort, s.Listen.DefaultPort}
	var kept, block []string
	depth, bad := 0, 0
	for _, words := range annotation.Directives(s.HTTPSnippet) {
		block = append(block, annotation.Line(words))
		if words[0] == "listen" && depth == 1 {
			if port := annotation.ListenPort(words[1]); slices.Contains(taken, port) {
				bad = port
			}
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
		if bad == 0 {
			kept = append(kept, block...)
		} else {
			t.problem(object, "data.http-snippet", fmt.Sprintf("has a server on port %d, which is taken; that server is left out", bad))
		}
		block, bad = nil, 0
	}
	s.HTTPSnippet = option.ListOf(kept...)
}
