package compat

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// believed is what an endpoint is told of the client, who sends headers of its own.
func believed(c client) string {
	r := c.do(cluster.Request{URL: "http://HOST/", Header: http.Header{
		"X-Forwarded-For": {"198.51.100.1, 203.0.113.9"}, "X-Client-Ip": {"198.51.100.2, 203.0.113.9"},
		"X-Forwarded-Host": {"one.example.com"}, "X-Client-Host": {"two.example.com"},
	}})
	if r.Seen == nil {
		return short(r)
	}
	var all []string
	for _, name := range []string{"X-Real-Ip", "X-Forwarded-For", "X-Forwarded-Host"} {
		all = append(all, strings.Join(r.Seen.Header.Values(name), "+"))
	}
	return strings.Join(all, " | ")
}

// behind says what an endpoint is told of a connection with a header of the PROXY
// protocol.
func behind(c client) string {
	conn := c.open("PROXY TCP4 203.0.113.7 192.0.2.8 1111 80\r\nGET / HTTP/1.1\r\nHost: " + c.host + "\r\nConnection: close\r\n\r\n")
	defer conn.Close()
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "closed"
	}
	defer r.Body.Close()
	var seen cluster.Seen
	if err := json.NewDecoder(r.Body).Decode(&seen); err != nil {
		return fmt.Sprint(r.StatusCode)
	}
	return seen.Header.Get("X-Real-Ip") + " " + seen.Header.Get("X-Peer")
}

// peerKeys are about who the client is.
func peerKeys() map[string]keyProof {
	forwarded := map[string]string{
		"use-forwarded-headers": "true", "forwarded-for-header": "X-Client-IP", "forwarded-host-header": "X-Client-Host",
		"compute-full-forwarded-for": "true", "proxy-real-ip-cidr": "127.0.0.1, 203.0.113.0/24",
	}
	proxied := map[string]string{"use-proxy-protocol": "true", "forwarded-for-proxy-protocol-header": "X-Peer"}
	from := func(key, value string) keyProof { return one(key, value, "403", answer(plain("/"), short)) }
	return numbered(
		keyProof{keys: strings.Fields("use-forwarded-headers forwarded-for-header forwarded-host-header compute-full-forwarded-for proxy-real-ip-cidr"),
			settings: forwarded, ask: plainly(believed), want: "198.51.100.2 | 198.51.100.2, 203.0.113.9, 127.0.0.1 | two.example.com"},
		one("compute-full-forwarded-for", "true", "127.0.0.1 | 198.51.100.1, 203.0.113.9, 127.0.0.1 | HOST", believed),
		one("enable-real-ip", "true", "203.0.113.9 | 203.0.113.9 | HOST", believed),
		keyProof{keys: []string{"use-proxy-protocol", "forwarded-for-proxy-protocol-header"}, settings: proxied, ask: plainly(behind), want: "203.0.113.7 203.0.113.7"},
		from("whitelist-source-range", "203.0.113.7"), from("denylist-source-range", "127.0.0.0/8"),
	)
}
