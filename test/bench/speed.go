package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// speedHost is the one host of the measures of speed. It is a real name, so
// that a TLS client asks for its certificate.
const speedHost = "bench.example.org"

// A contestant is a running nginx with one worker that is loaded.
type contestant struct {
	*lab.Process
	name   string
	master int
	log    string // its access log, "" for none
	plain  string // address for HTTP
	secure string // address for HTTPS
}

// plainSpeed compares over HTTP, both with an access log.
func plainSpeed(s *lab.Session, b *bench) []lab.Row {
	return speed(s, b, "requests per CPU-second of the worker, access log, ÷ hand-written nginx", false)
}

// tlsSpeed compares over TLS 1.3, both without an access log.
func tlsSpeed(s *lab.Session, b *bench) []lab.Row {
	return speed(s, b, "the same over TLS 1.3, no access log", true)
}

func speed(s *lab.Session, b *bench, measure string, secure bool) []lab.Row {
	dir := lab.TempDir(s)
	pair := newCertificate(s, speedHost, 1)
	namesHere(s, dir)
	hand := startHand(s, b, dir, pair, handHTTP, handHTTPS, secure)
	ours := startContestant(s, b, pair, secure)
	return []lab.Row{compare(s, b, measure, "≥ 0.9", hand, ours, secure)}
}

// self compares the hand-written nginx with itself: what differs from 1 is the
// error of the other ratios.
func self(s *lab.Session, b *bench) []lab.Row {
	var rows []lab.Row
	for _, secure := range []bool{false, true} {
		dir := lab.TempDir(s)
		pair := newCertificate(s, speedHost, 1)
		namesHere(s, dir)
		one := startHand(s, b, dir, pair, handHTTP, handHTTPS, secure)
		two := startHand(s, b, lab.TempDir(s), pair, productHTTP, productHTTPS, secure)
		measure := "self-check: hand-written ÷ hand-written, access log"
		if secure {
			measure = "self-check: hand-written ÷ hand-written, TLS 1.3"
		}
		rows = append(rows, compare(s, b, measure, "", one, two, secure))
		one.Stop(s)
		two.Stop(s)
	}
	return rows
}

func startHand(s *lab.Session, b *bench, dir string, pair certificate, http, https int, secure bool) contestant {
	h := handWritten{
		Dir: dir, HTTP: http, HTTPS: https, Host: speedHost, Backend: speedBackend(), Upstream: space + "-web-80",
		Certificate: filepath.Join(dir, "chain.pem"), Key: filepath.Join(dir, "key.pem"),
	}
	if !secure {
		h.AccessLog = filepath.Join(dir, "access.log")
	}
	s.Must(os.WriteFile(h.Certificate, pair.chain, 0o600), "certificate")
	s.Must(os.WriteFile(h.Key, pair.key, 0o600), "key")
	address := fmt.Sprintf("127.0.0.1:%d", http)
	p := startNginx(s, b.nginx, "hand.conf.tmpl", h, address)
	return contestant{
		Process: p, name: "hand-written nginx", master: p.PID(), log: h.AccessLog,
		plain: address, secure: fmt.Sprintf("127.0.0.1:%d", https),
	}
}

func startContestant(s *lab.Session, b *bench, pair certificate, secure bool) contestant {
	dir := lab.TempDir(s)
	s.Must(writeManifests(dir, speedObjects(pair, secure)), "manifests")
	p := startProduct(s, b, "", "--manifests="+dir, "--configmap="+space+"/sallyport")
	c := contestant{Process: p.Process, name: "sallyport", master: p.master(s), log: p.log, plain: httpAddress(), secure: httpsAddress()}
	if secure {
		c.log = ""
	}
	return c
}

func speedBackend() string { return fmt.Sprintf("127.0.0.1:%d", backendPort) }

// compare makes sure that both do the same work, and then measures it.
func compare(s *lab.Session, b *bench, measure, reach string, hand, ours contestant, secure bool) lab.Row {
	alike(s, hand, ours, secure)
	backend := startNginx(s, b.nginx, "backend.conf.tmpl", handWritten{Dir: lab.TempDir(s), Backend: speedBackend()}, speedBackend())
	defer backend.Stop(s)
	var rates [2][]float64
	for round := range b.rounds + 1 {
		for i, c := range []contestant{hand, ours} {
			rate := load(s, b, c, secure)
			if round == 0 {
				continue // warms up: connections, page cache, LuaJIT's traces
			}
			rates[i] = append(rates[i], rate)
		}
		s.Logf("round %d of %d", round, b.rounds)
	}
	return ratio(measure, reach, rates[0], rates[1])
}

// alike sends one request through each and ends the session where they differ.
func alike(s *lab.Session, hand, ours contestant, secure bool) {
	var seen [2]exchange
	var state [2]string
	for i, c := range []contestant{hand, ours} {
		k := &client{address: c.plain, request: get(speedHost, "/")}
		if secure {
			k.address, k.tls = c.secure, &tls.Config{ServerName: speedHost, InsecureSkipVerify: true}
			state[i] = handshake(s, k)
		}
		seen[i] = observe(s, c, k, speedBackend())
	}
	s.Must(difference(seen[0], seen[1]), hand.name+" and "+ours.name+" do not do the same")
	if state[0] != state[1] || secure && !strings.HasPrefix(state[0], "TLS 1.3") {
		s.Fatalf("%s has %q, %s has %q: want both the same, of TLS 1.3", hand.name, state[0], ours.name, state[1])
	}
}

// handshake says what a TLS client and the server agreed on.
func handshake(s *lab.Session, k *client) string {
	conn, err := tls.Dial("tcp", k.address, k.tls)
	s.Must(err, "TLS")
	defer conn.Close()
	st := conn.ConnectionState()
	return fmt.Sprintf("%s %s %s %s", tls.VersionName(st.Version), tls.CipherSuiteName(st.CipherSuite), st.CurveID, st.PeerCertificates[0].SerialNumber)
}

// load gives the requests per CPU-second of a contestant's worker under load.
func load(s *lab.Session, b *bench, c contestant, secure bool) float64 {
	url := "http://" + strings.Replace(c.plain, "127.0.0.1", speedHost, 1) + "/"
	if secure {
		url = "https://" + strings.Replace(c.secure, "127.0.0.1", speedHost, 1) + "/"
	}
	pid, err := worker(c.master)
	s.Must(err, c.name)
	before, err := lab.ReadStat(pid)
	s.Must(err, c.name)
	n, err := wrk(url, b.load)
	s.Must(err, c.name)
	after, err := lab.ReadStat(pid)
	s.Must(err, c.name)
	if c.log != "" {
		s.Must(os.Truncate(c.log, 0), "access log")
	}
	used := after.CPU - before.CPU
	if used < 10*lab.Tick {
		s.Fatalf("%s: its worker used %v of CPU time, too little to divide by", c.name, used)
	}
	return float64(n) / used.Seconds()
}

// ratio is the row of two contestants that were measured in turn.
func ratio(measure, reach string, hand, ours []float64) lab.Row {
	r := lab.Median(ours) / lab.Median(hand)
	var each []float64
	for i := range ours {
		each = append(each, ours[i]/hand[i])
	}
	v := lab.Unasked
	if reach != "" {
		v = lab.VerdictOf(r >= 0.9)
	}
	return lab.Row{
		Measure: measure, Reach: reach, Measured: fmt.Sprintf("%.3f", r), Verdict: v,
		Of: fmt.Sprintf("%d rounds in turn, %.3f to %.3f by round; medians %.0f ÷ %.0f", len(each), slices.Min(each), slices.Max(each), lab.Median(ours), lab.Median(hand)),
	}
}
