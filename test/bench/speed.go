package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// speedHost is the one host of the measures of speed. It is a real name, so
// that a TLS client asks for its certificate.
const speedHost = "bench.example.org"

// mixOrigin is a page that may ask.
const mixOrigin = "https://app.example.org"

// A contestant is a running nginx with one worker that is loaded.
type contestant struct {
	*lab.Process
	name   string
	master int
	log    string // its access log, "" for none
	plain  string // address for HTTP
	secure string // address for HTTPS
	cookie string // that its clients send, "" for none
}

// A kind is of work that contestants are compared by.
type kind struct {
	secure bool // TLS 1.3, and no access log
	mix    bool // what many Ingresses have besides
}

func (k kind) path() string {
	if k.mix {
		return "/api/x"
	}
	return "/"
}

// headers are those of each request.
func (k kind) headers(c contestant) []string {
	if !k.mix {
		return nil
	}
	return []string{"Origin: " + mixOrigin, "Cookie: " + c.cookie}
}

// plainSpeed compares over HTTP, both with an access log.
func plainSpeed(s *lab.Session, b *bench) []lab.Row {
	return speed(s, b, "requests per CPU-second of the worker, access log, ÷ hand-written nginx", "≥ 0.9", kind{})
}

// tlsSpeed compares over TLS 1.3, both without an access log.
func tlsSpeed(s *lab.Session, b *bench) []lab.Row {
	return speed(s, b, "the same over TLS 1.3, no access log", "≥ 0.9", kind{secure: true})
}

// mixSpeed compares what a typical Ingress asks for.
func mixSpeed(s *lab.Session, b *bench) []lab.Row {
	return speed(s, b, "the same over TLS 1.3 with a rewrite, CORS, a rate limit and a session cookie", "≥ 0.8", kind{secure: true, mix: true})
}

func speed(s *lab.Session, b *bench, measure, reach string, k kind) []lab.Row {
	dir := lab.TempDir(s)
	pair := newCertificate(s, speedHost, 1)
	namesHere(s, dir)
	hand := startHand(s, b, dir, pair, handHTTP, handHTTPS, k)
	ours := startContestant(s, b, pair, k)
	return []lab.Row{compare(s, b, measure, reach, hand, ours, k)}
}

// self compares the hand-written nginx with itself: what differs from 1 is the
// error of the other ratios.
func self(s *lab.Session, b *bench) []lab.Row {
	var rows []lab.Row
	for _, secure := range []bool{false, true} {
		dir := lab.TempDir(s)
		pair := newCertificate(s, speedHost, 1)
		namesHere(s, dir)
		k := kind{secure: secure}
		one := startHand(s, b, dir, pair, handHTTP, handHTTPS, k)
		two := startHand(s, b, lab.TempDir(s), pair, productHTTP, productHTTPS, k)
		measure := "self-check: hand-written ÷ hand-written, access log"
		if secure {
			measure = "self-check: hand-written ÷ hand-written, TLS 1.3"
		}
		rows = append(rows, compare(s, b, measure, "", one, two, k))
		one.Stop(s)
		two.Stop(s)
	}
	return rows
}

func startHand(s *lab.Session, b *bench, dir string, pair certificate, http, https int, k kind) contestant {
	h := handWritten{
		Dir: dir, HTTP: http, HTTPS: https, Host: speedHost, Backend: speedBackend(), Upstream: space + "-web-80",
		Certificate: filepath.Join(dir, "chain.pem"), Key: filepath.Join(dir, "key.pem"),
	}
	if k.mix {
		h.MixOrigin = mixOrigin
	}
	if !k.secure {
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

func startContestant(s *lab.Session, b *bench, pair certificate, k kind) contestant {
	return startContestantAt(s, b, pair, k, "sallyport", usualListeners())
}

func startContestantAt(s *lab.Session, b *bench, pair certificate, k kind, name string, at listeners, args ...string) contestant {
	dir := lab.TempDir(s)
	s.Must(writeManifests(dir, speedObjects(pair, k)), "manifests")
	p := startProductAt(s, b, "", at, append([]string{"--manifests=" + dir, "--configmap=" + space + "/sallyport"}, args...)...)
	c := contestant{
		Process: p.Process, name: name, master: p.master(s), log: p.log,
		plain: fmt.Sprintf("127.0.0.1:%d", at.http), secure: fmt.Sprintf("127.0.0.1:%d", at.https),
	}
	if k.secure {
		c.log = ""
	}
	return c
}

func speedBackend() string { return fmt.Sprintf("127.0.0.1:%d", backendPort) }

// compare makes sure that both do the same work, and then measures it.
func compare(s *lab.Session, b *bench, measure, reach string, hand, ours contestant, k kind) lab.Row {
	if k.mix {
		hand.cookie, ours.cookie = session(s, hand), session(s, ours)
	}
	alike(s, hand, ours, k)
	backend := startNginx(s, b.nginx, "backend.conf.tmpl", handWritten{Dir: lab.TempDir(s), Backend: speedBackend()}, speedBackend())
	defer backend.Stop(s)
	var rates [2][]float64
	for round := range b.rounds + 1 {
		for i, c := range []contestant{hand, ours} {
			rate := load(s, b, c, k)
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
func alike(s *lab.Session, hand, ours contestant, work kind) {
	var seen [2]exchange
	var state [2]string
	for i, c := range []contestant{hand, ours} {
		k := &client{address: c.plain, request: get(speedHost, work.path(), work.headers(c)...)}
		if work.secure {
			k.address, k.tls = c.secure, &tls.Config{ServerName: speedHost, InsecureSkipVerify: true}
			state[i] = handshake(s, k)
		}
		seen[i] = observe(s, c, k, speedBackend())
	}
	s.Must(difference(seen[0], seen[1]), hand.name+" and "+ours.name+" do not do the same")
	if state[0] != state[1] || work.secure && !strings.HasPrefix(state[0], "TLS 1.3") {
		s.Fatalf("%s has %q, %s has %q: want both the same, of TLS 1.3", hand.name, state[0], ours.name, state[1])
	}
}

// session is the cookie that a contestant gives a new client.
func session(s *lab.Session, c contestant) string {
	got := capture(s, speedBackend())
	k := &client{address: c.secure, tls: &tls.Config{ServerName: speedHost, InsecureSkipVerify: true}, request: get(speedHost, "/api/x")}
	a, err := k.do()
	k.close()
	s.Must(err, c.name)
	<-got
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	if cookie == "" {
		s.Fatalf("%s gives no cookie: %v", c.name, a.header)
	}
	return cookie
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
func load(s *lab.Session, b *bench, c contestant, k kind) float64 {
	url := "http://" + strings.Replace(c.plain, "127.0.0.1", speedHost, 1) + k.path()
	if k.secure {
		url = "https://" + strings.Replace(c.secure, "127.0.0.1", speedHost, 1) + k.path()
	}
	pid, err := worker(c.master)
	s.Must(err, c.name)
	before, err := lab.ReadStat(pid)
	s.Must(err, c.name)
	n, err := wrk(url, b.load, k.headers(c)...)
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
	if least, err := strconv.ParseFloat(strings.TrimPrefix(reach, "≥ "), 64); err == nil {
		v = lab.VerdictOf(r >= least)
	}
	if most, err := strconv.ParseFloat(strings.TrimPrefix(reach, "≤ "), 64); err == nil {
		v = lab.VerdictOf(r <= most)
	}
	return lab.Row{
		Measure: measure, Reach: reach, Measured: fmt.Sprintf("%.3f", r), Verdict: v,
		Of: fmt.Sprintf("%d rounds in turn, %.3f to %.3f by round; medians %.0f ÷ %.0f", len(each), slices.Min(each), slices.Max(each), lab.Median(ours), lab.Median(hand)),
	}
}
