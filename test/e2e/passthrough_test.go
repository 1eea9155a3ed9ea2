package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// secured is a backend that opens TLS by itself; its certificate is for a name.
func secured(t *testing.T, name, address string) {
	t.Helper()
	issued := cluster.Issue(t, cluster.ECDSA, name)
	pair, err := tls.X509KeyPair([]byte(issued.Chain), []byte(issued.Key))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.ServeTLS(l, "", "") }() // ends with the server
}

// shown is whose certificates n connections were shown, "none" where one ended
// without.
func shown(s *cluster.Sallyport, host string, n int) string {
	var all []string
	for range n {
		name := "none"
		if r, err := s.Try(cluster.Request{URL: "https://" + host + "/"}); err == nil {
			name = strings.TrimSuffix(r.TLS.PeerCertificates[0].DNSNames[0], ".example.org")
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TLS that is handed on goes to the endpoints of a Service that has no address of
// its own, as many as it has and as they come and go.
func TestPassthroughToAHeadlessService(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 117, "web")
		for i, name := range []string{"one", "two", "three"} {
			secured(t, name+".example.org", fmt.Sprintf("10.244.117.%d:8080", 10+i))
		}
		headless := "---\napiVersion: v1\nkind: Service\nmetadata: {name: inner, namespace: default}\nspec: {clusterIP: None, ports: [{port: 80, targetPort: 8080}]}\n"
		w.Apply(t, headless+slice("inner", "inner-1", "10.244.117.10", "10.244.117.11"))
		w.Apply(t, annotated(web("inner", "inner.example.org", "inner"), "ssl-passthrough", "true"))
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t, "--enable-ssl-passthrough")
		becomesShown := func(want string) {
			t.Helper()
			becomesText(t, "the certificates", func() string { return shown(s, "inner.example.org", 8) }, want)
		}
		becomesShown("one two")
		requests(t, s, "https://a.example.org/", "web")
		w.Apply(t, slice("inner", "inner-1", "10.244.117.12"))
		becomesShown("three")
		w.Apply(t, slice("inner", "inner-1"))
		becomesShown("none")
		requests(t, s, "https://a.example.org/", "web")
		w.Apply(t, slice("inner", "inner-1", "10.244.117.10"))
		becomesShown("one")
	})
}
