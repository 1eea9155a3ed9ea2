package main

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// A port that is taken is said, and costs nothing but the profiles.
func TestProfilerPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out bytes.Buffer
	p := profiler{On: true, Address: net.IPv4(127, 0, 0, 1), Port: l.Addr().(*net.TCPAddr).Port}
	p.start(slog.New(slog.NewTextHandler(&out, nil)))()
	if !strings.Contains(out.String(), "--profiler-port") {
		t.Errorf("log: %s", out.String())
	}
}

// Where it is off it listens nowhere, so a port that is taken is not noticed.
func TestProfilerOff(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, line := range []string{"--profiler-port 0", "--profiling=false --profiler-port " + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)} {
		var o options
		if err := o.flagSet().Parse(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		o.Profiler.start(slog.New(slog.NewTextHandler(&out, nil)))()
		if out.Len() > 0 {
			t.Errorf("%s: %s", line, out.String())
		}
	}
}

func TestProfiles(t *testing.T) {
	server := httptest.NewServer(profiles())
	defer server.Close()
	for path, status := range map[string]int{"/debug/pprof/heap": 200, "/debug/pprof/goroutine": 200, "/debug/pprof/": 200, "/": 404} {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
