package nginx

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// byCanary waits until so many requests are counted, and gives their number by
// canary, method and status, over all workers.
func byCanary(t *testing.T, l *lab, want float64) map[string]float64 {
	t.Helper()
	var found map[string]float64
	err := until(limit(t), func() (bool, error) {
		list, _, err := l.Requests(limit(t))
		if err != nil {
			return false, err
		}
		found = map[string]float64{}
		sum := 0.0
		for _, s := range list {
			found[strings.Join([]string{s.Canary, s.Method, s.Status}, " ")] += s.Requests
			sum += s.Requests
		}
		if sum > want {
			return false, fmt.Errorf("%v requests counted, want %v", sum, want)
		}
		return sum == want, nil
	})
	if err != nil {
		t.Fatalf("%v: %v", err, found)
	}
	return found
}

// What a canary answered is counted apart, what was counted before it got its
// first request stays, and a route without one is as it was.
func TestRequestsOfACanaryAreCountedApart(t *testing.T) {
	l := newLab(t)
	l.metrics = true
	data := simple(echo(t, "old"))
	rk, rv := route("b", "default/web/80")
	data[rk] = rv
	bk, bv := backend("default/next/http", echo(t, "new"))
	data[bk] = bv
	withCanary := func(rest string) {
		key, value := route("a", "default/web/80")
		l.push(set(key, strings.TrimSuffix(value, "}")+`,"canary":{"backend":"default/next/http","total":100,`+rest+`}}`))
	}
	l.start(data)
	client := newClient()
	send := func(path string, times int, canary string) {
		t.Helper()
		for range times {
			req, err := http.NewRequestWithContext(limit(t), http.MethodGet, l.url(path), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Canary", canary)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
	send("/a/", 5, "always") // there is none yet
	withCanary(`"header":"Canary","weight":0`)
	send("/a/", 7, "always")
	send("/a/", 11, "never")
	send("/b/", 3, "always")
	ask(t, client, "BREW", l.url("/a/"))
	want := map[string]float64{" GET 200": 5 + 11 + 3, "default-next-http GET 200": 7, " OTHER 200": 1}
	if diff := cmp.Diff(want, byCanary(t, l, 27)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	withCanary(`"weight":100`)
	ask(t, client, "BREW", l.url("/a/"))
	l.push(func() map[string]string { k, v := route("a", "default/web/80"); return set(k, v) }())
	send("/a/", 2, "always") // it has gone
	want["default-next-http OTHER 200"], want[" GET 200"] = 1, want[" GET 200"]+2
	if diff := cmp.Diff(want, byCanary(t, l, 30)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// One that fails at its canary, and is answered by another route's backend, is
// the canary's failure.
func TestFailuresOfACanaryAreIts(t *testing.T) {
	l := newLab(t)
	l.metrics = true
	l.locationExtra = "error_page 502 503 504 @errors; "
	l.extra = "proxy_intercept_errors on;"
	data := simple(echo(t, "old"))
	bk, bv := backend("default/next/80", refusing(t))
	data[bk] = bv
	bk, bv = backend("default/pages/80", echo(t, "sorry"))
	data[bk] = bv
	key, value := route("a", "default/web/80")
	data[key] = strings.TrimSuffix(value, "}") + `,"canary":{"backend":"default/next/80","weight":100,"total":100},"errors":{"route":"ae"}}`
	_, value = route("a", "default/pages/80")
	data["r:ae"] = value
	l.inServer = "location @errors { internal; rewrite_by_lua_block { sallyport.errors() } proxy_pass http://backends; }"
	l.start(data)
	for range 4 {
		get(t, newClient(), l.url("/a/"))
	}
	if diff := cmp.Diff(map[string]float64{"default-next-80 GET 502": 4}, byCanary(t, l, 4)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
