package nginx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// ErrFull says that nginx's memory for data is full: some items were not set.
// None was evicted for another.
var ErrFull = errors.New("nginx's shared memory for data is full")

// Status is what nginx says of itself.
type Status struct {
	Generation string // of the newest workers
	Version    int    // grows with each push and each start of a worker
	Workers    int    // of that generation that have started
	Configured int    // how many there are to be
	Capacity   int    // bytes of the memory for data
	Free       int    // bytes of whole free pages in it
	Lost       int    // items that did not fit when nginx started
}

// A control is a client of the control socket. Each request has a connection
// of its own: a kept one could lead to a worker of an nginx that was replaced.
type control struct{ http *http.Client }

func dialing(socket string) control {
	dialer := &net.Dialer{}
	return control{&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
	}}}
}

// ask sends a request and returns the answer's body, or an error for any
// other answer than 200.
func (c control) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://nginx"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("nginx control socket: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("nginx control socket: %s %s: %w", method, path, err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return answer, nil
	case http.StatusInsufficientStorage:
		return nil, fmt.Errorf("%w: %s", ErrFull, reason(answer))
	default:
		return nil, fmt.Errorf("nginx control socket: %s %s: status %d: %s", method, path, resp.StatusCode, reason(answer))
	}
}

func reason(answer []byte) string {
	var v struct{ Error string }
	if json.Unmarshal(answer, &v) == nil && v.Error != "" {
		return v.Error
	}
	return strings.TrimSpace(string(answer))
}

func (c control) get(ctx context.Context, path string, into any) error {
	return c.into(ctx, http.MethodGet, path, into)
}

func (c control) into(ctx context.Context, method, path string, into any) error {
	answer, err := c.ask(ctx, method, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("nginx control socket: %s: %w", path, err)
	}
	return nil
}

// Digests returns the md5, in hex, of each item that nginx holds.
func (f *Folder) Digests(ctx context.Context) (map[string]string, error) {
	var v struct{ Keys map[string]string }
	err := f.control.get(ctx, "/data", &v)
	return v.Keys, err
}

// Status asks nginx for its status.
func (f *Folder) Status(ctx context.Context) (Status, error) {
	var s Status
	err := f.control.get(ctx, "/status", &s)
	return s, err
}

// StubStatus is what nginx counts over all its connections.
type StubStatus struct {
	Active, Accepted, Handled, Requests int
	Reading, Writing, Waiting           int
}

// Stub asks nginx for its own counters.
func (f *Folder) Stub(ctx context.Context) (StubStatus, error) {
	answer, err := f.control.ask(ctx, http.MethodGet, "/nginx_status", nil)
	if err != nil {
		return StubStatus{}, err
	}
	var numbers []int
	for _, field := range strings.Fields(string(answer)) {
		if number, err := strconv.Atoi(field); err == nil {
			numbers = append(numbers, number)
		}
	}
	if len(numbers) != 7 {
		return StubStatus{}, fmt.Errorf("nginx control socket: /nginx_status: %q is not a stub_status", answer)
	}
	return StubStatus{numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6]}, nil
}
