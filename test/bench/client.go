package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// answerTimeout is how long a response may take before its request counts as
// failed.
const answerTimeout = 10 * time.Second

// A client sends one request at a time over one keepalive connection of
// HTTP/1.1. It is stricter than net/http, which silently repeats an idempotent
// request when the connection under it is gone: here that is a failure. It
// opens a new connection only where it has none, was told to close the last
// one, or saw it closed before it had written anything.
type client struct {
	address string
	tls     *tls.Config // nil: plain HTTP
	request []byte
	opened  func() // if set, called for each new connection

	conn net.Conn
	in   *bufio.Reader
}

// An answer is a whole response.
type answer struct {
	status int
	header http.Header
	body   string
}

// get is a GET request for one path of a host, as its bytes.
func get(host, path string, headers ...string) []byte {
	lines := append([]string{"GET " + path + " HTTP/1.1", "Host: " + host, "User-Agent: sallyport-bench"}, headers...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// do sends the request once and reads the whole response. After an error the
// connection is gone.
func (c *client) do() (answer, error) {
	if c.conn == nil {
		if err := c.dial(); err != nil {
			return answer{}, err
		}
	}
	a, last, err := c.exchange()
	if err != nil || last {
		c.close()
	}
	return a, err
}

func (c *client) exchange() (a answer, last bool, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return answer{}, true, err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return answer{}, true, fmt.Errorf("write: %w", err)
	}
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return answer{}, true, fmt.Errorf("read: %w", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return answer{}, true, fmt.Errorf("read body: %w", err)
	}
	return answer{status: r.StatusCode, header: r.Header, body: string(body)}, r.Close, nil
}

func (c *client) dial() error {
	d := &net.Dialer{Timeout: answerTimeout}
	var err error
	if c.tls == nil {
		c.conn, err = d.Dial("tcp", c.address)
	} else {
		c.conn, err = tls.DialWithDialer(d, "tcp", c.address, c.tls)
	}
	if err != nil {
		c.conn = nil // a typed nil otherwise
		return fmt.Errorf("connect: %w", err)
	}
	c.in = bufio.NewReaderSize(c.conn, 4<<10)
	if c.opened != nil {
		c.opened()
	}
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// idle waits and says whether the server closed the connection meanwhile. That
// is its right (RFC 9112, 9.3.1) and no request is lost by it, so the next
// request opens a new one, as each client does.
func (c *client) idle(d time.Duration) (closed bool) {
	if c.conn == nil {
		time.Sleep(d)
		return false
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(d)); err == nil {
		_, err = c.in.Peek(1)
		if errors.Is(err, os.ErrDeadlineExceeded) && c.quiet() {
			return false
		}
	}
	c.close()
	return true
}

// quiet says whether the server has sent nothing, not even an end, as far as
// the kernel knows by now. On a busy machine a read that ends with its deadline
// may not have seen what came in time.
func (c *client) quiet() bool {
	conn := c.conn
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	var got error
	err = raw.Control(func(fd uintptr) {
		_, _, got = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	return err == nil && errors.Is(got, unix.EAGAIN)
}

// reason puts an error of do into one of a few classes.
func reason(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.Is(err, syscall.EPIPE):
		return "broken pipe"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	default:
		return "other"
	}
}
