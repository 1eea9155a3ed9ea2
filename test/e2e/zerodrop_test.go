package e2e

import (
	"fmt"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// Busy clients on keepalive connections, which repeat nothing, lose no request
// while endpoints, routes and certificates change under them.
func TestNoRequestIsLost(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		cluster.Echo(t, "web", "10.244.96.1:8080", "10.244.96.2:8080", "10.244.96.3:8080")
		w.Apply(t, service("web", "10.244.96.1"))
		w.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("default", "cert"))
		main := secure("web", "a.example.org", "cert")
		main.annotations = map[string]string{"nginx.ingress.kubernetes.io/ssl-redirect": "false"}
		w.Apply(t, main.String())
		s := w.launch(t)
		plain := s.StartLoad(t, "http://a.example.org/", 8)
		secured := s.StartLoad(t, "https://a.example.org/", 8)
		for round := range 15 {
			host := fmt.Sprintf("h%d.example.org", round)
			for i := range 5 {
				w.Apply(t, slice("web", "web-1", fmt.Sprintf("10.244.96.%d", 1+(round+i)%3)))
				plain.Pass(t, 20)
			}
			w.Apply(t, web("change", host, "web").String())
			becomes(t, s, "http://"+host+"/", "web")
			if round%5 == 4 {
				w.Apply(t, cluster.Issue(t, cluster.ECDSA, host, "a.example.org").SecretYAML("default", "cert"))
				changesCertificate(t, s, "a.example.org", host)
			}
			secured.Pass(t, 20)
		}
		for name, load := range map[string]*cluster.Load{"http": plain, "https": secured} {
			n, failures := load.Stop()
			t.Logf("%s: %d requests, %d failed", name, n, len(failures))
			if len(failures) > 0 {
				t.Errorf("%s: %d of %d requests failed, such as: %s", name, len(failures), n, failures[0])
			}
		}
	})
}
