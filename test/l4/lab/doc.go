// Package lab turns one test process into a small network: an edge node with
// two pods, a second node with pods of its own, a client far away, and the rest
// of the world, each in a network namespace of its own.
//
// It may not know what is tested: it has no Services and starts no proxier. It
// touches no namespace but those that it makes, and all of it ends with the
// process. It never sends anything twice.
//
//	client  203.0.113.7 ──┐ uplink                      cni0 ┌── p1 10.244.1.10
//	                      edge 192.0.2.11, 198.51.100.11 ────┴── p2 10.244.1.11
//	world   (all else) ───┘ │ lan
//	                        n2 192.0.2.12, with n2a 10.244.2.10 and n2b .11
//
// The world answers at every address that the edge's rules let pass by, so what
// nobody took is told from what was dropped.
package lab
