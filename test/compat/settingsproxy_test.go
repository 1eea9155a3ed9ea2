package compat

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// The keys for how endpoints are asked: most have an annotation of their name,
// whose case is moved to the ConfigMap.

func proxyKeys() map[string]keyProof {
	return joined(
		movedAll(streamsGroup(), nil, "proxy-buffering", "proxy-max-temp-file-size", "proxy-buffers-number", "proxy-request-buffering", "client-body-buffer-size",
			"proxy-send-timeout", "proxy-connect-timeout", "proxy-next-upstream", "proxy-next-upstream-tries", "proxy-next-upstream-timeout"),
		movedAll(proxyoptsGroup(), nil, "proxy-cookie-domain", "proxy-cookie-path", "proxy-http-version", "proxy-buffer-size", "proxy-busy-buffers-size", "proxy-read-timeout", "proxy-body-size"),
		errorKeys(), upstreamKeys(), retryKeys(),
	)
}

// errorKeys are about pages of errors, and headers of responses.
func errorKeys() map[string]keyProof {
	paged := func(keys []string, more map[string]string, asks ...probe) keyProof {
		p := keyProof{keys: keys, service: "answers", settings: with(more, "custom-http-errors", "404"), flags: []string{"--default-backend-service=default/pages"}}
		p.prepare = func(t *testing.T, p *keyProof, g *site) {
			answering(t, p, g)
			cluster.Serve(t, http.HandlerFunc(pages), g.address(11)+":8080")
			p.more += "---\n" + service("pages", g.address(11))
		}
		p.ask, p.want = probed(asks)
		return p
	}
	allowed := moved(proxyoptsGroup(), "custom-headers", nil)
	allowed.keys = []string{"global-allowed-response-headers"}
	allowed.settings = map[string]string{"global-allowed-response-headers": "X-More"}
	return map[string]keyProof{
		"pages":     paged([]string{"custom-http-errors"}, nil, told("/status/404", "410 GET / 404 text/html /status/404 default answers 80 true true"), told("/status/500", "500 ")),
		"own pages": paged([]string{"disable-proxy-intercept-errors"}, map[string]string{"disable-proxy-intercept-errors": "true"}, told("/status/404", "404 ")),
		"allowed":   allowed,
	}
}

// callers says which connections to an endpoint n requests came on.
func callers(n int) func(client) string {
	return func(c client) string {
		seen := map[string]bool{}
		for range n {
			seen[c.get("/").Header.Get("X-Caller")] = true
		}
		return fmt.Sprint(len(seen))
	}
}

// upstreamKeys are about which endpoint, and which connection to it.
func upstreamKeys() map[string]keyProof {
	ended := make(chan struct{}, 1000)
	calls := func(key, value, want string, ask func(client) string) keyProof {
		p := one(key, value, want, ask)
		p.service = "calls"
		p.prepare = func(t *testing.T, p *keyProof, g *site) {
			serveOn(t, g.address(10)+":8080", &http.Server{
				Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Caller", r.RemoteAddr)
					slow{}.ServeHTTP(w, r) // longer than upstream-keepalive-time
				}),
				ConnState: func(_ net.Conn, s http.ConnState) {
					if s == http.StateClosed {
						ended <- struct{}{}
					}
				},
			})
			p.more = service("calls", g.address(10))
		}
		return p
	}
	// idle says whether nginx ends an idle connection to an endpoint.
	idle := func(c client) string {
		for len(ended) > 0 {
			<-ended
		}
		c.get("/")
		end := time.NewTimer(4 * time.Second)
		defer end.Stop()
		select {
		case <-ended:
			return "ended"
		case <-end.C:
			return "kept"
		}
	}
	group := func(g group, key string, settings map[string]string, service, want string, ask func(client) string) keyProof {
		return keyProof{keys: []string{key}, settings: settings, service: service, ask: plainly(ask), want: want, prepare: func(t *testing.T, p *keyProof, s *site) {
			p.more = g.objects(t, s)
		}}
	}
	hash := settingsHashGroup()
	few := endpointsOf(60, func(i int) string { return fmt.Sprintf("/%d?k=a", i) })
	return numbered(
		calls("upstream-keepalive-connections", "0", "6", callers(6)), calls("upstream-keepalive-requests", "2", "3", callers(6)),
		calls("upstream-keepalive-time", "1ms", "6", callers(6)), calls("upstream-keepalive-timeout", "1", "ended", idle),
		group(settingsGroup(), "load-balance", map[string]string{"load-balance": "ewma"}, "uneven", "few", slowOnes),
		group(settingsGroup(), "service-upstream", map[string]string{"service-upstream": "true"}, "fronted", "front", answer(plain("/"), short)),
		group(hash, "upstream-hash-by", hash.settings, "pool", "2", few), group(hash, "upstream-hash-by-subset", hash.settings, "pool", "2", few),
		group(hash, "upstream-hash-by-subset-size", hash.settings, "pool", "2", few),
	)
}

// retryKeys has two endpoints, of which one hangs up on each request.
func retryKeys() map[string]keyProof {
	p := one("retry-non-idempotent", "true", "200", func(c client) string {
		for range 20 {
			if r := c.do(cluster.Request{Method: "POST", URL: "http://HOST/", Body: "a"}); r.Status != http.StatusOK {
				return fmt.Sprint(r.Status)
			}
		}
		return "200"
	})
	p.service = "two"
	p.prepare = func(t *testing.T, p *keyProof, g *site) {
		cluster.Serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), g.address(10)+":8080")
		cluster.Serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), g.address(11)+":8080")
		p.more = service("two", g.address(10), g.address(11))
	}
	grpc := moved(grpcGroup(), "backend-protocol", nil)
	grpc.keys, grpc.ingress.annotations = []string{"grpc-buffer-size-kb"}, map[string]string{"backend-protocol": "GRPC"}
	grpc.settings = map[string]string{"grpc-buffer-size-kb": "64"}
	grpc.ask, grpc.want = plainly(longHead), "OK"
	return map[string]keyProof{"retry": p, "gRPC": grpc}
}

// globalAuthKeys are those of the server that is asked about all requests: the
// cases of the annotations without global- before them.
func globalAuthKeys() map[string]keyProof {
	renamed := map[string]string{}
	for _, name := range strings.Fields("url method signin signin-redirect-param response-headers request-redirect always-set-cookie cache-key cache-duration") {
		renamed["auth-"+name] = "global-auth-" + name
	}
	all := map[string]keyProof{}
	for annotation, key := range renamed {
		all[key] = moved(authGroup(), annotation, renamed)
	}
	url := all["global-auth-url"] // the first case lets all in
	url.settings = map[string]string{"global-auth-url": authServer + "/403"}
	url.ask, url.want = plainly(answer(plain("/"), short)), "403"
	all["global-auth-url"] = url
	free := url
	free.keys, free.settings = []string{"no-auth-locations"}, with(url.settings, "no-auth-locations", "/free/")
	free.ingress.paths = []string{"Prefix /", "Prefix /free"}
	free.ask, free.want = plainly(answer(plain("/free/x"), short)), "web"
	all["no-auth-locations"] = free
	return all
}
