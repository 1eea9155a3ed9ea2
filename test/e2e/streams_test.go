package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// lineServer answers each connection with its name and all lines that came, up
// to an empty one.
func lineServer(t *testing.T, name, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				lines := bufio.NewScanner(c)
				fmt.Fprint(c, name)
				for lines.Scan() && lines.Text() != "" {
					fmt.Fprint(c, "|"+lines.Text())
				}
			}()
		}
	}()
}

// packetServer answers each datagram with its name and what came.
func packetServer(t *testing.T, name, address string) {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo([]byte(name+"|"+string(b[:n])), from) // whoever waits for it fails
		}
	}()
}

// talk sends lines and gives all that comes back, or why nothing does.
func talk(t *testing.T, port int, lines ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "refused"
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil { // a guard
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		return "closed"
	}
	answer, _ := io.ReadAll(c)
	if len(answer) == 0 {
		return "closed"
	}
	return string(answer)
}

// send sends a datagram and gives the answer.
func send(t *testing.T, port int, text string) string {
	t.Helper()
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil { // a guard
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		return err.Error()
	}
	b := make([]byte, 1500)
	n, err := c.Read(b)
	if err != nil {
		return err.Error()
	}
	return string(b[:n])
}

// says waits until an answer is that.
func says(t *testing.T, want string, ask func() string) {
	t.Helper()
	cluster.Eventually(t, "the answer is "+want, func() error {
		if got := ask(); got != want {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

// headless is a Service without an address of its own, of one port.
func headless(name, protocol string, port int, addresses ...string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: Service\nmetadata: {name: %[1]s}\nspec: {clusterIP: None, ports: [{name: main, port: %[3]d, protocol: %[2]s}]}\n"+
		"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %[1]s-1, labels: {kubernetes.io/service-name: %[1]s}}\naddressType: IPv4\n"+
		"endpoints: [{addresses: [%[4]s], conditions: {ready: true}}]\nports: [{name: main, port: %[3]d, protocol: %[2]s}]\n",
		name, protocol, port, strings.Join(addresses, ", "))
}

func streamMap(name string, lines ...string) string {
	return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: default}\ndata:\n  " + strings.Join(append(lines, `"1": none`), "\n  ") + "\n"
}

var streamFlags = []string{"--tcp-services-configmap=default/tcp", "--udp-services-configmap=default/udp"}

func TestTCPAndUDPServices(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		lineServer(t, "one", "10.244.150.1:5432")
		lineServer(t, "two", "10.244.150.2:5432")
		packetServer(t, "udp", "10.244.150.1:53")
		apps(t, w, 150, "web")
		w.Apply(t, web("web", "a.example.org", "web").String()+headless("db", "TCP", 5432, "10.244.150.1")+headless("dns", "UDP", 53, "10.244.150.1")+
			streamMap("tcp", `"9000": default/db:5432`, `"9001": default/db:main:PROXY`, `"9002": default/db:5432::PROXY`, `"9003": default/db:5432:PROXY:PROXY`, `"9005": default/later:5432`)+
			streamMap("udp", `"9000": default/dns:53`))
		s := w.launch(t, streamFlags...)
		says(t, "one|hello", func() string { return talk(t, 9000, "hello") })
		if got := send(t, 9000, "x"); got != "udp|x" {
			t.Errorf("UDP: %s", got)
		}
		const proxied = "PROXY TCP4 192.0.2.7 192.0.2.8 1111 2222"
		const binary = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x08\x04\x57\x08\xae"
		for _, test := range []struct {
			port  int
			lines []string
			want  string
		}{
			{9001, []string{proxied, "hello"}, "one|hello"},
			{9001, []string{binary + "hello"}, "one|hello"},
			{9003, []string{binary + "hello"}, "one|PROXY TCP4 192.0.2.7 127.0.0.1 1111 9003|hello"},
			{9001, []string{"hello"}, "closed"}, // whoever does not say it is not believed
			{9003, []string{proxied, "hello"}, "one|PROXY TCP4 "},
			{9002, []string{"hello"}, "one|PROXY TCP4 127.0.0.1 127.0.0.1 "},
			{9005, []string{"hello"}, "closed"},
		} {
			if got := talk(t, test.port, test.lines...); !strings.HasPrefix(got, test.want) {
				t.Errorf("port %d: got %q, want %q", test.port, got, test.want)
			}
		}
		// Endpoints, a Service that comes, an entry that comes, one that goes.
		w.Apply(t, headless("db", "TCP", 5432, "10.244.150.2"))
		says(t, "two|x", func() string { return talk(t, 9000, "x") })
		w.Apply(t, headless("later", "TCP", 5432, "10.244.150.1"))
		says(t, "one|x", func() string { return talk(t, 9005, "x") })
		w.Apply(t, streamMap("tcp", `"9006": default/db:5432`))
		says(t, "two|x", func() string { return talk(t, 9006, "x") })
		says(t, "refused", func() string { return talk(t, 9000, "x") })
		requests(t, s, "http://a.example.org/", "web")
	})
}

// A Service may be a name: its addresses are asked for, again and again.
func TestTCPServiceOfAnExternalName(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		d := cluster.StartDNS(t)
		d.Set(t, "db.example.com", "db.example.com. 1 IN A 10.244.156.1")
		lineServer(t, "one", "10.244.156.1:5432")
		lineServer(t, "two", "10.244.156.2:5432")
		apps(t, w, 156, "web")
		w.Apply(t, web("web", "a.example.org", "web").String()+external("db", "db.example.com")+external("none", "none.example.com")+
			streamMap("tcp", `"9000": default/db:5432`, `"9001": default/none:5432`))
		s := w.launch(t, streamFlags...)
		says(t, "one|x", func() string { return talk(t, 9000, "x") })
		if got := talk(t, 9001, "x"); got != "closed" {
			t.Errorf("a name without addresses: %s", got)
		}
		d.Set(t, "db.example.com", "db.example.com. 1 IN A 10.244.156.2")
		says(t, "two|x", func() string { return talk(t, 9000, "x") })
		requests(t, s, "http://a.example.org/", "web")
	})
}

// Whoever keeps the ConfigMap is told there what is wrong in it.
func TestTCPServicesAreToldOfTheirFaults(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 157, "web")
	w.Apply(t, web("web", "a.example.org", "web").String()+streamMap("tcp", `"80": default/web:80`, `"9000": nonsense`, `"9001": default/absent:80`))
	s := w.launch(t, streamFlags...)
	requests(t, s, "http://a.example.org/", "web")
	event(t, w, "ConfigMap", "default", "tcp", "Warning", "9000", "nonsense", "is not namespace/name:port")
	event(t, w, "ConfigMap", "default", "tcp", "Warning", "9001", "default/absent")
}

// To the Service's own address, which stays: no endpoint is in nginx.conf.
func TestTCPServiceByItsClusterAddress(t *testing.T) {
	w := inFolder(t)
	lineServer(t, "kernel", "10.244.151.1:5432")
	apps(t, w, 151, "web", "other")
	service := "---\napiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {clusterIP: 10.244.151.1, ports: [{name: main, port: 5432}]}\n"
	w.Apply(t, web("web", "a.example.org", "web").String()+service+slice("db", "db-1", "10.244.151.9")+streamMap("tcp", `"9000": default/db:5432`))
	s := w.launch(t, streamFlags...)
	says(t, "kernel|x", func() string { return talk(t, 9000, "x") })
	w.Apply(t, slice("db", "db-1", "10.244.151.8")+slice("web", "web-1", "10.244.151.2"))
	becomes(t, s, "http://a.example.org/", "other") // what came with it is in
	w.Apply(t, web("late", "b.example.org", "other").String())
	logged(t, s, "applied", "by=reload", "servers=3") // reloads are told one after the other
	if n := strings.Count(s.Log(), "by=reload"); n != 1 {
		t.Errorf("%d reloads; only the new host is one", n)
	}
	says(t, "kernel|x", func() string { return talk(t, 9000, "x") })
}

// A port that another process has, and each wrong entry, costs that entry alone;
// when the port is free, it is had.
func TestATCPPortThatIsTaken(t *testing.T) {
	w := inFolder(t)
	other, err := net.Listen("tcp", ":9007")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lineServer(t, "one", "10.244.152.1:5432")
	apps(t, w, 152, "web")
	entries := []string{`"9000": default/db:5432`, `"9007": default/db:5432`}
	for i := range 50 {
		entries = append(entries, fmt.Sprintf("%q: %q", fmt.Sprint(9100+i), []string{"x", "a/b", "default/none:1", "default/db:5432:x", "../../x:1"}[i%5]))
	}
	w.Apply(t, web("web", "a.example.org", "web").String()+headless("db", "TCP", 5432, "10.244.152.1")+streamMap("tcp", entries...))
	s := w.launch(t, streamFlags...)
	says(t, "one|x", func() string { return talk(t, 9000, "x") })
	requests(t, s, "http://a.example.org/", "web")
	logged(t, s, "ConfigMap default/tcp", "9007", "address already in use")
	logged(t, s, "ConfigMap default/tcp", "9100", "is not namespace/name:port")
	other.Close()
	says(t, "one|x", func() string { return talk(t, 9007, "x") })
}

// The nginx.conf of one that was killed says that a port is ours. It is not,
// once another process has it: that costs its entry alone.
func TestATCPPortThatWasTakenWhileNginxWasAway(t *testing.T) {
	w := inFolder(t)
	lineServer(t, "one", "10.244.153.1:5432")
	apps(t, w, 153, "web")
	w.Apply(t, web("web", "a.example.org", "web").String()+headless("db", "TCP", 5432, "10.244.153.1")+streamMap("tcp", `"9010": default/db:5432`, `"9011": default/db:5432`))
	o := cluster.Options{WorkDir: filepath.Join(shortDir(t), "w"), Args: streamFlags}
	first := w.launchWith(t, o)
	says(t, "one|x", func() string { return talk(t, 9011, "x") })
	all := first.Nginx()
	first.Kill()
	for _, p := range all {
		_ = syscall.Kill(p.ID, syscall.SIGKILL) // a worker may have gone after its master
	}
	var other net.Listener
	cluster.Eventually(t, "the port is free", func() (err error) {
		other, err = net.Listen("tcp", ":9011")
		return err
	})
	defer other.Close()
	o.Before = first
	second := w.launchWith(t, o)
	requests(t, second, "http://a.example.org/", "web")
	says(t, "one|x", func() string { return talk(t, 9010, "x") })
	logged(t, second, "ConfigMap default/tcp", "9011", "address already in use")
	other.Close()
	says(t, "one|x", func() string { return talk(t, 9011, "x") })
}

// nginx does not start where it listens on more ports than a worker may have
// connections: those that are too many are left out.
func TestMorePortsThanConnections(t *testing.T) {
	w := inFolder(t)
	lineServer(t, "one", "10.244.154.1:5432")
	apps(t, w, 154, "web")
	var entries []string
	for port := 9200; port < 9500; port++ {
		entries = append(entries, fmt.Sprintf("%q: default/db:5432", fmt.Sprint(port)))
	}
	w.Apply(t, web("web", "a.example.org", "web").String()+headless("db", "TCP", 5432, "10.244.154.1")+streamMap("tcp", entries...)+
		streamMap("settings", `"max-worker-connections": "128"`))
	s := w.launch(t, append(streamFlags, "--configmap=default/settings")...)
	requests(t, s, "http://a.example.org/", "web")
	says(t, "one|x", func() string { return talk(t, 9200, "x") })
	logged(t, s, "ConfigMap default/tcp", "9499", "max-worker-connections")
	if got := talk(t, 9499, "x"); got != "refused" {
		t.Errorf("the last: %s", got)
	}
}

// Each port is a socket for each worker, and nginx's master holds them all: under
// the limit that is the highest one, not the one that a shell or a runtime began with.
func TestMorePortsThanTheSoftLimitOfFiles(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	low := before
	low.Cur = 256
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
	w := inFolder(t)
	lineServer(t, "one", "10.244.155.1:5432")
	apps(t, w, 155, "web")
	var entries []string
	for port := 9200; port < 9500; port++ {
		entries = append(entries, fmt.Sprintf("%q: default/db:5432", fmt.Sprint(port)))
	}
	w.Apply(t, web("web", "a.example.org", "web").String()+headless("db", "TCP", 5432, "10.244.155.1")+streamMap("tcp", entries...))
	s := w.launch(t, streamFlags...)
	requests(t, s, "http://a.example.org/", "web")
	says(t, "one|x", func() string { return talk(t, 9499, "x") })
}
