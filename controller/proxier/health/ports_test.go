package health

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// reserve finds a port that is free and keeps it so for the test: a socket that
// is bound and doesn't listen gets nothing, and lets others bind only with
// SO_REUSEPORT.
func reserve(t *testing.T) uint16 {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("reason: no IPv6 sockets here; boot the kernel with IPv6")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet6{}); err != nil {
		t.Fatal(err)
	}
	a, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(a.(*unix.SockaddrInet6).Port)
}

// told is what is told of Services whose port can't be had.
func told(s *ServicePorts) []string {
	var all []string
	for service, err := range s.Problems() {
		all = append(all, service.String()+": "+err.Error())
	}
	return all
}

func start(t *testing.T) (*ServicePorts, *atomic.Bool) {
	t.Helper()
	healthy := &atomic.Bool{}
	healthy.Store(true)
	s := NewServicePorts(healthy.Load, slog.New(slog.DiscardHandler))
	t.Cleanup(s.Close)
	return s, healthy
}

func service(name string) plan.Service { return plan.Service{Namespace: "ns", Name: name} }

// get asks by a connection of its own.
func get(host string, port uint16, path string) (*http.Response, string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(fmt.Sprintf("http://%s/%s", net.JoinHostPort(host, fmt.Sprint(port)), path))
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r, string(b), err
}

func expect(t *testing.T, host string, port uint16, code int, part string) {
	t.Helper()
	r, body, err := get(host, port, "any/path?at=all")
	if err != nil {
		t.Error(err)
		return
	}
	if r.StatusCode != code || !strings.Contains(body, part) {
		t.Errorf("%s port %d: got %d %s, want %d %s", host, port, r.StatusCode, body, code, part)
	}
}

func refused(t *testing.T, host string, port uint16) {
	t.Helper()
	if _, body, err := get(host, port, ""); err == nil {
		t.Errorf("%s port %d: answers %s", host, port, body)
	}
}

func TestServicePorts(t *testing.T) {
	s, healthy := start(t)
	port := reserve(t)
	s.Sync(map[plan.Service]plan.HealthCheck{service("n"): {Port: port, Ready: 1}}, plan.NodePorts{All: true})
	for _, host := range []string{"127.0.0.1", "::1"} {
		r, body, err := get(host, port, "")
		if err != nil {
			t.Fatal(err)
		}
		want := "{\n\t\"service\": {\n\t\t\"namespace\": \"ns\",\n\t\t\"name\": \"n\"\n\t},\n\t\"localEndpoints\": 1,\n\t\"serviceProxyHealthy\": true\n}"
		if diff := cmp.Diff(want, body); diff != "" || r.StatusCode != 200 {
			t.Errorf("%d -want +got\n%s", r.StatusCode, diff)
		}
		for name, want := range map[string]string{"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "X-Load-Balancing-Endpoint-Weight": "1"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
	healthy.Store(false)
	expect(t, "127.0.0.1", port, 503, `"serviceProxyHealthy": false`)
	healthy.Store(true)
	s.Sync(map[plan.Service]plan.HealthCheck{service("n"): {Port: port}}, plan.NodePorts{All: true})
	expect(t, "127.0.0.1", port, 503, `"localEndpoints": 0`)
	s.Sync(nil, plan.NodePorts{All: true})
	refused(t, "127.0.0.1", port)
	if all := told(s); len(all) > 0 {
		t.Errorf("problems: %v", all)
	}
}

// A port that somebody else has is told of, and taken when it is free; the
// others don't suffer.
func TestTakenPort(t *testing.T) {
	s, _ := start(t)
	other, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken, free := uint16(other.Addr().(*net.TCPAddr).Port), reserve(t)
	want := map[plan.Service]plan.HealthCheck{service("a"): {Port: taken, Ready: 1}, service("b"): {Port: free, Ready: 2}}
	for range 3 {
		s.Sync(want, plan.NodePorts{All: true})
	}
	expect(t, "127.0.0.1", free, 200, `"localEndpoints": 2`)
	if all := told(s); len(all) != 1 || !strings.HasPrefix(all[0], "ns/a: ") || !strings.Contains(all[0], "in use") {
		t.Errorf("problems: %v", all)
	}
	other.Close()
	s.Sync(want, plan.NodePorts{All: true})
	if all := told(s); len(all) > 0 {
		t.Errorf("problems of a port that is served: %v", all)
	}
	expect(t, "127.0.0.1", taken, 200, `"localEndpoints": 1`)
}

// Two Services with one port: the one that had it keeps it, and when it goes
// the other has it.
func TestSharedPort(t *testing.T) {
	s, _ := start(t)
	port := reserve(t)
	a, b := service("a"), service("b")
	s.Sync(map[plan.Service]plan.HealthCheck{b: {Port: port, Ready: 2}}, plan.NodePorts{All: true})
	for range 20 {
		s.Sync(map[plan.Service]plan.HealthCheck{a: {Port: port, Ready: 1}, b: {Port: port, Ready: 2}}, plan.NodePorts{All: true})
		expect(t, "127.0.0.1", port, 200, `"name": "b"`)
	}
	if want := []string{fmt.Sprintf("ns/a: port %d: already the health-check node port of ns/b", port)}; !cmp.Equal(want, told(s)) {
		t.Errorf("problems: %v", told(s))
	}
	s.Sync(map[plan.Service]plan.HealthCheck{a: {Port: port, Ready: 1}}, plan.NodePorts{All: true})
	expect(t, "127.0.0.1", port, 200, `"name": "a"`)
}

// Two Services that exchange their ports get them at once.
func TestExchangedPorts(t *testing.T) {
	s, _ := start(t)
	one, two := reserve(t), reserve(t)
	a, b := service("a"), service("b")
	s.Sync(map[plan.Service]plan.HealthCheck{a: {Port: one, Ready: 1}, b: {Port: two, Ready: 1}}, plan.NodePorts{All: true})
	s.Sync(map[plan.Service]plan.HealthCheck{a: {Port: two, Ready: 1}, b: {Port: one, Ready: 1}}, plan.NodePorts{All: true})
	expect(t, "127.0.0.1", one, 200, `"name": "b"`)
	expect(t, "127.0.0.1", two, 200, `"name": "a"`)
	if all := told(s); len(all) > 0 {
		t.Errorf("problems: %v", all)
	}
}

// They answer at the addresses of node ports alone, which may change.
func TestNodePortAddresses(t *testing.T) {
	s, _ := start(t)
	s.local = func() ([]net.Addr, error) {
		var all []net.Addr
		for _, a := range []string{"127.0.0.1/8", "127.0.0.2/8", "fe80::1/64", "::1/128"} {
			p := netip.MustParsePrefix(a)
			all = append(all, &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())})
		}
		return all, nil
	}
	port := reserve(t)
	want := map[plan.Service]plan.HealthCheck{service("a"): {Port: port, Ready: 1}}
	at := func(prefixes ...string) (n plan.NodePorts) {
		for _, p := range prefixes {
			n.Prefixes = append(n.Prefixes, netip.MustParsePrefix(p))
		}
		return n
	}
	s.Sync(want, at("127.0.0.2/32", "fe80::/10"))
	expect(t, "127.0.0.2", port, 200, `"a"`)
	refused(t, "127.0.0.1", port)
	s.Sync(want, at("127.0.0.1/32", "::/0"))
	expect(t, "127.0.0.1", port, 200, `"a"`)
	expect(t, "::1", port, 200, `"a"`)
	refused(t, "127.0.0.2", port)
	s.Sync(want, at("192.0.2.0/24"))
	refused(t, "127.0.0.1", port)
	if all := told(s); len(all) != 1 || !strings.Contains(all[0], "no address") {
		t.Errorf("problems: %v", all)
	}
}

// Two processes have a port at a time when one follows the other, and somebody
// answers all along.
func TestOverlap(t *testing.T) {
	first, _ := start(t)
	second, _ := start(t)
	port := reserve(t)
	want := map[plan.Service]plan.HealthCheck{service("a"): {Port: port, Ready: 1}}
	first.Sync(want, plan.NodePorts{All: true})
	second.Sync(want, plan.NodePorts{All: true})
	expect(t, "127.0.0.1", port, 200, `"a"`)
	first.Close()
	first.Close()
	first.Sync(want, plan.NodePorts{All: true})
	for range 20 {
		expect(t, "127.0.0.1", port, 200, `"a"`)
	}
	if all := append(told(first), told(second)...); len(all) > 0 {
		t.Errorf("problems: %v", all)
	}
	second.Close()
	refused(t, "127.0.0.1", port)
}
