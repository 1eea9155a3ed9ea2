package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// What the operator forbids is out of force as soon as the ConfigMap says so,
// also of Ingresses that are there, and is in force again with the next change.
func TestPolicyChangesLive(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 112, "web")
		address := "10.244.112.10:8080"
		// policy is the ConfigMap, in which one key is not as open as can be.
		policy := func(key, value string) {
			t.Helper()
			all := map[string]string{"annotations-risk-level": "Critical", "allow-snippet-annotations": "true", "allow-cross-namespace-resources": "true"}
			all[key] = value
			var lines []string
			for key, value := range all {
				lines = append(lines, fmt.Sprintf("%s: %q", key, value))
			}
			w.Apply(t, configMap(lines...))
		}
		policy("annotations-risk-level", "Critical")
		w.Apply(t, annotated(web("moved", "moved.example.org", "web"), "permanent-redirect", "https://new.example.org"))
		w.Apply(t, annotated(web("asked", "asked.example.org", "web"), "auth-url", authServer(t, address, 401)))
		w.Apply(t, annotated(web("own", "own.example.org", "web"), "configuration-snippet", "add_header X-Own yes;"))
		w.Apply(t, annotated(web("users", "users.example.org", "web"), "auth-type", "basic", "auth-secret", "elsewhere/basic"))
		w.Apply(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: basic, namespace: elsewhere}\nstringData: {auth: \"joe:{PLAIN}secret\"}\n")
		s := w.launch(t, "--configmap=sallyport/sallyport")
		const moved, asked, users = "http://moved.example.org/", "http://asked.example.org/", "http://users.example.org/"
		own := func() string { return s.Get(t, "http://own.example.org/").Header.Get("X-Own") }
		all := func(wantMoved, wantAsked, wantUsers, wantOwn string) {
			t.Helper()
			becomes(t, s, moved, wantMoved)
			becomes(t, s, asked, wantAsked)
			becomes(t, s, users, wantUsers)
			becomesText(t, "what the snippet adds", own, wantOwn)
		}
		const redirect = "301 https://new.example.org"
		all(redirect, "401", "401", "yes")

		// None but snippets is Critical; auth-url is High, the redirect and auth-secret are Medium.
		policy("annotations-risk-level", "High")
		all(redirect, "401", "401", "")
		policy("annotations-risk-level", "Medium")
		all(redirect, "503", "401", "")
		policy("annotations-risk-level", "Low")
		all("web", "503", "503", "")
		told(t, w, s, "moved", "permanent-redirect", "Medium", "annotations-risk-level")
		told(t, w, s, "asked", "auth-url", "High", "annotations-risk-level")
		policy("annotations-risk-level", "Critical")
		all(redirect, "401", "401", "yes")

		policy("annotation-value-word-blocklist", "nothing,new.example.org,"+address)
		all("web", "503", "401", "yes")
		told(t, w, s, "moved", "permanent-redirect", "new.example.org", "annotation-value-word-blocklist")
		policy("annotation-value-word-blocklist", "nothing")
		all(redirect, "401", "401", "yes")

		policy("allow-snippet-annotations", "false")
		all(redirect, "401", "401", "")
		told(t, w, s, "own", "configuration-snippet", "allow-snippet-annotations")
		policy("allow-cross-namespace-resources", "false")
		all(redirect, "401", "503", "yes")
		told(t, w, s, "users", "auth-secret", "elsewhere/basic", "allow-cross-namespace-resources")
		policy("annotations-risk-level", "Critical")
		all(redirect, "401", "401", "yes")
	})
}

// told waits until an Ingress's author is told something: by an Event, or in the
// log where there is no cluster.
func told(t *testing.T, w *world, s *cluster.Sallyport, ingress string, words ...string) {
	t.Helper()
	if w.name == "cluster" {
		event(t, w, "Ingress", "default", ingress, "Warning", words...)
		return
	}
	logged(t, s, append(words, "default/"+ingress)...)
}

// An invalid value leaves the last good version in force, for as long as it is
// there and whatever else changes.
func TestTheLastGoodVersionStays(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 113, "web", "other")
		moved := func(pairs ...string) {
			w.Apply(t, annotated(web("moved", "moved.example.org", "web"), pairs...))
		}
		closed := func(service, list string) {
			w.Apply(t, annotated(web("closed", "closed.example.org", service), "whitelist-source-range", list))
		}
		moved("temporal-redirect", "https://one.example.org")
		closed("web", "192.0.2.1")
		s := w.launch(t)
		requests(t, s, "http://moved.example.org/", "302 https://one.example.org", "http://closed.example.org/", "403")

		// What else the version says is not in force either: it is the whole one that stays.
		moved("temporal-redirect", "nowhere in particular", "temporal-redirect-code", "307")
		told(t, w, s, "moved", nginxPrefix+"temporal-redirect", "nowhere in particular", "has not")
		told(t, w, s, "moved", "last good version stays in force")
		requests(t, s, "http://moved.example.org/", "302 https://one.example.org")
		closed("other", "everybody")
		told(t, w, s, "closed", nginxPrefix+"whitelist-source-range", "everybody")
		requests(t, s, "http://closed.example.org/", "403")

		// Another one changes, and so do they, to what is no better.
		w.Apply(t, web("new", "new.example.org", "other").String())
		becomes(t, s, "http://new.example.org/", "other")
		requests(t, s, "http://moved.example.org/", "302 https://one.example.org", "http://closed.example.org/", "403")
		moved("temporal-redirect", "still nowhere")
		closed("other", "127.0.0.1, nobody")
		told(t, w, s, "moved", "still nowhere")
		told(t, w, s, "closed", "nobody")
		w.Delete(t, "Ingress", "default", "new")
		becomes(t, s, "http://new.example.org/", "404")
		requests(t, s, "http://moved.example.org/", "302 https://one.example.org", "http://closed.example.org/", "403")

		moved("temporal-redirect", "https://two.example.org")
		closed("other", "127.0.0.1")
		becomes(t, s, "http://moved.example.org/", "302 https://two.example.org")
		becomes(t, s, "http://closed.example.org/", "other")
	})
}

// A new Ingress has no such version: it is served without the annotation, unless
// that restricts access.
func TestANewIngressWithAnInvalidAnnotation(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 114, "web")
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t)
		for name, pair := range map[string]string{
			"list": "whitelist-source-range everybody", "url": "auth-url ftp://10.0.0.1/", "kind": "auth-type none", "any": "satisfy sometimes",
			"certificate": "auth-tls-verify-client maybe", "ssl": "proxy-ssl-verify maybe",
			"open": "permanent-redirect nowhere",
		} {
			key, value, _ := strings.Cut(pair, " ")
			w.Apply(t, annotated(web(name, name+".example.org", "web"), key, value))
			want := "503"
			if name == "open" {
				want = "web"
			}
			becomes(t, s, "http://"+name+".example.org/", want)
			told(t, w, s, name, nginxPrefix+key, value)
		}
	})
}

// Annotations are checked whatever the flag says, and its user is told so once.
func TestValidationIsAlwaysOn(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 115, "web")
	w.Apply(t, annotated(web("bad", "bad.example.org", "web"), "auth-url", "nowhere")+annotated(web("web", "a.example.org", "web"), "temporal-redirect", "nowhere"))
	s := w.launch(t, "--enable-annotation-validation=false")
	requests(t, s, "http://bad.example.org/", "503", "http://a.example.org/", "web")
	if n := lines(s.Log(), "--enable-annotation-validation", "always checked"); n != 1 {
		t.Errorf("the log says %d times that annotations are always checked, want once", n)
	}
}

// Under another prefix, the usual one means nothing: neither what it opens nor
// what it closes.
func TestOnlyOnePrefixCounts(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 116, "web", "next")
	other := web("web", "a.example.org", "web")
	other.annotations = map[string]string{"edge.example.org/whitelist-source-range": "127.0.0.1", nginxPrefix + "auth-url": "nowhere"}
	canary := web("canary", "a.example.org", "next")
	canary.annotations = map[string]string{"edge.example.org/canary": "true", "edge.example.org/canary-by-header": "X-New", nginxPrefix + "canary-weight": "100"}
	w.Apply(t, other.String()+canary.String())
	s := w.launch(t, "--annotations-prefix=edge.example.org")
	requests(t, s, "http://a.example.org/", "web")
	r := s.Do(t, cluster.Request{URL: "http://a.example.org/", Header: http.Header{"X-New": {"always"}}})
	if got := answers(r); got != "next" {
		t.Errorf("the canary's header: got %s, want next", got)
	}
	if n := lines(s.Log(), nginxPrefix); n > 0 {
		t.Error(fmt.Sprint("the log has ", n, " lines about the usual prefix"))
	}
}
