package compat

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// workerKeys are about nginx's processes.
func workerKeys() map[string]keyProof {
	most := runtime.GOMAXPROCS(0)
	return numbered(
		one("worker-processes", fmt.Sprint(most+1), fmt.Sprint(most+1), func(c client) string { return fmt.Sprint(len(c.site.Workers())) }),
		one("max-worker-open-files", "2048", "2048 2048", func(c client) string {
			for line := range strings.Lines(written(fmt.Sprintf("/proc/%d/limits", c.site.Workers()[0]))) {
				if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
					return strings.Join(strings.Fields(rest)[:2], " ")
				}
			}
			return "no limit"
		}),
		one("max-worker-connections", "48", "fewer", held),
		one("worker-shutdown-timeout", "1s", "cut", overReload),
		keyProof{keys: []string{"reuse-port"}, settings: map[string]string{"reuse-port": "false", "worker-processes": "3"}, ask: plainly(sockets), want: "1"},
		keyProof{keys: []string{"enable-multi-accept"}, settings: map[string]string{"enable-multi-accept": "false"}, inner: true, ask: plainly(answer(plain("/"), short)), want: "web"},
		one("error-log-level", "error", "false", func(c client) string { return fmt.Sprint(strings.Contains(c.site.Log(), "[notice]")) }),
		one("debug-connections", "127.0.0.0/8, 2001:db8::/64", "true", func(c client) string {
			c.get("/seen-in-detail")
			return fmt.Sprint(strings.Contains(c.site.Log(), "[debug]") && strings.Contains(c.site.Log(), "/seen-in-detail"))
		}),
		one("disable-access-log", "true", "", func(c client) string { return logged(c, c.site.AccessLog, "/a") }),
	)
}

const unfinished = "POST / HTTP/1.1\r\nHost: HOST\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n"

// held says whether all of 100 requests are taken that miss their last byte.
func held(c client) string {
	for range 100 {
		conn := c.open(strings.ReplaceAll(unfinished, "HOST", c.host))
		defer conn.Close()
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
			return "fewer"
		}
	}
	return "all"
}

// overReload says whether a request that misses its last byte outlives a reload by
// some seconds. To wait in vain only hides that a key is not proven.
func overReload(c client) string {
	conn := c.open(strings.ReplaceAll(unfinished, "HOST", c.host))
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for range 2 { // 100 Continue and an empty line
		if _, err := reader.ReadString('\n'); err != nil {
			c.t.Fatal(err)
		}
	}
	next := c
	next.host = hostOf(1, "")
	c.site.write(c.t, "next", proof{}.manifest(1, ""))
	cluster.Eventually(c.t, "the next host", func() error {
		if got := short(next.get("/")); got != "web" {
			return fmt.Errorf("got %s", got)
		}
		return nil
	})
	if err := conn.SetReadDeadline(time.Now().Add(4 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := reader.ReadByte(); os.IsTimeout(err) {
		return "kept"
	}
	return "cut"
}

// sockets is how many sockets listen at the port for HTTP, of IPv4.
func sockets(c client) string {
	n := 0
	for line := range strings.Lines(written("/proc/net/tcp")) {
		fields := strings.Fields(line)
		if fields[1] == fmt.Sprintf("00000000:%04X", c.site.HTTP) && fields[3] == "0A" { // TCP_LISTEN
			n++
		}
	}
	return fmt.Sprint(n)
}

// policyKeys are about what those who write Ingresses may say.
func policyKeys() map[string]keyProof {
	of := func(p keyProof, annotations map[string]string) keyProof {
		p.ingress.annotations = annotations
		return p
	}
	root := map[string]string{"app-root": "/app"}
	get := func(path string) func(client) string { return answer(plain(path), short) }
	strict := one("strict-validate-path-type", "false", "web", get("/a(b"))
	strict.ingress.paths = []string{"Prefix /a(b"}
	across := of(one("allow-cross-namespace-resources", "true", "401", get("/")), map[string]string{"auth-type": "basic", "auth-secret": "other/basic"})
	across.more = "apiVersion: v1\nkind: Secret\nmetadata: {name: basic, namespace: other}\nstringData: {auth: \"joe:{PLAIN}secret\"}\n"
	snippets := of(keyProof{
		keys: []string{"allow-snippet-annotations", "annotations-risk-level"}, settings: map[string]string{"allow-snippet-annotations": "true", "annotations-risk-level": "Critical"},
		ask: plainly(answer(plain("/"), header("X-Who"))), want: "me",
	}, map[string]string{"configuration-snippet": `more_set_headers "X-Who: me";`})
	return numbered(
		of(one("annotations-risk-level", "Low", "web", get("/")), root), of(one("annotation-value-word-blocklist", "load_module, /ap", "web", get("/")), root),
		snippets, across, strict,
	)
}

// modSecurityKeys move the annotations' cases.
func modSecurityKeys() map[string]keyProof {
	g := modSecurityGroup()
	renamed := map[string]string{"enable-owasp-core-rules": "enable-owasp-modsecurity-crs"}
	all := movedAll(g, renamed, "enable-modsecurity", "modsecurity-snippet", "enable-owasp-core-rules")
	core := all["enable-owasp-core-rules"] // the recommended configuration, which reads JSON, is not there beside a snippet
	core.ask, core.want = plainly(answer(plain(attack), short)), "403"
	all["enable-owasp-core-rules"] = core
	return all
}
