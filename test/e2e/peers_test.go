package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// forwarded is what an endpoint is told of the client: address, list, scheme,
// host and port; or the status.
func forwarded(r cluster.Response) string {
	if r.Seen == nil {
		return fmt.Sprint(r.Status, " ", r.Header.Get("Location"))
	}
	h := r.Seen.Header
	return strings.Join([]string{h.Get("X-Real-Ip"), h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Proto"), h.Get("X-Forwarded-Host"), h.Get("X-Forwarded-Port"), r.Seen.Host}, " ")
}

// Who the client is, is believed of peers that are trusted, and of nobody else:
// not for what endpoints are told, and not for lists of addresses.
func TestBelievedHeaders(t *testing.T) {
	const all = "X-Forwarded-For: 203.0.113.7|X-Forwarded-Proto: https|X-Forwarded-Host: shop.example.com|X-Forwarded-Port: 8443"
	strangers := `proxy-real-ip-cidr: "192.0.2.0/24, 2001:db8::/32"`
	for i, test := range []struct {
		settings []string
		headers  string
		want     string // PORT is nginx's
	}{
		{nil, all, "127.0.0.1 127.0.0.1 http a.example.org PORT a.example.org"},
		{[]string{`use-forwarded-headers: "true"`}, all, "203.0.113.7 203.0.113.7 https shop.example.com 8443 shop.example.com"},
		{[]string{`use-forwarded-headers: "true"`}, "", "127.0.0.1 127.0.0.1 http a.example.org PORT a.example.org"},
		{[]string{`use-forwarded-headers: "true"`, strangers}, all, "127.0.0.1 127.0.0.1 http a.example.org PORT a.example.org"},
		// The last address that is no peer's counts; what came before it, anybody may have written.
		{[]string{`use-forwarded-headers: "true"`}, "X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.1.2.3", "203.0.113.7 203.0.113.7 http a.example.org PORT a.example.org"},
		{[]string{`use-forwarded-headers: "true"`, `compute-full-forwarded-for: "true"`}, "X-Forwarded-For: 203.0.113.7", "203.0.113.7 203.0.113.7, 127.0.0.1 http a.example.org PORT a.example.org"},
		{[]string{`use-forwarded-headers: "true"`, `compute-full-forwarded-for: "true"`, strangers}, "X-Forwarded-For: 203.0.113.7", "127.0.0.1 127.0.0.1 http a.example.org PORT a.example.org"},
		{[]string{`use-forwarded-headers: "true"`}, "X-Forwarded-For: no address|X-Forwarded-Proto: javascript|X-Forwarded-Host: a b\"c|X-Forwarded-Port: 80; x", "127.0.0.1 127.0.0.1 http a.example.org PORT a.example.org"},
		{[]string{`enable-real-ip: "true"`}, all, "203.0.113.7 203.0.113.7 http a.example.org PORT a.example.org"},
		{[]string{`enable-real-ip: "true"`, "forwarded-for-header: CF-Connecting-IP"}, all + "|CF-Connecting-IP: 203.0.113.8", "203.0.113.8 203.0.113.8 http a.example.org PORT a.example.org"},
		{[]string{`use-forwarded-headers: "true"`, "forwarded-host-header: X-Host"}, all + "|X-Host: other.example.com", "203.0.113.7 203.0.113.7 https other.example.com 8443 other.example.com"},
		{[]string{`use-forwarded-headers: "true"`, "proxy-real-ip-cidr: everybody"}, "X-Forwarded-For: 203.0.113.7", "127.0.0.1 127.0.0.1 http a.example.org PORT a.example.org"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w := inFolder(t)
			apps(t, w, 160, "web")
			w.Apply(t, web("web", "a.example.org", "web").String())
			if test.settings != nil {
				w.Apply(t, configMap(test.settings...))
			}
			listed := web("listed", "b.example.org", "web")
			listed.annotations = map[string]string{"nginx.ingress.kubernetes.io/whitelist-source-range": "203.0.113.0/24"}
			secure := web("secure", "c.example.org", "web")
			secure.annotations = map[string]string{"nginx.ingress.kubernetes.io/force-ssl-redirect": "true"}
			w.Apply(t, listed.String()+secure.String())
			s := w.launch(t, "--configmap=sallyport/sallyport")
			header := http.Header{}
			for _, line := range strings.Split(test.headers, "|") {
				if name, value, ok := strings.Cut(line, ": "); ok {
					header.Set(name, value)
				}
			}
			ask := func(host string) string {
				return forwarded(s.Do(t, cluster.Request{URL: "http://" + host + "/", Header: header}))
			}
			want := strings.ReplaceAll(test.want, "PORT", fmt.Sprint(s.HTTP))
			if got := ask("a.example.org"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			in := strings.HasPrefix(want, "203.0.113.")
			if got := ask("b.example.org"); strings.HasPrefix(got, "403") == in {
				t.Errorf("the list of addresses: %s", got)
			}
			if got := ask("c.example.org"); strings.HasPrefix(got, "308") == strings.Contains(want, "https") {
				t.Errorf("the redirect to https: %s", got)
			}
		})
	}
}

// proxied sends a request after a header of the PROXY protocol.
func proxied(t *testing.T, s *cluster.Sallyport, header string) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.HTTP))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, header+"GET / HTTP/1.1\r\nHost: a.example.org\r\nX-Forwarded-For: 198.51.100.1\r\nConnection: close\r\n\r\n"); err != nil {
		return "closed"
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "closed"
	}
	defer r.Body.Close()
	var seen cluster.Seen
	if err := json.NewDecoder(r.Body).Decode(&seen); err != nil {
		return fmt.Sprint(r.StatusCode)
	}
	return seen.Header.Get("X-Real-Ip") + " " + seen.Header.Get("X-Forwarded-For") + " " + seen.Header.Get("X-Forwarded-For-Proxy-Protocol")
}

func TestProxyProtocol(t *testing.T) {
	const line = "PROXY TCP4 203.0.113.7 192.0.2.8 1111 80\r\n"
	binary := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\xc0\x00\x02\x08\x04\x57\x00\x50"
	for i, test := range []struct {
		setting, header, want string
	}{
		{`use-proxy-protocol: "true"`, line, "203.0.113.7 203.0.113.7 203.0.113.7"},
		{`use-proxy-protocol: "true"`, binary, "203.0.113.7 203.0.113.7 203.0.113.7"},
		{`use-proxy-protocol: "true"`, "", "closed"},
		{`use-proxy-protocol: "true"`, "PROXY nonsense\r\n", "closed"},
		{`proxy-real-ip-cidr: 192.0.2.0/24`, line, "127.0.0.1 127.0.0.1 203.0.113.7"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w := inFolder(t)
			apps(t, w, 161, "web")
			w.Apply(t, web("web", "a.example.org", "web").String()+configMap(`use-proxy-protocol: "true"`, strings.ReplaceAll(test.setting, `use-proxy-protocol: "true"`, `generate-request-id: "true"`)))
			s := w.launch(t, "--configmap=sallyport/sallyport")
			if got := proxied(t, s, test.header); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// With headers that name clients, and TLS that is passed through, nobody can
// choose an address by a header.
func TestBelievedHeadersBesidePassthrough(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 162, "web")
	passed := web("passed", "p.example.org", "web")
	passed.annotations = map[string]string{"nginx.ingress.kubernetes.io/ssl-passthrough": "true"}
	w.Apply(t, web("web", "a.example.org", "web").String()+passed.String()+configMap(`use-forwarded-headers: "true"`))
	s := w.launch(t, "--configmap=sallyport/sallyport", "--enable-ssl-passthrough")
	r := s.Do(t, cluster.Request{URL: "https://a.example.org/", Header: http.Header{"X-Forwarded-For": {"203.0.113.7"}}})
	if got := forwarded(r); !strings.HasPrefix(got, "127.0.0.1 127.0.0.1 https ") {
		t.Errorf("got %s", got)
	}
	logged(t, s, "proxy-real-ip-cidr", "passed through")
}
