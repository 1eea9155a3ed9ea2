package compat

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// All keys of the ConfigMap turn wrong at once, while requests come: each is told
// once, the last good values stay, and no request fails.
func TestEverySettingWrong(t *testing.T) {
	good := map[string]string{
		"worker-processes": "1", "block-user-agents": "evil", "server-tokens": "true", "hsts-max-age": "7", "proxy-body-size": "1k", "hide-headers": "X-Secret",
		"enable-real-ip": "true", "proxy-real-ip-cidr": "127.0.0.1", "whitelist-source-range": "127.0.0.1, 203.0.113.7", "http-snippet": "add_header X-Snippet yes;",
		// Without good ones these would close what they guard.
		"denylist-source-range": "203.0.113.9", "global-auth-url": authServer + "/200?user", "global-auth-method": "GET", "global-auth-signin": "https://in.example.org/",
		"global-auth-signin-redirect-param": "back", "global-auth-response-headers": "X-User", "global-auth-request-redirect": "/there", "global-auth-always-set-cookie": "true",
		"global-auth-cache-key": "$remote_addr", "global-auth-cache-duration": "200 1m", "global-auth-snippet": "proxy_set_header X-From here;", "no-auth-locations": "/free",
	}
	authServerObjects(t, nil)
	g := wrongSite(t, good)
	c := client{t, g, hostOf(0, "")}
	const want = "200 nginx/ max-age=7; includeSubDomains yes; 403; 413; 203.0.113.7; 403"
	if got := governed(c); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	load := g.StartLoad(t, "http://"+c.host+"/", 2)
	wrong := map[string]string{}
	for _, name := range append(settingNames, "no-such-key") {
		wrong[name] = "\x01\"; } load_module x.so; # $document_root"
	}
	g.write(t, "settings", configMap(wrong))
	cluster.Eventually(t, "each key is told", func() error { return toldOnce(g.Log(), wrong) })
	g.write(t, "next", proof{}.manifest(1, ""))
	next := client{t, g, hostOf(1, "")}
	cluster.Eventually(t, "what comes later is served", func() error { return serves(next) })
	if err := toldOnce(g.Log(), wrong); err != nil {
		t.Error(err)
	}
	if got := governed(c); got != want {
		t.Errorf("with all of it wrong: got %s, want %s", got, want)
	}
	// A megabyte of it, and a megabyte that is right.
	wrong["block-user-agents"] = strings.Repeat("(", 1<<20)
	g.write(t, "settings", configMap(wrong))
	g.write(t, "third", proof{}.manifest(2, ""))
	third := client{t, g, hostOf(2, "")}
	cluster.Eventually(t, "what comes later is served", func() error { return serves(third) })
	if got := governed(c); got != want {
		t.Errorf("with a megabyte of it wrong: got %s, want %s", got, want)
	}
	var agents strings.Builder
	for i := 0; agents.Len() < 1<<20; i++ {
		fmt.Fprintf(&agents, "agent-%d,", i)
	}
	good["block-user-agents"] = agents.String() + "evil"
	g.write(t, "settings", configMap(good))
	blocked := func() error {
		if got := short(c.do(cluster.Request{URL: "http://HOST/", Header: http.Header{"User-Agent": {"agent-77777"}}})); got != "403" {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	}
	cluster.Eventually(t, "the last of them is kept out", blocked)
	if got := governed(c); got != want {
		t.Errorf("with a megabyte that is right: got %s, want %s", got, want)
	}
	if n, failures := load.Stop(); n == 0 || len(failures) > 0 {
		t.Errorf("of %d requests %d failed: %.500q", n, len(failures), failures)
	}
	if long := longest(g.Log()); long > 4<<10 {
		t.Errorf("a line of the log has %d bytes", long)
	}
}

func wrongSite(t *testing.T, settings map[string]string) *site {
	g := &site{dir: t.TempDir(), number: 38}
	cluster.Echo(t, "web", g.address(1)+":8080")
	g.write(t, "objects", service("web", g.address(1))+"---\n"+proof{}.manifest(0, ""))
	g.write(t, "settings", configMap(settings))
	g.Sallyport = cluster.Launch(t, cluster.Options{Args: []string{"--manifests=" + g.dir, "--watch-ingress-without-class", "--configmap=sallyport/settings"}})
	return g
}

func serves(c client) error {
	if got := short(c.get("/")); got != "web" {
		return fmt.Errorf("it is %s", got)
	}
	return nil
}

// governed is what the good values have to do with some requests.
func governed(c client) string {
	r := c.do(secure("/"))
	name, _, _ := strings.Cut(r.Header.Get("Server"), "/")
	said := []string{fmt.Sprintf("%d %s/ %s %s", r.Status, name, r.Header.Get("Strict-Transport-Security"), r.Header.Get("X-Snippet"))}
	said = append(said, heads("User-Agent", "evil")(c), short(c.do(cluster.Request{Method: "POST", URL: "http://HOST/", Body: strings.Repeat("a", 2048)})))
	from := c.do(cluster.Request{URL: "http://HOST/", Header: http.Header{"X-Forwarded-For": {"203.0.113.7"}}})
	if from.Seen != nil {
		said = append(said, from.Seen.Header.Get("X-Real-Ip"))
	}
	return strings.Join(append(said, heads("X-Forwarded-For", "203.0.113.8")(c)), "; ")
}

var inLine = regexp.MustCompile(`\bdata\.([-a-z0-9]+)`)

// toldOnce says which keys are not told, or more than once. A line that names
// another key's value beside is of the first.
func toldOnce(log string, keys map[string]string) error {
	told := map[string]int{}
	for line := range strings.Lines(log) {
		if m := inLine.FindStringSubmatch(line); m != nil {
			told[m[1]]++
		}
	}
	var bad []string
	for key := range keys {
		if told[key] != 1 {
			bad = append(bad, fmt.Sprintf("%s %d times", key, told[key]))
		}
	}
	if bad != nil {
		return fmt.Errorf("told are: %s", strings.Join(bad, ", "))
	}
	return nil
}

func longest(log string) int {
	most := 0
	for line := range strings.Lines(log) {
		most = max(most, len(line))
	}
	return most
}
