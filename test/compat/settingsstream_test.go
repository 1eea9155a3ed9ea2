package compat

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const streamPort = 9000

// hello is a server that says hello to whoever connects, and hangs up once its
// client does.
func hello(t *testing.T, address string) {
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
				fmt.Fprint(c, "hello")
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
}

// twice is a server that answers each datagram with two, the second one later.
func twice(t *testing.T, address string) {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			_, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			answer := func() { _, _ = c.WriteTo([]byte("answer"), from) } // whoever waits for it fails
			answer()
			time.AfterFunc(200*time.Millisecond, answer)
		}
	}()
}

// greeted says whether n connections are said hello to.
func greeted(n int) func(client) string {
	return func(c client) string {
		for range n {
			if got := greeting(c); got != "hello" {
				return "not all"
			}
		}
		return "all"
	}
}

func greeting(c client) string {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", streamPort))
	if err != nil {
		return "refused"
	}
	defer conn.Close()
	b := make([]byte, 5)
	if _, err := io.ReadFull(conn, b); err != nil {
		return "closed"
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn) // to its end, by which it is logged
	return string(b)
}

// left says whether a connection that says nothing is ended within some seconds;
// to wait in vain only hides that a key is not proven.
func left(c client) string {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", streamPort))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(3 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
		return "kept"
	}
	return "ended"
}

// datagramsBack is how many answers one datagram has within two seconds.
func datagramsBack(c client) string {
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", streamPort))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "x"); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, 1500)
	for n := 0; ; n++ {
		if _, err := conn.Read(b); err != nil {
			return fmt.Sprint(n)
		}
	}
}

// streamKeys are about TCP and UDP services, which are of endpoints' addresses.
func streamKeys() map[string]keyProof {
	var file string
	// served has a TCP service, and a UDP one, of these of the group's addresses: at
	// 10 one answers, at 11 nobody does, and at 12 connections hang.
	served := func(key, value, want string, ask func(client) string, more ...string) keyProof {
		p := one(key, value, want, ask)
		p.flags = []string{"--tcp-services-configmap=default/tcp", "--udp-services-configmap=default/udp"}
		suffix := ""
		hosts := []int{10}
		for _, word := range more {
			switch word {
			case "half":
				hosts = []int{10, 11}
			case "silent":
				hosts = []int{10, 12}
			case "PROXY":
				suffix = ":PROXY"
			}
		}
		p.prepare = func(t *testing.T, p *keyProof, g *site) {
			hello(t, g.address(10)+":8080")
			twice(t, g.address(10)+":8080")
			if hosts[len(hosts)-1] == 12 {
				silent(t, g.address(12), 8080)
			}
			file = filepath.Join(g.dir, "stream.log")
			if key == "stream-access-log-path" {
				p.settings[key] = file
			}
			var addresses []string
			for _, i := range hosts {
				addresses = append(addresses, g.address(i))
			}
			endpoints := strings.ReplaceAll(service("raw", addresses...), "spec: {ports", "spec: {clusterIP: None, ports")
			p.more = endpoints + "---\n" + strings.NewReplacer("TCP", "UDP", "port: 80,", "protocol: UDP, port: 80,", " raw", " packets", "raw-1", "packets-1").Replace(endpoints)
			for name, service := range map[string]string{"tcp": "raw", "udp": "packets"} {
				p.more += fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: default}\ndata: {\"%d\": \"default/%s:80%s\"}\n", name, streamPort, service, suffix)
			}
		}
		return p
	}
	// lines says whether the first of two connections is in a log.
	lines := func(log func(client) string, text string) func(client) string {
		return func(c client) string {
			was := len(log(c))
			greeted(2)(c)
			return fmt.Sprint(strings.Contains(log(c)[was:], text))
		}
	}
	access := func(c client) string { return c.site.AccessLog() }
	snippet := one("stream-snippet", fmt.Sprintf("server { listen %d; proxy_pass web.default.svc:80; }", portOf(hostOf(0, ""))), "web", byPort)
	// A connection to where it hangs is given up after two seconds.
	late := served("proxy-stream-next-upstream-timeout", "1s", "not all", greeted(3), "silent")
	late.settings = with(late.settings, "stream-snippet", fmt.Sprintf("server { listen %d; proxy_connect_timeout 2s; proxy_pass raw.default.svc:80; }", streamPort))
	late.flags = nil
	return numbered(
		late,
		served("log-format-stream", "mine of $protocol", "true", lines(access, "mine of TCP\n")),
		served("stream-access-log-path", "", "true", lines(func(client) string { return written(file) }, " TCP 200 ")),
		served("disable-stream-access-log", "true", "false", lines(access, " TCP 200 ")),
		served("proxy-stream-timeout", "1s", "ended", left), served("proxy-protocol-header-timeout", "1s", "ended", left, "PROXY"),
		served("proxy-stream-next-upstream", "false", "not all", greeted(20), "half"), served("proxy-stream-next-upstream-tries", "1", "not all", greeted(20), "half"),
		served("proxy-stream-responses", "2", "2", datagramsBack),
		snippet,
	)
}
