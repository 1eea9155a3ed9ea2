package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// FreePort gives a port on which nobody listens. It is below the ports that
// outgoing connections take, so it stays free until somebody listens.
func FreePort() (int, error) {
	ports, err := freePorts(1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// given are the ports that this process gave out: tests that run beside each other
// get different ones, before anybody listens there.
var given sync.Map

// freePorts gives n different ones, which it gave nobody before: it holds each
// until it has all.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range 100 * n {
		port := 20000 + rand.IntN(20000)
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		defer l.Close()
		if _, before := given.LoadOrStore(port, true); before {
			continue
		}
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports among many tries from 20000 to 39999", n)
}
