package cluster

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// A load that can't see a dropped request would prove nothing.
func TestLoadCountsEachDroppedRequest(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for name, c := range map[string]struct {
		third string // what the third request of a connection gets, before the connection is closed
		fails string // "": that isn't a failure
	}{
		"closed in place of an answer": {"", "read: "},
		"cut in the head":              {"HTTP/1.1 20", "read: "},
		"cut in the body":              {answer[:len(answer)-1], "read the body: "},
		"bad gateway":                  {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "status 502"},
		"closed as announced":          {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", ""},
	} {
		t.Run(name, func(t *testing.T) {
			port, broken := thirdFails(t, answer, c.third)
			l := (&Sallyport{HTTP: port}).StartLoad(t, "http://a.example.org/", 1)
			l.Pass(t, 10)
			_, failures := l.Stop()
			if c.fails == "" && len(failures) > 0 {
				t.Errorf("failures: %v", failures)
			}
			// The last connection may have been stopped after its third request was counted here.
			if c.fails != "" && (len(failures) == 0 || len(failures) < int(broken.Load())-1 || !strings.Contains(failures[0], c.fails)) {
				t.Errorf("of %d broken requests these are counted: %v", broken.Load(), failures)
			}
		})
	}
}

func thirdFails(t *testing.T, answer, third string) (port int, broken *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	broken = &atomic.Int32{}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 4096)
				for n := 1; ; n++ {
					if _, err := conn.Read(buffer); err != nil {
						return
					}
					if n == 3 {
						broken.Add(1)
						io.WriteString(conn, third)
						return
					}
					io.WriteString(conn, answer)
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, broken
}
