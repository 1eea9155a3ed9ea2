package build

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// http3 turns HTTP/3 off where it can't be had. All else goes on.
func (t *task) http3(object model.Object) {
	s := &t.result.Config.Settings
	if !s.HTTP3 {
		return
	}
	if reason := t.noHTTP3(s); reason != "" {
		s.HTTP3 = false
		t.problem(object, "data.use-http3", "has no effect: "+reason)
	}
}

func (t *task) noHTTP3(s *model.Settings) string {
	switch {
	case t.o.NoHTTP3 != "":
		return t.o.NoHTTP3
	case !slices.Contains(strings.Fields(s.SSLProtocols), "TLSv1.3"):
		return "ssl-protocols leaves TLSv1.3 out, which HTTP/3 needs"
	case s.Peers.Proxy:
		return "use-proxy-protocol is on, and over UDP there is no PROXY protocol that would say who a client is"
	case t.o.Taken == nil:
		return ""
	}
	reason := t.o.Taken(t.o.Listen.HTTPSPort, true)
	if reason == "" {
		return ""
	}
	t.result.Taken = true
	return fmt.Sprintf("port %d of UDP can't be had: %s", t.o.Listen.HTTPSPort, reason)
}
