package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// FreePort gives a port on which nobody listens. It is below the ports that
// outgoing connections take, so it stays free until somebody listens.
func FreePort() (int, error) {
	for range 100 {
		port := 20000 + rand.IntN(20000)
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port among 100 from 20000 to 39999")
}

func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for len(ports) < n {
		p, err := FreePort()
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}
