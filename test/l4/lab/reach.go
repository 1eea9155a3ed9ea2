package lab

import (
	"fmt"
	"os"
)

// Here is the namespace that the process is in. It isn't that of /proc/self,
// the process's first thread: that one may be in another, since Do ran on it.
func Here() (*Namespace, error) {
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("namespace of the process: %w", err)
	}
	n := named("here")
	n.fd = f
	return n, nil
}

// Reach lays a wire from the edge to another namespace, by which the edge
// reaches an IPv4 prefix, such as 10.9.0.1/32. Wires of different numbers, 0 to
// 255, can be there at once. It gives the namespace's end's name.
func (w *Network) Reach(n *Namespace, prefix string, number int) (string, error) {
	name := fmt.Sprintf("edge%d", number)
	gateway := fmt.Sprintf("172.31.%d.1", number)
	err := join(
		&end{at: n, name: name, addresses: []string{gateway + "/30"}},
		&end{at: w.Edge, name: "control", addresses: []string{fmt.Sprintf("172.31.%d.2/30", number)}, routes: []string{prefix + " " + gateway}},
	)
	return name, err
}
