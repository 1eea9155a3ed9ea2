package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// answers says whether a plain GET of a URL gives 200 now.
func answers(url string) bool {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get(url)
	if err != nil {
		return false
	}
	r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// worker gives the only worker of a master of nginx.
func worker(master int) (int, error) {
	found, err := lab.Children(master)
	if err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("nginx %d has %d workers, want 1", master, len(found))
	}
	return found[0], nil
}
