package compat

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func sumOf(parts ...string) string {
	return fmt.Sprintf("%x", md5.Sum([]byte(strings.Join(parts, ":"))))
}

// colliding are two Ingresses as in CVE-2020-8553, where the file of Secret
// a/b-c was that of a-b/c. Neither has a Service, so who is let in gets a 503.
func colliding() string {
	var b strings.Builder
	for namespace, secret := range map[string]string{"a": "b-c", "a-b": "c"} {
		fmt.Fprintf(&b, `apiVersion: v1
kind: Secret
metadata: {name: %[2]s, namespace: %[1]s}
stringData: {auth: "joe:{PLAIN}of-%[1]s"}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: %[1]s, annotations: {nginx.ingress.kubernetes.io/auth-type: basic, nginx.ingress.kubernetes.io/auth-secret: %[2]s}}
spec:
  rules: [{host: %[1]s.example.com, http: {paths: [{pathType: Prefix, path: /, backend: {service: {name: none, port: {number: 80}}}}]}}]
---
`, namespace, secret)
	}
	return b.String()
}

// collide asks one of them with the password of one of them.
func collide(host, password, want string) probe {
	return probe{"CVE-2020-8553: " + host + " with that of " + password, func(c client) string {
		return short(c.do(cluster.Request{URL: "http://" + host + ".example.com/", Header: http.Header{
			"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("joe:of-"+password))},
		}}))
	}, want}
}

// authObjects are Secrets of users: joe's password is secret.
func authObjects(_ *testing.T, _ *site) string {
	hash := sumOf("joe", "our realm", "secret")
	return colliding() + `apiVersion: v1
kind: Secret
metadata: {name: basic, namespace: default}
stringData: {auth: "# users\njoe:{PLAIN}secret\nbad line\n:empty\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: map, namespace: default}
stringData: {joe: "{PLAIN}secret", jane: "{PLAIN}other"}
---
apiVersion: v1
kind: Secret
metadata: {name: digest, namespace: default}
stringData: {auth: "joe:our realm:` + hash + `\njane:other realm:` + hash + `\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: digest-map, namespace: default}
stringData: {joe: "our realm:` + hash + `"}
---
apiVersion: v1
kind: Secret
metadata: {name: empty, namespace: default}
stringData: {auth: "nobody\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: basic, namespace: elsewhere}
stringData: {auth: "joe:{PLAIN}secret"}
`
}

func basic(path, user, password, want string) probe {
	return probe{path + " as " + user + ":" + password, func(c client) string {
		return short(c.do(cluster.Request{URL: "http://HOST" + path, Header: http.Header{
			"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))},
		}}))
	}, want}
}

// A digestOf is what is other than right in a client's answer.
type digestOf struct {
	password, uri, nonce, nc, method, qop, twice string
}

var nonceText = regexp.MustCompile(`nonce="([0-9a-f]+)"`)

// answer is the Authorization header for a nonce.
func (d digestOf) answer(nonce string) string {
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return s
	}
	uri, nc, qop := or(d.uri, "/x?a=1,2"), or(d.nc, "00000001"), or(d.qop, "auth")
	nonce = or(d.nonce, nonce)
	response := sumOf(sumOf("joe", "our realm", or(d.password, "secret")), nonce, nc, "0a4f", qop, sumOf(or(d.method, "GET"), uri))
	return fmt.Sprintf(`Digest username="joe", realm="our realm", nonce="%s", uri="%s", qop=%s, nc=%s, cnonce="0a4f", response="%s", algorithm=MD5`,
		nonce, uri, qop, nc, response)
}

// digests asks for a nonce, answers it, and says how that ended.
func digests(what string, d digestOf, want string) probe {
	return probe{"digest: " + what, func(c client) string {
		first := c.get("/x?a=1,2")
		m := nonceText.FindStringSubmatch(first.Header.Get("WWW-Authenticate"))
		if m == nil {
			return "no nonce, " + short(first)
		}
		r := c.do(cluster.Request{URL: "http://HOST/x?a=1,2", Header: http.Header{"Authorization": {d.answer(m[1])}}})
		if d.twice != "" {
			d.nc = d.twice
			r = c.do(cluster.Request{URL: "http://HOST/x?a=1,2", Header: http.Header{"Authorization": {d.answer(m[1])}}})
		}
		if strings.Contains(r.Header.Get("WWW-Authenticate"), "stale=true") {
			return short(r) + " stale"
		}
		return short(r)
	}, want}
}

func basicAuthGroup() group {
	realm := probe{"the realm", func(c client) string {
		r := c.get("/")
		return fmt.Sprint(r.Status, " ", r.Header.Get("WWW-Authenticate"))
	}, `401 Basic realm="our realm"`}
	return group{name: "basicauth", objects: authObjects, cases: []proof{
		{
			keys:        []string{"auth-type", "auth-secret", "auth-realm"},
			annotations: map[string]string{"auth-type": "basic", "auth-secret": "basic", "auth-realm": "our realm"},
			probes:      []probe{realm, basic("/", "joe", "secret", "web"), basic("/", "joe", "wrong", "401"), basic("/", "bad line", "", "401"), basic("/", "", "empty", "401")},
		}, {
			keys:        []string{"auth-secret-type"},
			annotations: map[string]string{"auth-type": "basic", "auth-secret": "default/map", "auth-secret-type": "auth-map"},
			probes:      []probe{gets("/", "401"), basic("/", "jane", "other", "web"), basic("/", "jane", "secret", "401")},
		}, {
			annotations: map[string]string{"auth-type": "digest", "auth-secret": "digest", "auth-realm": "our realm"},
			probes: []probe{
				gets("/", "401"), basic("/", "joe", "secret", "401"),
				digests("right", digestOf{}, "web"),
				digests("another password", digestOf{password: "x"}, "401"),
				digests("another path", digestOf{uri: "/y"}, "401"),
				digests("another method", digestOf{method: "POST"}, "401"),
				digests("another qop", digestOf{qop: "auth-int"}, "401"),
				digests("a made-up nonce", digestOf{nonce: strings.Repeat("5f", 40)}, "401 stale"),
				digests("the same count twice", digestOf{twice: "00000001"}, "401 stale"),
				digests("the next count", digestOf{twice: "00000002"}, "web"),
				digests("no count", digestOf{nc: "00000000"}, "401"),
			},
		}, {
			annotations: map[string]string{"auth-type": "digest", "auth-secret": "digest-map", "auth-secret-type": "auth-map", "auth-realm": "our realm"},
			probes:      []probe{digests("of a map", digestOf{}, "web"), gets("/", "401")},
		},
		closes("no such Secret", map[string]string{"auth-type": "basic", "auth-secret": "missing"}),
		closes("no key auth", map[string]string{"auth-type": "basic", "auth-secret": "map"}),
		closes("no user", map[string]string{"auth-type": "basic", "auth-secret": "empty"}),
		closes("no user of the realm", map[string]string{"auth-type": "digest", "auth-secret": "digest", "auth-realm": "a third"}),
		closes("another namespace", map[string]string{"auth-type": "basic", "auth-secret": "elsewhere/basic"}),
		closes("no Secret", map[string]string{"auth-type": "basic"}),
		closes("no such type", map[string]string{"auth-type": "xbasic", "auth-secret": "basic"}),
		closes("CVE-2025-24513", map[string]string{"auth-type": "basic", "auth-secret": "../../basic"}),
		{probes: []probe{collide("a", "a", "503"), collide("a", "a-b", "401"), collide("a-b", "a-b", "503"), collide("a-b", "a", "401")}},
		{
			// To nginx this realm would mean that nobody is asked.
			annotations: map[string]string{"auth-type": "basic", "auth-secret": "basic", "auth-realm": "off"},
			probes:      []probe{gets("/", "401")},
		},
	}}
}

// closes is a location that can't ask for a password and so answers none.
func closes(why string, annotations map[string]string) proof {
	p := gets("/", "503")
	p.what = why
	return proof{annotations: annotations, probes: []probe{p}}
}
