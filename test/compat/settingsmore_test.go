package compat

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// words are a text that a compressor has to look for patterns in; it is the same
// each time.
func words(length int) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < length {
		fmt.Fprintf(&b, "word%d ", random.IntN(300))
	}
	return b.String()[:length]
}

// compressible serves texts: the path says how long and of which type.
func compressible(t *testing.T, address string) string {
	cluster.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var length int
		var kind string
		if _, err := fmt.Sscanf(r.URL.Path, "/%d/%s", &length, &kind); err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Length", fmt.Sprint(length))
		_, _ = w.Write([]byte(words(length))) // the client's side is looked at
	}), address+":8080")
	return service("texts", address)
}

// encoded asks for texts and says how each came: its encoding, and its length in
// more.
func encoded(c client, accept, agent string, paths ...string) (said, more string) {
	for _, path := range paths {
		r := c.do(cluster.Request{URL: "http://HOST" + path, Header: http.Header{"Accept-Encoding": {accept}, "User-Agent": {agent}}})
		said += fmt.Sprintf("%s %s;", r.Header.Get("Content-Encoding"), r.Header.Get("Vary"))
		more += fmt.Sprintf("%d ", len(r.Body))
	}
	return said, more
}

func compressionKeys() map[string]keyProof {
	gzip := map[string]string{"use-gzip": "true", "gzip-level": "9", "gzip-min-length": "100", "gzip-types": "text/mine text/other", "gzip-disable": `Old/[0-9]\.`}
	brotli := map[string]string{"enable-brotli": "true", "brotli-level": "9", "brotli-min-length": "400", "brotli-types": "text/mine"}
	texts := func(t *testing.T, p *keyProof, g *site) { p.service, p.more = "texts", compressible(t, g.address(5)) }
	return map[string]keyProof{
		"gzip": {
			keys: []string{"use-gzip", "gzip-level", "gzip-min-length", "gzip-types", "gzip-disable"}, settings: gzip, prepare: texts,
			ask: func(c client) (string, string) {
				said, more := encoded(c, "br, gzip", "New", "/20000/text/mine", "/150/text/mine", "/90/text/mine", "/20000/text/css")
				old, _ := encoded(c, "gzip", "Old/4.0", "/20000/text/mine")
				return said + old, more
			},
			want: "gzip Accept-Encoding;gzip Accept-Encoding; ; ; Accept-Encoding;",
		},
		"brotli": {
			keys: []string{"enable-brotli", "brotli-level", "brotli-min-length", "brotli-types"}, settings: brotli, prepare: texts,
			ask: func(c client) (string, string) {
				said, more := encoded(c, "gzip, br", "New", "/20000/text/mine", "/350/text/mine", "/20000/text/css")
				none, _ := encoded(c, "gzip", "New", "/20000/text/mine")
				return said + none, more
			},
			want: "br Accept-Encoding; ; ; Accept-Encoding;",
		},
	}
}

func geoKeys() map[string]keyProof {
	p := keyProof{
		keys: []string{"use-geoip2"},
		settings: map[string]string{
			"use-geoip2": "true", "geoip2-autoreload-in-minutes": "1", "log-format-upstream": "GET $request_uri $geoip2_country_code.$geoip2_org.",
			"http-snippet":   `map $geoip2_country_code $closed { default 0; XX 1; }`,
			"server-snippet": `if ($closed) { return 451; }`,
		},
		prepare: func(t *testing.T, p *keyProof, g *site) {
			folder := t.TempDir()
			cluster.GeoDatabase(t, filepath.Join(folder, "GeoLite2-Country.mmdb"), map[string]string{"127.0.0.0/8": "XX"})
			whole, err := os.ReadFile(filepath.Join(folder, "GeoLite2-Country.mmdb"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "GeoLite2-ASN.mmdb"), whole[:len(whole)/2], 0o644); err != nil {
				t.Fatal(err)
			}
			p.flags = []string{"--geoip-folder=" + folder}
		},
		ask: func(c client) (string, string) {
			r := c.get("/a")
			logged(c, c.site.AccessLog)
			_, line, _ := strings.Cut(c.site.AccessLog(), "GET /a ")
			line, _, _ = strings.Cut(line, "\n")
			return fmt.Sprint(r.Status, " ", line, " named ", strings.Count(c.site.Log(), "GeoLite2-ASN.mmdb: is cut off") > 0), ""
		},
		want: "451 XX.. named true",
	}
	again := p
	again.keys, again.inner = []string{"geoip2-autoreload-in-minutes"}, true // which are minutes
	return map[string]keyProof{"databases": p, "newer ones": again}
}

// freePort is a port on which nobody listens.
func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func snippetKeys() map[string]keyProof {
	port := 0
	return map[string]keyProof{"snippets": {
		keys: []string{"main-snippet", "http-snippet", "server-snippet", "location-snippet", "global-auth-snippet"},
		settings: map[string]string{
			"main-snippet":        "worker_priority 3;",
			"server-snippet":      `add_header X-Server "$server_name" always; if ($http_x_robot = yes) { return 418; }`,
			"location-snippet":    `add_header X-Location "$request_method" always; limit_req zone=few;`,
			"global-auth-snippet": "proxy_set_header X-From snippet-$request_method;",
		},
		prepare: func(t *testing.T, p *keyProof, g *site) {
			port = freePort(t)
			p.settings["http-snippet"] = fmt.Sprintf("limit_req_zone $http_x_key zone=few:1m rate=1r/m;\nserver { listen %d; location = /here { return 200 here; } return 301 https://$host$request_uri; }", port)
			p.settings["global-auth-url"] = "http://" + g.address(9) + ":9000/"
			cluster.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Auth-Saw", r.Header.Get("X-From"))
				w.WriteHeader(http.StatusOK)
			}), g.address(9)+":9000")
			p.settings["global-auth-response-headers"] = "X-Auth-Saw"
		},
		ask: func(c client) (string, string) {
			r := c.get("/")
			said := fmt.Sprintf("%d %s %s", r.Status, r.Header.Get("X-Server"), r.Header.Get("X-Location"))
			if r.Seen != nil {
				said += " auth:" + r.Seen.Header.Get("X-Auth-Saw")
			}
			robot := c.do(cluster.Request{URL: "http://HOST/", Header: http.Header{"X-Robot": {"yes"}}})
			said += fmt.Sprint(" robot:", robot.Status)
			for range 2 {
				said += fmt.Sprint(" limited:", c.do(cluster.Request{URL: "http://HOST/", Header: http.Header{"X-Key": {"a"}}}).Status)
			}
			nice, err := syscall.Getpriority(syscall.PRIO_PROCESS, c.site.Workers()[0])
			if err != nil {
				c.t.Fatal(err)
			}
			said += fmt.Sprint(" nice:", 20-nice) // the kernel's own counting
			return strings.ReplaceAll(said, c.host, "HOST") + " own:" + own(port), ""
		},
		want: "200 HOST GET auth:snippet-GET robot:418 limited:200 limited:503 nice:3 own:301 https://x.example.org/a?b",
	}}
}

// own asks a server of http-snippet's.
func own(port int) string {
	q, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/a?b", port), nil)
	if err != nil {
		return err.Error()
	}
	q.Host = "x.example.org"
	r, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return "nobody"
	}
	defer r.Body.Close()
	return fmt.Sprint(r.StatusCode, " ", r.Header.Get("Location"))
}
