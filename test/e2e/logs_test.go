package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// accessed waits for a line of the access log with all of the words.
func accessed(t *testing.T, s *cluster.Sallyport, words ...string) string {
	t.Helper()
	found := ""
	cluster.Eventually(t, fmt.Sprintf("a line of the access log with %q", words), func() error {
		for line := range strings.Lines(s.AccessLog()) {
			if has(line, words) {
				found = strings.TrimSpace(line)
				return nil
			}
		}
		return fmt.Errorf("there is none")
	})
	return found
}

func TestAccessLog(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 101, "web")
		w.Apply(t, web("web", "a.example.org", "web").String())
		s := w.launch(t, "--configmap=sallyport/sallyport")
		const url = "http://a.example.org/"
		requests(t, s, url+"first", "web", "http://nobody.example.org/nobody", "404")
		accessed(t, s, `"GET /first HTTP/1.1" 200`, "[default-web-80]", "10.244.101.1:8080")
		if n := lines(s.AccessLog(), "GET /nobody"); n > 0 {
			t.Error("what no Ingress takes is in the access log, unasked")
		}
		if n := lines(s.Log(), "GET /first"); n > 0 {
			t.Error("access log and error log are mixed")
		}
		// A format of one's own, with none of our variables.
		w.Apply(t, configMap(`log-format-upstream: "mine $request_uri"`))
		settles(t, s, url, func() bool { return strings.Contains(s.AccessLog(), "\nmine /\n") })
		// One that is JSON stays JSON whatever a client sends.
		w.Apply(t, configMap(`log-format-upstream: '{"uri":"$request_uri","agent":"$http_user_agent"}'`, `log-format-escape-json: "true"`))
		settles(t, s, url, func() bool {
			s.Do(t, cluster.Request{URL: url, Header: map[string][]string{"User-Agent": {`a"b\c`}}})
			return lines(s.AccessLog(), `"agent":"a`) > 0
		})
		if line := accessed(t, s, `"agent":"a`); !json.Valid([]byte(line)) {
			t.Errorf("the access log has %q, which is no JSON", line)
		}
		// And none.
		w.Apply(t, configMap(`disable-access-log: "true"`))
		settles(t, s, url, func() bool {
			before := len(s.AccessLog())
			s.Get(t, url)
			return len(s.AccessLog()) == before
		})
	})
}

// settles sends requests, each of which has to be served, until a change shows.
func settles(t *testing.T, s *cluster.Sallyport, url string, shows func() bool) {
	t.Helper()
	cluster.Eventually(t, "the change is live", func() error {
		if got := answers(s.Get(t, url)); got != "web" {
			t.Fatalf("%s: got %s, want web", url, got)
		}
		if !shows() {
			return fmt.Errorf("it is not")
		}
		return nil
	})
}

func TestJSONLog(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 102, "web")
	w.Apply(t, web("web", "a.example.org", "missing").String())
	s := w.launch(t, "--log-format=json")
	found := 0
	for line := range strings.Lines(s.Log()) {
		var entry map[string]any
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == "problem" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d lines of JSON tell the problem, want 1:\n%s", found, s.Log())
	}
}
