package e2e

import (
	"fmt"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// counts waits for a line of /metrics that has all of these parts.
func counts(t *testing.T, s *cluster.Sallyport, parts ...string) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("/metrics has a line with %q", parts), func() error {
		if text := scrape(t, s); lines(text, parts...) == 0 {
			return fmt.Errorf("it has\n%s", grep(text, parts[0]))
		}
		return nil
	})
}

// What a canary answers is counted apart, whatever the access log shows; and a
// log that shows one name of the two costs no request.
func TestCanaryIsCountedApart(t *testing.T) {
	for name, format := range map[string]string{
		"no names": "$remote_addr", "one": "$proxy_upstream_name", "the other": "$proxy_alternative_upstream_name",
	} {
		for _, metrics := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s %v", name, metrics), func(t *testing.T) {
				w := inFolder(t)
				apps(t, w, 170, "web", "next")
				w.Apply(t, configMap(`log-format-upstream: "`+format+`"`))
				w.Apply(t, web("web", "a.example.org", "web").String()+web("plain", "b.example.org", "web").String())
				w.Apply(t, annotated(web("bird", "a.example.org", "next"), "canary", "true", "canary-by-header", "X-Canary"))
				s := w.launch(t, "--configmap=sallyport/sallyport", fmt.Sprintf("--enable-metrics=%v", metrics))
				for range 5 {
					r := s.Do(t, cluster.Request{URL: "http://a.example.org/", Header: map[string][]string{"X-Canary": {"always"}}})
					if answers(r) != "next" {
						t.Errorf("the canary is asked, and %s answers", answers(r))
					}
				}
				for range 3 {
					requests(t, s, "http://a.example.org/", "web", "http://b.example.org/", "web")
				}
				if !metrics {
					return
				}
				const name = "nginx_ingress_controller_requests{"
				counts(t, s, name, `canary="default-next-80"`, `ingress="web"`, `service="web"`, "} 5")
				counts(t, s, name, `canary=""`, `ingress="web"`, "} 3")
				counts(t, s, name, `canary=""`, `ingress="plain"`, "} 3")
			})
		}
	}
}
