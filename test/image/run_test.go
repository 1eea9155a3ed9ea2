package image

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

const web = `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.244.1.1]}]
ports: [{port: 8080}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {%s}}
spec:
  ingressClassName: nginx
  tls: [{secretName: cert, hosts: [a.example.org]}]
  rules: [{host: a.example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
`

// objects are an Ingress with a certificate and annotations.
func objects(t *testing.T, annotations string) string {
	t.Helper()
	return fmt.Sprintf(web, `nginx.ingress.kubernetes.io/ssl-redirect: "false"`+annotations) +
		cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("default", "cert")
}

// unprivilegedPorts sets from which port on everybody may listen.
func unprivilegedPorts(t *testing.T, from string) {
	t.Helper()
	const path = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
	before, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(from), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, before, 0); err != nil {
			t.Error(err)
		}
	})
}

// The ways in which pods are given the ports 80 and 443, or no such port.
var ways = map[string]struct {
	cluster.Confinement
	from        string // net.ipv4.ip_unprivileged_port_start
	http, https int
}{
	"a capability":                             {confined(false, unix.CAP_NET_BIND_SERVICE), "1024", 80, 443},
	"a capability and no new privileges":       {confined(true, unix.CAP_NET_BIND_SERVICE), "1024", 80, 443},
	"a sysctl, and no capability to be had":    {confined(true), "0", 80, 443},
	"a sysctl, and privileges could be gained": {confined(false), "0", 80, 443},
	"high ports, and no capability":            {confined(true), "1024", 8000, 8443},
}

func confined(noNewPrivs bool, capabilities ...int) cluster.Confinement {
	return cluster.Confinement{User: 101, Capabilities: capabilities, NoNewPrivs: noNewPrivs}
}

func TestServes(t *testing.T) {
	cluster.Echo(t, "web", "10.244.1.1:8080")
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			unprivilegedPorts(t, way.from)
			s := cluster.Launch(t, cluster.Options{
				Args: []string{"--manifests=" + manifests(t, objects(t, "")), "--enable-metrics"}, Confined: &way.Confinement, HTTP: way.http, HTTPS: way.https,
			})
			for _, url := range []string{"http://a.example.org/", "https://a.example.org/"} {
				if r := s.Get(t, url); r.Status != 200 || r.Seen == nil {
					t.Errorf("%s: %s", url, r)
				}
			}
			r := s.Do(t, cluster.Request{Method: "POST", URL: "https://a.example.org/", Body: strings.Repeat("x", 500<<10)})
			if r.Seen == nil || r.Seen.Body != 500<<10 {
				t.Errorf("a body that is kept in a file: %s", r)
			}
			for _, p := range s.Nginx() {
				status(t, p.ID, "Uid", "101", "Gid", "101", "CapBnd", mask(way.Capabilities), "CapEff", mask(way.Capabilities))
			}
			status(t, s.Pid(), "Uid", "101", "Gid", "101", "CapPrm", mask(way.Capabilities))
			if lines := complaints(s.Log()); lines != "" {
				t.Errorf("it complains:\n%s", lines)
			}
		})
	}
}

// mask is a set of capabilities as the kernel writes it.
func mask(capabilities []int) string {
	set := uint64(0)
	for _, c := range capabilities {
		set |= 1 << c
	}
	return fmt.Sprintf("%016x", set)
}

// status wants values of /proc/PID/status.
func status(t *testing.T, pid int, want ...string) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		if f := strings.Fields(value); len(f) > 0 {
			have[key] = f[0]
		}
	}
	for i := 0; i < len(want); i += 2 {
		if have[want[i]] != want[i+1] {
			t.Errorf("process %d (%s) has %s %s, want %s", pid, have["Name"], want[i], have[want[i]], want[i+1])
		}
	}
}

// complaints are the lines of a log that are no news: nothing may be wrong in a
// tree that is whole.
func complaints(log string) string {
	var found strings.Builder
	for line := range strings.Lines(log) {
		if strings.Contains(line, "is buffered to a temporary file") {
			continue // what a test wants
		}
		for _, word := range []string{"level=WARN", "level=ERROR", "[alert]", "[emerg]", "[crit]", "[error]", "[warn]"} {
			if strings.Contains(line, word) {
				found.WriteString(line)
			}
		}
	}
	return found.String()
}

// nginx in a container of its own has the same rights by the same way, and the
// controller needs none.
func TestServesFromAContainerOfItsOwn(t *testing.T) {
	cluster.Echo(t, "web", "10.244.1.1:8080")
	unprivilegedPorts(t, "1024")
	folder := manifests(t, "") + "/w"
	if err := errors.Join(os.Mkdir(folder, 0o700), os.Chown(folder, 101, 101)); err != nil {
		t.Fatal(err)
	}
	nothing := confined(true)
	s := cluster.Launch(t, cluster.Options{
		Args: []string{"--manifests=" + manifests(t, objects(t, ""))}, Confined: &nothing, HTTP: 80, HTTPS: 443,
		WorkDir: folder, External: cluster.ConfineDataPlane(t, folder, confined(true, unix.CAP_NET_BIND_SERVICE)),
	})
	for _, url := range []string{"http://a.example.org/", "https://a.example.org/"} {
		if r := s.Get(t, url); r.Seen == nil {
			t.Errorf("%s: %s", url, r)
		}
	}
}

// Who may not listen is told why.
func TestPortsThatMayNotBeHad(t *testing.T) {
	unprivilegedPorts(t, "1024")
	c := confined(true)
	s := cluster.Launch(t, cluster.Options{
		Args: []string{"--manifests=" + manifests(t, objects(t, ""))}, Confined: &c, HTTP: 80, HTTPS: 443, Unready: true,
	})
	<-s.Ended()
	if s.ExitCode() != 1 || !strings.Contains(s.Log(), "NET_BIND_SERVICE") {
		t.Errorf("ended with %d and said %q", s.ExitCode(), s.Log())
	}
}

// The controller is the first process of its container: what loses its parent in
// there is its child, and takes a process id until it is waited for.
func TestReapsOrphans(t *testing.T) {
	cluster.Echo(t, "web", "10.244.1.1:8080")
	c := confined(true)
	s := cluster.Launch(t, cluster.Options{Args: []string{"--manifests=" + manifests(t, objects(t, ""))}, Confined: &c})
	status(t, s.Pid(), "NSpid", fmt.Sprint(s.Pid())) // in the tests' namespace first
	for range 2 {
		old := s.Nginx()
		for _, p := range old {
			if p.Master {
				if err := syscall.Kill(p.ID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		cluster.Eventually(t, "there is another nginx, and nobody is left of the old one", func() error {
			if now := s.Master(); now == 0 || now == old[0].ID {
				return fmt.Errorf("the master is %d, it was %d", now, old[0].ID)
			}
			for _, p := range old {
				if _, err := os.Stat(fmt.Sprintf("/proc/%d", p.ID)); err == nil {
					text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.ID))
					return fmt.Errorf("%d is still there: %.60s", p.ID, text)
				}
			}
			return nil
		})
	}
	if r := s.Get(t, "http://a.example.org/"); r.Seen == nil {
		t.Errorf("%s", r)
	}
}
