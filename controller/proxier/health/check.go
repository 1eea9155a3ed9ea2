package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/health/httpd"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

const (
	response = 5 * time.Second // an answer has to be taken within so long
	grace    = time.Second     // and at the end within so long
)

var errNoAddress = errors.New("the node has no address at which node ports answer")

// A check is the health-check node port of one Service.
type check struct {
	service plan.Service
	port    uint16
	ready   atomic.Int64
	healthy func() bool
	http    *http.Server

	// ServicePorts.mu guards these.
	holds  bool  // the port is its own, and no other Service's
	failed error // why it can't be served, as told; nil: it is

	mu        sync.Mutex
	listeners map[string]net.Listener // by address
}

func newCheck(service plan.Service, port uint16, s *ServicePorts) *check {
	c := &check{service: service, port: port, healthy: s.healthy, listeners: map[string]net.Listener{}}
	c.http = httpd.HTTP(c, response, s.log)
	return c
}

// status is what a port tells, in kube-proxy's words.
type status struct {
	Service struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"service"`
	LocalEndpoints      int64 `json:"localEndpoints"`
	ServiceProxyHealthy bool  `json:"serviceProxyHealthy"`
}

// ServeHTTP answers whatever is asked: load balancers ask for any path.
func (c *check) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	var s status
	s.Service.Namespace, s.Service.Name = c.service.Namespace, c.service.Name
	s.LocalEndpoints, s.ServiceProxyHealthy = c.ready.Load(), c.healthy()
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	code := http.StatusServiceUnavailable
	if s.LocalEndpoints > 0 && s.ServiceProxyHealthy {
		code = http.StatusOK
	}
	w.Header().Set("X-Load-Balancing-Endpoint-Weight", fmt.Sprint(s.LocalEndpoints))
	write(w, code, text)
}

// listen makes it answer at the addresses and no others, as far as it can. The
// error is of all those that could not be had.
func (c *check) listen(addresses []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a, l := range c.listeners {
		if !slices.Contains(addresses, a) {
			delete(c.listeners, a)
			l.Close() // what it could say is of no use: it is given up
		}
	}
	if len(addresses) == 0 {
		return fmt.Errorf("port %d: %w", c.port, errNoAddress)
	}
	var failed []error
	for _, a := range addresses {
		if c.listeners[a] != nil {
			continue
		}
		l, err := open(net.JoinHostPort(a, strconv.Itoa(int(c.port))))
		if err != nil {
			failed = append(failed, err)
			continue
		}
		c.listeners[a] = l
		go c.serve(a, l)
	}
	return errors.Join(failed...)
}

// serve answers at an address until its listener is closed. One that broke is
// forgotten, to be opened again.
func (c *check) serve(address string, l net.Listener) {
	_ = c.http.Serve(l) // it has closed l, whatever it says
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listeners[address] == l {
		delete(c.listeners, address)
	}
}

// deafen gives the port back at once.
func (c *check) deafen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.listeners {
		l.Close() // it is given up
	}
	clear(c.listeners)
}

// finish ends it after the answers that are under way.
func (c *check) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := c.http.Shutdown(ctx); err != nil {
		c.http.Close() // its error would be about the same connections
	}
}

// open listens at an address that another process of the same user may hold in
// the same way: when one proxier follows another, somebody answers always.
func open(address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, failed)
	}}
	l, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err // it names the address
	}
	return httpd.Bounded(l), nil
}
