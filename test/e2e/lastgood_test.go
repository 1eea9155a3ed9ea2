package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A value of the ConfigMap that turns wrong leaves the last good one in force,
// beside others that change; one that goes is gone.
func TestTheLastGoodValueStays(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 163, "web")
		w.Apply(t, web("web", "a.example.org", "web").String()+configMap("block-user-agents: evil"))
		s := w.launch(t, "--configmap=sallyport/sallyport")
		ask := func(agent string) func() string {
			return func() string {
				return answers(s.Do(t, cluster.Request{URL: "http://a.example.org/", Header: http.Header{"User-Agent": {agent}}}))
			}
		}
		says(t, "403", ask("evil"))
		w.Apply(t, configMap("block-user-agents: ~(", "block-referers: ~spam", "no-such-key: x"))
		logged(t, s, "data.block-user-agents", "its last good value stays in force")
		logged(t, s, "data.no-such-key", "is not a key that this version knows")
		says(t, "403", func() string {
			return answers(s.Do(t, cluster.Request{URL: "http://a.example.org/", Header: http.Header{"Referer": {"spam"}}}))
		})
		says(t, "403", ask("evil"))
		w.Apply(t, configMap("block-referers: ~spam"))
		says(t, "web", ask("evil"))
	})
}
