package main

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// scripted serves connections in turn: each takes the requests of its script
// and sends the given texts, then closes. "" closes without a word.
func scripted(t *testing.T, connections ...[]string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for _, script := range connections {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			play(conn, script)
		}
		l.Close()
	}()
	return l.Addr().String()
}

func play(conn net.Conn, script []string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, text := range script {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			return
		}
	}
}

const (
	fine  = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	final = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
)

func TestClientNeverRepeatsARequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		script []string
	}{
		{"closed without an answer", []string{fine, ""}},
		{"cut in the header", []string{fine, "HTTP/1.1 200 OK\r\nContent-"}},
		{"cut in the body", []string{fine, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"}},
		{"cut in a chunk", []string{fine, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok"}},
		{"not HTTP", []string{fine, "SSH-2.0-x\r\n\r\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The second connection would answer, if it were ever used.
			k := &client{address: scripted(t, c.script, []string{fine}), request: get("a", "/")}
			defer k.close()
			if _, err := k.do(); err != nil {
				t.Fatal("first request:", err)
			}
			if a, err := k.do(); err == nil {
				t.Errorf("second request: %+v, want an error", a)
			}
		})
	}
}

func TestClientOpensANewConnectionWhenToldTo(t *testing.T) {
	k := &client{address: scripted(t, []string{final}, []string{fine}), request: get("a", "/")}
	defer k.close()
	for range 2 {
		a, err := k.do()
		if err != nil || a.status != 200 || a.body != "ok" {
			t.Fatalf("do = %+v, %v", a, err)
		}
	}
}

func TestClientNoticesAnIdleClose(t *testing.T) {
	k := &client{address: scripted(t, []string{fine}, []string{fine}), request: get("a", "/")}
	defer k.close()
	if _, err := k.do(); err != nil {
		t.Fatal(err)
	}
	if !k.idle(time.Minute) { // ends as soon as the server closes
		t.Fatal("idle did not notice that the server closed")
	}
	if _, err := k.do(); err != nil {
		t.Fatal("after an idle close:", err)
	}
}

func TestClientKeepsAnIdleConnection(t *testing.T) {
	k := &client{address: scripted(t, []string{fine, fine}), request: get("a", "/")}
	defer k.close()
	if _, err := k.do(); err != nil {
		t.Fatal(err)
	}
	before := k.conn
	if k.idle(time.Millisecond) {
		t.Fatal("idle took an open connection for closed")
	}
	if _, err := k.do(); err != nil || k.conn != before {
		t.Fatalf("the connection was not kept: %v", err)
	}
}

func TestQuietSeesAnEndBeforeItIsRead(t *testing.T) {
	k := &client{address: scripted(t, []string{fine}), request: get("a", "/")}
	defer k.close()
	if _, err := k.do(); err != nil {
		t.Fatal(err)
	}
	// The read ends with the server's close, and leaves it where it is.
	if err := k.conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.in.Peek(1); err == nil {
		t.Fatal("the server did not close")
	}
	if k.quiet() {
		t.Error("quiet did not see the end")
	}
}

func TestReason(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = (&client{address: l.Addr().String(), request: get("a", "/")}).do()
	if err == nil || reason(err) != "refused" || !strings.HasPrefix(err.Error(), "connect: ") {
		t.Errorf("a closed port gives %v, reason %q", err, reason(err))
	}
	_, err = (&client{address: scripted(t, []string{""}), request: get("a", "/")}).do()
	if reason(err) != "closed" {
		t.Errorf("a closed connection gives %v, reason %q", err, reason(err))
	}
}
