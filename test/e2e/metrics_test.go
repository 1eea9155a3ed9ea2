package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

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

// ends is when a certificate ends, as metrics spell it.
func ends(t *testing.T, c cluster.Certificate) string {
	t.Helper()
	block, _ := pem.Decode([]byte(c.Chain))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatFloat(float64(leaf.NotAfter.Unix()), 'g', -1, 64)
}

// How long changes take until they are live is told by the kind of object, for
// what is a push and what is a reload; beside it, the end of certificates.
func TestChangesAreTimed(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 171, "web", "next")
		cert := cluster.Issue(t, cluster.ECDSA, "a.example.org")
		w.Apply(t, cert.SecretYAML("default", "cert"))
		w.Apply(t, configMap(`custom-http-errors: "418"`))
		w.Apply(t, secure("web", "a.example.org", "cert").String())
		s := w.launch(t, "--configmap=sallyport/sallyport")
		const changes = "nginx_ingress_controller_change_duration_seconds_count{"
		if text := grep(scrape(t, s), changes); text != "" {
			t.Errorf("nothing has changed since the start, and there is\n%s", text)
		}
		timed := func(kind string) { t.Helper(); counts(t, s, changes, `kind="`+kind+`"`, "} 1") }
		w.Apply(t, slice("web", "web-1", "10.244.171.2"))
		timed("EndpointSlice")
		w.Apply(t, web("next", "b.example.org", "next").String())
		timed("Ingress")
		next := cluster.Issue(t, cluster.ECDSA, "a.example.org")
		w.Apply(t, next.SecretYAML("default", "cert"))
		timed("Secret")
		w.Apply(t, configMap(`custom-http-errors: "419"`))
		timed("ConfigMap")
		// Of a type that has no endpoints of its own.
		w.Apply(t, "---\napiVersion: v1\nkind: Service\nmetadata: {name: next, namespace: default}\nspec: {type: ExternalName, externalName: localhost, ports: [{port: 80}]}\n")
		timed("Service")
		counts(t, s, "nginx_ingress_controller_ssl_expire_time_seconds{", `host="a.example.org"`, `secret_name="cert"`, "} "+ends(t, next))
		counts(t, s, "nginx_ingress_controller_quarantined_objects{", "} 0")
		counts(t, s, "nginx_ingress_controller_reload_duration_seconds_count{")
		counts(t, s, "nginx_ingress_controller_push_duration_seconds_count{")
		counts(t, s, "nginx_ingress_controller_config_hash{")
	})
}

// A Prometheus that asks for protobuf gets native histograms where they are wanted.
func TestNativeHistograms(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 176, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	s := w.launch(t, "--enable-metrics", "--bucket-factor=1.1")
	requests(t, s, "http://a.example.org/", "web")
	counts(t, s, "nginx_ingress_controller_requests{", `ingress="web"`, "} 1")
	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	r := (&cluster.Sallyport{HTTP: s.Health}).Do(t, cluster.Request{URL: "http://x/metrics", Header: http.Header{"Accept": {string(format)}}})
	d := expfmt.NewDecoder(strings.NewReader(r.Body), format)
	for {
		var f dto.MetricFamily
		if err := d.Decode(&f); err != nil {
			t.Fatalf("no nginx_ingress_controller_request_duration_seconds: %v", err)
		}
		if f.GetName() != "nginx_ingress_controller_request_duration_seconds" {
			continue
		}
		h := f.Metric[0].Histogram
		if h.GetSchema() != 3 || h.GetSampleCount() != 1 || int(h.GetZeroCount())+len(h.PositiveSpan) != 1 || len(h.Bucket) < 11 {
			t.Errorf("it is %v", h)
		}
		return
	}
}
