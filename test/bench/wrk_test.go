package main

import "testing"

func TestParseWrk(t *testing.T) {
	const head = "Running 3s test @ http://127.0.0.1:8080/\n  1 threads and 32 connections\n" +
		"  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.10ms  200.00us   9.00ms   90.00%\n"
	const rate = "Requests/sec:  30000.12\nTransfer/sec:      9.00MB\n"
	for _, c := range []struct {
		name, out string
		want      int
		ok        bool
	}{
		{"empty", "", 0, false},
		{"no request", head + "  0 requests in 3.00s, 0.00B read\n" + rate, 0, false},
		{"errors of connections", head + "  90000 requests in 3.00s, 27.00MB read\n  Socket errors: connect 0, read 3, write 0, timeout 0\n" + rate, 0, false},
		{"other responses", head + "  90000 requests in 3.00s, 27.00MB read\n  Non-2xx or 3xx responses: 1\n" + rate, 0, false},
		{"fine", head + "  90123 requests in 3.00s, 27.00MB read\n" + rate, 90123, true},
	} {
		got, err := parseWrk(c.out)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%s: parseWrk = %d, %v, want %d", c.name, got, err, c.want)
		}
	}
}
