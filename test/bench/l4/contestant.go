package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// A contestant is a program that programs a node.
type contestant struct {
	name   string
	binary string
	mode   string
	legacy bool     // it uses iptables' older half, as a node without nftables has
	args   []string // its own
}

const (
	healthPort  = 10256
	metricsPort = 10249
)

// A run is a contestant at work on a lane's node.
type run struct {
	*lab.Process
	who  contestant
	lane *lane
}

// begin starts a contestant, and waits for nothing.
func (w *world) begin(s *lab.Session, c contestant, l *lane) *run {
	dir := lab.TempDir(s)
	args := append([]string{
		"--kubeconfig=" + w.kubeconfig,
		"--hostname-override=" + l.nodeName(),
		"--proxy-mode=" + c.mode,
		"--cluster-cidr=" + clusterCIDR,
		"--nodeport-addresses=primary",
		fmt.Sprintf("--healthz-bind-address=%s:%d", l.address(), healthPort),
		fmt.Sprintf("--metrics-bind-address=%s:%d", l.address(), metricsPort),
	}, c.args...)
	cmd := exec.Command(c.binary, args...)
	if c.legacy {
		cmd.Env = append(os.Environ(), "PATH="+legacyTables(s)+":"+os.Getenv("PATH"))
	}
	r := &run{who: c, lane: l}
	s.Cleanup(func() { // runs once it has ended
		if s.Failed() {
			s.Logf("%s's last words: %s", c.name, lab.LastWords(filepath.Join(dir, "stderr"), 10))
		}
	})
	l.node.do(s, func() { r.Process = lab.Start(s, dir, cmd) })
	return r
}

// awaitServices waits until a selection of the first n Services is served, the
// first and the last among them.
func (r *run) awaitServices(s *lab.Session, n int) {
	const some = 20
	for i := range some {
		r.awaitAnswer(s, front(i*(n-1)/(some-1)))
	}
}

func (r *run) awaitAnswer(s *lab.Session, to netip.AddrPort) {
	r.lane.client.do(s, func() {
		r.Await(s, to.String()+" is served", func() bool {
			_, err := call(to)
			return err == nil
		})
	})
}

// legacyTables makes a folder in which iptables is the older one.
func legacyTables(s *lab.Session) string {
	dir := lab.TempDir(s)
	target, err := exec.LookPath("xtables-legacy-multi")
	s.Must(err, "iptables")
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, part := range []string{"", "-save", "-restore"} {
			s.Must(os.Symlink(target, filepath.Join(dir, family+part)), "iptables")
		}
	}
	return dir
}

// cpu is the CPU time of the process and of all its children that have ended.
func (r *run) cpu(s *lab.Session) time.Duration {
	stat, err := lab.ReadStat(r.PID())
	s.Must(err, r.who.name)
	return stat.CPU + stat.Reaped
}

// settle waits until the process has been idle, and without children, for some
// seconds. A child's time is not its parent's before it has ended.
func (r *run) settle(s *lab.Session) {
	const idle, most = 3 * time.Second, 5 * time.Minute
	start := time.Now()
	at, since := r.cpu(s), start
	for time.Since(since) < idle {
		time.Sleep(100 * time.Millisecond)
		children, err := lab.Children(r.PID())
		s.Must(err, r.who.name)
		// Up to a hundredth of a core is not work but looking after it.
		if now := r.cpu(s); len(children) > 0 || now-at > time.Since(since)/100+lab.Tick {
			at, since = now, time.Now()
		}
		if time.Since(start) > most {
			s.Fatalf("%s: not idle within %v", r.who.name, most)
		}
	}
}

// fullSync reads from the metrics how long complete syncs took, and how many
// there were: those of the slower family of addresses. kube-proxy syncs the two
// beside each other, and ours says of each how long the round took that had
// both.
func (r *run) fullSync(s *lab.Session) (took time.Duration, count int) {
	const name = "kubeproxy_sync_full_proxy_rules_duration_seconds"
	text := r.get(s, "/metrics")
	seconds, err := mostOf(strings.NewReader(text), name+"_sum")
	s.Must(err, r.who.name)
	n, err := mostOf(strings.NewReader(text), name+"_count")
	s.Must(err, r.who.name)
	return time.Duration(seconds * float64(time.Second)), int(n)
}

func (r *run) get(s *lab.Session, path string) string {
	c := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := c.Get(fmt.Sprintf("http://%s:%d%s", r.lane.address(), metricsPort, path))
	s.Must(err, r.who.name)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	s.Must(err, r.who.name)
	if answer.StatusCode != http.StatusOK {
		s.Fatalf("%s: %s: status %d", r.who.name, path, answer.StatusCode)
	}
	return string(text)
}

// mostOf is the greatest value of a metric over its labels. It is an error where
// there is none of the name, or a value is no number.
func mostOf(text io.Reader, name string) (float64, error) {
	most, found := 0.0, false
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		value := rest[strings.LastIndexByte(rest, ' ')+1:]
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(v) {
			return 0, fmt.Errorf("metric %s: %q is no number", name, value)
		}
		most, found = max(most, v), true
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	if !found {
		return 0, fmt.Errorf("metric %s: not there", name)
	}
	return most, nil
}
