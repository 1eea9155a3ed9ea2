package userspace

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// datagrams carry UDP from clients to endpoints and back: a table of flows, each
// with a socket of its own to its endpoint.
type datagrams struct {
	dial    *dialer
	log     *slog.Logger
	most    int           // flows
	refused atomic.Uint64 // datagrams that would have begun one too many
	buffers buffers
	wg      sync.WaitGroup

	mu     sync.Mutex
	closed bool
	flows  map[key]*flow
	of     map[*service]map[*flow]struct{}
	warned time.Time // when too many flows were last told of
}

func newDatagrams(d *dialer, most int, log *slog.Logger) *datagrams {
	return &datagrams{
		dial: d, log: log, most: most, buffers: newBuffers(),
		flows: map[key]*flow{}, of: map[*service]map[*flow]struct{}{},
	}
}

// A way finds what the first datagram of a flow is for. An error drops it.
type way func(k key) (lead, error)

// A lead is what is known of a new flow.
type lead struct {
	target
	origin plan.Origin
	// to is where the client sent to, which its key doesn't tell where a rule has
	// changed it.
	to   netip.AddrPort
	back back
}

var errNobody = errors.New("nothing is served at this address")

// read takes what comes to a socket until that is closed. destination gives from
// a datagram's control messages where it was sent to.
func (d *datagrams) read(c *net.UDPConn, destination func(oob []byte) (netip.AddrPort, error), w way) {
	d.wg.Go(func() {
		buf, oob := make([]byte, datagramSize), make([]byte, 128)
		for {
			n, m, _, from, err := c.ReadMsgUDPAddrPort(buf, oob)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue // an ICMP error of an answer; the next read is of the next datagram
			}
			to, err := destination(oob[:m])
			if err != nil {
				d.log.Warn("a datagram is dropped", "err", err)
				continue
			}
			d.take(key{plain(from), to}, buf[:n], w)
		}
	})
}

// take passes a datagram on, by the flow that there is or a new one.
func (d *datagrams) take(k key, b []byte, w way) {
	d.mu.Lock()
	f := d.flows[k]
	d.mu.Unlock()
	if f != nil && !f.deaf() {
		f.hear()
		_, err := f.up.Write(b)
		if !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, net.ErrClosed) {
			return
		}
		if !f.replied.Load() {
			f.choice.service.unpin(k.client.Addr(), f.endpoint)
		}
	}
	if f != nil {
		d.end(f)
	}
	if err := d.begin(k, b, w, f != nil && f.deaf()); err != nil {
		d.log.Debug("a datagram is dropped", "client", k.client.String(), "to", k.to.String(), "err", err)
	}
}

// begin makes a flow with its first datagram. plainly is from the node's own
// address, whatever else holds.
func (d *datagrams) begin(k key, b []byte, w way, plainly bool) error {
	if !d.room() {
		return errors.New("there are too many flows")
	}
	l, err := w(k)
	if err != nil {
		return err
	}
	f := &flow{key: k, lead: l, begun: bytes.Clone(b), choice: l.service.take(l.frontend, k.client.Addr(), l.origin)}
	if err := d.start(f, plainly); err != nil {
		l.back.release()
		return err
	}
	return nil
}

// start connects a flow and follows it to its end, and to the next endpoint
// where one refuses the first datagram. The flow's back is released with the
// end, unless there is an error.
func (d *datagrams) start(f *flow, plainly bool) error {
	f.started = time.Now()
	if err := d.connect(f, plainly); err != nil {
		return err
	}
	if !d.add(f) {
		f.up.Close()
		return net.ErrClosed
	}
	d.wg.Go(func() {
		refusal := f.answers(&d.buffers)
		mine := d.end(f)
		if refusal != nil && !f.replied.Load() {
			f.service.unpin(f.key.client.Addr(), f.endpoint)
			next := &flow{key: f.key, lead: f.lead, begun: f.begun, choice: f.choice}
			if mine && d.start(next, plainly) == nil {
				return
			}
		}
		f.back.release()
	})
	return nil
}

// connect sends the first datagram to the first endpoint that takes it.
func (d *datagrams) connect(f *flow, plainly bool) error {
	failed := errors.New("no endpoint is to get it")
	for {
		e, ok := f.choice.next()
		if !ok {
			return failed
		}
		up, p, err := d.dial.udp(e.Address, lent(f.key.client, f.to, e), !plainly && f.choice.borrows(e))
		if err != nil {
			failed = err
			continue
		}
		if _, err := up.Write(f.begun); err != nil {
			up.Close()
			failed = err
			continue
		}
		f.up, f.path, f.endpoint = up, p, e.Address
		f.choice.settle(e)
		return nil
	}
}

// room says whether one more flow may be, and counts where not.
func (d *datagrams) room() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.flows) < d.most {
		return true
	}
	d.refused.Add(1)
	if time.Since(d.warned) > time.Minute {
		d.warned = time.Now()
		d.log.Warn("UDP flows are refused: there are too many", "most", d.most, "refused", d.refused.Load())
	}
	return false
}

// add enters a flow, unless its service has lost the endpoint meanwhile.
func (d *datagrams) add(f *flow) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || !f.service.keeps(f.endpoint) {
		return false
	}
	if was := d.flows[f.key]; was != nil {
		d.remove(was)
	}
	d.flows[f.key] = f
	v := f.service
	if d.of[v] == nil {
		d.of[v] = map[*flow]struct{}{}
	}
	d.of[v][f] = struct{}{}
	return true
}

// end closes a flow, and says whether it was still in the table. Who reads its
// answers lets go of the rest.
func (d *datagrams) end(f *flow) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.remove(f)
}

func (d *datagrams) remove(f *flow) bool {
	f.up.Close()
	if d.flows[f.key] != f {
		return false
	}
	delete(d.flows, f.key)
	v := f.service
	delete(d.of[v], f)
	if len(d.of[v]) == 0 {
		delete(d.of, v)
	}
	return true
}

// prune ends those flows of a service that are not to go on.
func (d *datagrams) prune(v *service, keep func(*flow) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for f := range d.of[v] {
		if !keep(f) {
			d.remove(f)
		}
	}
}

// close ends all flows and waits until nothing of them is left. The sockets
// that are read must have been closed before.
func (d *datagrams) close() {
	d.mu.Lock()
	d.closed = true
	for _, f := range d.flows {
		d.remove(f)
	}
	d.mu.Unlock()
	d.wg.Wait()
}

// datagramSize is the most that a datagram holds.
const datagramSize = 1 << 16

// buffers are shared by all flows: one waits for each reader that has something
// to read, and none for those that wait.
type buffers struct{ pool *sync.Pool }

func newBuffers() buffers {
	return buffers{&sync.Pool{New: func() any {
		b := make([]byte, datagramSize)
		return &b
	}}}
}

func (p buffers) put(b *[]byte) { p.pool.Put(b) }

// read waits for a datagram, and reads it into a buffer that the caller puts
// back.
func (p buffers) read(raw syscall.RawConn) (*[]byte, int, error) {
	var (
		buf    *[]byte
		n      int
		failed error
	)
	err := raw.Read(func(fd uintptr) bool {
		buf = p.pool.Get().(*[]byte)
		n, failed = unix.Read(int(fd), *buf)
		if failed == nil {
			return true
		}
		p.put(buf)
		return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
	})
	switch {
	case err != nil:
		return nil, 0, err
	case failed != nil:
		return nil, 0, fmt.Errorf("read an answer: %w", failed)
	}
	return buf, n, nil
}
