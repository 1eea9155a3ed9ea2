package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// connections is how many keepalive connections load a contestant, and how
// many the failure count uses.
const connections = 32

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkSocket   = regexp.MustCompile(`(?m)^\s*Socket errors: (.*)$`)
	wrkStatus   = regexp.MustCompile(`(?m)^\s*Non-2xx or 3xx responses: (\d+)`)
)

// wrk loads a URL for a time and gives the number of responses. Any response but a success, and any error of a connection, is an
// error: then the figure would compare something else than requests served.
func wrk(url string, d time.Duration, headers ...string) (int, error) {
	args := []string{"-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%ds", int(d.Seconds()))}
	for _, h := range headers {
		args = append(args, "-H", h)
	}
	out, err := exec.Command("wrk", append(args, url)...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return parseWrk(string(out))
}

func parseWrk(out string) (int, error) {
	if m := wrkStatus.FindStringSubmatch(out); m != nil {
		return 0, fmt.Errorf("wrk: %s responses were no success", m[1])
	}
	if m := wrkSocket.FindStringSubmatch(out); m != nil {
		return 0, fmt.Errorf("wrk: socket errors: %s", m[1])
	}
	m := wrkRequests.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk: no count of requests in %q", out)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n == 0 {
		return 0, fmt.Errorf("wrk: %q requests", m[1])
	}
	return n, nil
}
