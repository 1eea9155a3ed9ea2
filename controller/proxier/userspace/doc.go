// Package userspace turns a plan into sockets: it takes the connections that
// clients open to Services and carries their bytes to endpoints itself. Backend
// is a whole mode, in which rules bring the traffic of Services to a few
// listeners; Loopback serves node ports at 127.0.0.1 and ::1, beside any mode.
//
// It may not decide which traffic is served, from which pool and under which
// source address: that is plan's. It puts no rule into the kernel that depends
// on endpoints, and touches nothing there that isn't its own.
package userspace
