package compat

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func limitGroup() group {
	few := map[string]string{"limit-rpm": "1", "limit-burst-multiplier": "2"} // three at once
	return group{
		name: "limit", settings: map[string]string{"large-client-header-buffers": "8 8k", "limit-req-status-code": "429", "limit-conn-status-code": "430"},
		cases: []proof{
			{
				keys: []string{"limit-rpm", "limit-burst-multiplier"}, annotations: few,
				paths:  []string{"Prefix /", "Prefix /other"}, // counted together
				probes: []probe{burst("web web web 429 429", "/", "/other", "/", "/other", "/")},
			}, {
				keys: []string{"limit-rps"}, annotations: map[string]string{"limit-rps": "1", "limit-burst-multiplier": "1"},
				probes: []probe{{"40 at once", func(c client) string {
					counts := map[string]int{}
					for range 40 {
						counts[short(c.get("/"))]++
					}
					return fmt.Sprint(counts["web"] >= 2, counts["429"] > 0, counts["web"]+counts["429"])
				}, "true true 40"}},
			}, {
				keys: []string{"limit-allowlist"}, annotations: with(few, "limit-allowlist", "10.0.0.0/8, 127.0.0.0/9"),
				probes: []probe{burst("web web web web", "/", "/", "/", "/")},
			}, {
				keys: []string{"limit-whitelist"}, annotations: with(few, "limit-whitelist", "127.0.0.1"),
				probes: []probe{burst("web web web web", "/", "/", "/", "/")},
			}, {
				// Another network is no reason; IPv6 holds for no IPv4 client.
				keys: []string{"limit-rpm"}, annotations: with(few, "limit-allowlist", "127.128.0.0/9, ::/0"),
				probes: []probe{burst("web web web 429", "/", "/", "/", "/")},
			}, {
				keys: []string{"limit-connections"}, annotations: map[string]string{"limit-connections": "1"},
				probes: []probe{{"two at once", twoAtOnce, "430 200 web web"}},
			}, {
				keys: []string{"limit-rate"}, annotations: map[string]string{"limit-rate": "8", "proxy-buffering": "on"},
				probes: []probe{{"30 KB", pace, "slow"}},
			}, {
				keys: []string{"limit-rate-after"}, annotations: map[string]string{"limit-rate": "8", "limit-rate-after": "100", "proxy-buffering": "on"},
				probes: []probe{{"30 KB", pace, "fast"}},
			},
		},
	}
}

// with is annotations and one more.
func with(annotations map[string]string, key, value string) map[string]string {
	all := map[string]string{key: value}
	for k, v := range annotations {
		all[k] = v
	}
	return all
}

// burst asks for the paths, one after the other.
func burst(want string, paths ...string) probe {
	return probe{fmt.Sprint(paths), func(c client) string {
		var all []string
		for _, path := range paths {
			all = append(all, short(c.get(path)))
		}
		return strings.Join(all, " ")
	}, want}
}

// twoAtOnce holds a request back, asks for another, lets the first one end, and
// breaks one off: each is counted once, and taken back once.
func twoAtOnce(c client) string {
	first := c.hold()
	defer first.Close()
	second := short(c.get("/"))
	fmt.Fprint(first, "x")
	answer, err := http.ReadResponse(bufio.NewReader(first), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	answer.Body.Close()
	third := c.afterwards()
	c.hold().Close()
	return fmt.Sprint(second, " ", answer.StatusCode, " ", third, " ", c.afterwards())
}

// hold sends a request whose last byte is missing.
func (c client) hold() net.Conn {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.site.HTTP))
	if err != nil {
		c.t.Fatal(err)
	}
	// nginx says 100 Continue once it reads the body, after the limits' phase.
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n", c.host)
	reader := bufio.NewReader(conn)
	for range 2 {
		if _, err := reader.ReadString('\n'); err != nil {
			c.t.Fatal(err)
		}
	}
	return conn
}

// afterwards asks once the count of what has ended is taken back, which is
// after its client has seen the end.
func (c client) afterwards() (got string) {
	cluster.Eventually(c.t, "the connection is no longer counted", func() error {
		if got = short(c.get("/")); got != "web" {
			return fmt.Errorf("got %s", got)
		}
		return nil
	})
	return got
}

// pace says whether 30 KB come slower than 1.5 seconds.
func pace(c client) string {
	large := http.Header{}
	for i := range 5 {
		large.Set(fmt.Sprintf("X-Large-%d", i), strings.Repeat("x", 6000))
	}
	begin := time.Now()
	c.do(cluster.Request{URL: "http://HOST/", Header: large})
	if time.Since(begin) > 1500*time.Millisecond {
		return "slow"
	}
	return "fast"
}
