package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// answers says what a request gets, in short: the backend's name, or the
// status, with the target of a redirect behind it.
func answers(r cluster.Response) string {
	switch {
	case r.Seen != nil && r.Status == 200:
		return r.Seen.Backend
	case r.Header.Get("Location") != "":
		return fmt.Sprintf("%d %s", r.Status, r.Header.Get("Location"))
	}
	return fmt.Sprint(r.Status)
}

// expect sends one request and wants an answer as answers words it.
func expect(t *testing.T, s *cluster.Sallyport, url, want string) cluster.Response {
	t.Helper()
	r := s.Get(t, url)
	if got := answers(r); got != want {
		t.Errorf("%s: got %s, want %s", url, got, want)
	}
	return r
}

// becomes waits until a change has taken effect. A broken connection on the way
// is an error at once.
func becomes(t *testing.T, s *cluster.Sallyport, url, want string) {
	t.Helper()
	cluster.Eventually(t, url+" becomes "+want, func() error {
		if got := answers(s.Get(t, url)); got != want {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

// gone waits until workers have ended: until then one may take a connection, and
// answers as it knows.
func gone(t *testing.T, s *cluster.Sallyport, workers []int) {
	t.Helper()
	cluster.Eventually(t, "the workers before the reload have ended", func() error {
		for _, id := range s.Workers() {
			if slices.Contains(workers, id) {
				return fmt.Errorf("%d has not", id)
			}
		}
		return nil
	})
}

// logged waits until the log has a line with all of the words, and gives the
// number of such lines.
func logged(t *testing.T, s *cluster.Sallyport, words ...string) int {
	t.Helper()
	n := 0
	cluster.Eventually(t, fmt.Sprintf("a line of the log with %q", words), func() error {
		if n = lines(s.Log(), words...); n == 0 {
			return fmt.Errorf("there is none")
		}
		return nil
	})
	return n
}

func lines(text string, words ...string) int {
	n := 0
	for line := range strings.Lines(text) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	return n
}

// more is an error while a count is below what it has to be.
func more(got, want int) error {
	if got < want {
		return fmt.Errorf("%d of %d so far", got, want)
	}
	return nil
}
