package compat

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/fcgi"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func protocolGroup() group {
	protocol := func(name, service string, probes ...probe) proof {
		return proof{keys: []string{"backend-protocol"}, annotations: map[string]string{"backend-protocol": name}, service: service, probes: probes}
	}
	fast := func(more map[string]string) map[string]string {
		more["backend-protocol"] = "FCGI"
		return more
	}
	grpc := func(part string) probe {
		return probe{"by HTTP/2", func(c client) string {
			return holds(c.do(cluster.Request{URL: "https://HOST/", HTTP2: true, Method: "POST"}).Body, part)
		}, part}
	}
	// Without an endpoint each gives a 503, and proves no key.
	nobody := func(name string) proof {
		return proof{annotations: map[string]string{"backend-protocol": name}, service: "none", probes: []probe{gets("/", "503")}}
	}
	auto := protocol("AUTO_HTTP", "secure", probe{"by TLS", func(c client) string {
		return holds(c.do(cluster.Request{URL: "https://HOST/"}).Body, "HTTP/1.1 name=")
	}, "HTTP/1.1 name="})
	return group{name: "protocol", objects: protocolObjects, cases: []proof{
		protocol("HTTPS", "secure", seesPart("HTTP/1.1 name=")),
		auto,
		protocol("grpc", "clear", grpc("HTTP/2.0 clear")),
		protocol("GRPCS", "secure", grpc("HTTP/2.0 name=")),
		protocol("FCGI", "fast", seesPart("fcgi GET /")),
		nobody("https"), nobody("GRPC"), nobody("GRPCS"), nobody("AUTO_HTTP"), nobody("FCGI"),
		{keys: []string{"fastcgi-index"}, annotations: fast(map[string]string{"fastcgi-index": "start.php", "fastcgi-params-configmap": "params"}), service: "fast", probes: []probe{seesPart("script=/srv/start.php ")}},
		{
			keys: []string{"fastcgi-params-configmap"}, annotations: fast(map[string]string{"fastcgi-params-configmap": "params"}), service: "fast",
			probes: []probe{seesPart("mood=good;} ")},
		},
	}}
}

func protocolObjects(t *testing.T, g *site) string {
	p := newPKI(t)
	serveTLS(t, g.address(10)+":8080", &tls.Config{Certificates: []tls.Certificate{p.pair("inner.example.org")}, NextProtos: []string{"h2", "http/1.1"}})
	var clear http.Protocols
	clear.SetUnencryptedHTTP2(true)
	serveOn(t, g.address(11)+":8080", &http.Server{Protocols: &clear, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s clear", r.Proto)
	})})
	l, err := net.Listen("tcp", g.address(12)+":8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			env := fcgi.ProcessEnv(r)
			fmt.Fprintf(w, "fcgi %s %s script=%s mood=%s .", r.Method, r.URL.Path, env["SCRIPT_FILENAME"], env["MOOD"])
		})) // ends with the listener
	}()
	return service("secure", g.address(10)) + "---\n" + service("clear", g.address(11)) + "---\n" + service("fast", g.address(12)) + "---\n" + service("none") +
		"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: params, namespace: default}\ndata: {MOOD: \"good;}\", SCRIPT_FILENAME: \"/srv$fastcgi_script_name\"}\n"
}
