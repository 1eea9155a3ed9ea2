package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// lines counts what one more host, with one path and no annotation, adds to
// nginx.conf.
func lines(s *lab.Session, b *bench) []lab.Row {
	const most = 12
	shared := []any{newClass(), newService(service(0)), newSlice(service(0), "10.244.1.1")}
	one := append(shared[:3:3], newIngress("one", host(0), service(0), "/"))
	two := append(one[:4:4], newIngress("two", host(1), service(0), "/"))
	before, after := rendered(s, b, one), rendered(s, b, two)
	added := after - before
	return []lab.Row{{
		Measure: "nginx.conf lines for a host with one path and no annotation", Reach: fmt.Sprintf("≤ %d", most),
		Measured: fmt.Sprint(added), Verdict: lab.VerdictOf(added > 0 && added <= most),
		Of: fmt.Sprintf("%d lines with one host, %d with two", before, after),
	}}
}

// rendered gives the number of lines of the nginx.conf for some objects.
func rendered(s *lab.Session, b *bench, objects []any) int {
	dir := lab.TempDir(s)
	s.Must(writeManifests(dir, objects), "manifests")
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	s.Must(err, "manifests")
	c := exec.Command(b.binary(s), append([]string{"render"}, files...)...)
	c.Env = append(os.Environ(), "POD_NAMESPACE="+space)
	var problems bytes.Buffer
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		s.Fatalf("sallyport render: %v: %s", err, strings.TrimSpace(problems.String()))
	}
	return bytes.Count(out, []byte("\n"))
}
