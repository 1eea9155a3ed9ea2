package compat

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// mirrored is what reaches the target, in order.
var mirrored = make(chan string, 64)

func mirrorGroup() group {
	// The target is an address that is the same in each run: the group's.
	at := func(more map[string]string) map[string]string {
		more["mirror-target"] = "http://10.244.99.9:8080$request_uri"
		return more
	}
	return group{name: "mirror", objects: mirrorObjects, cases: []proof{
		{keys: []string{"mirror-target"}, annotations: at(map[string]string{}), probes: []probe{copied("10.244.99.9:8080 /a%20b?c=d 4")}},
		{keys: []string{"mirror-host"}, annotations: at(map[string]string{"mirror-host": "shadow.example.org"}), probes: []probe{copied("shadow.example.org /a%20b?c=d 4")}},
		{keys: []string{"mirror-request-body"}, annotations: at(map[string]string{"mirror-request-body": "off"}), probes: []probe{copied("10.244.99.9:8080 /a%20b?c=d 0")}},
	}}
}

// copied sends a request and wants the page, and what the target saw.
func copied(want string) probe {
	return probe{"the copy", func(c client) string {
		if got := short(c.do(cluster.Request{URL: "http://HOST/a%20b?c=d", Method: "POST", Body: "body"})); got != "web" {
			return "the page: " + got
		}
		select {
		case got := <-mirrored:
			return got
		case <-time.After(2 * time.Second):
			return "no copy"
		}
	}, want}
}

func mirrorObjects(t *testing.T, _ *site) string {
	serveOn(t, "10.244.99.9:8080", &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mirrored <- fmt.Sprintf("%s %s %d", r.Host, r.RequestURI, len(body))
		w.WriteHeader(http.StatusTeapot)
	})})
	return service("unused")
}
