package admission

import (
	"errors"
	"runtime"
	"time"
)

// What one caller, or all of them together, can take of this process. An API
// server asks with the object and, at an update, the one before, each of which
// it takes itself up to 3 MiB of.
const (
	maxBody   = 9 << 20 // bytes of a request's body, as ingress-nginx
	maxObject = 3 << 20 // bytes of an object in it
	// maxValues is the most values in an object's JSON. The smallest, "{},",
	// is three bytes that become forty, so their number counts, not their bytes.
	// An object of 1.5 MB, the most that etcd stores, holds 17,000 paths of nine
	// values each.
	maxValues = 300_000
	// maxPaths is the most rules and paths of an Ingress, ten times those of the
	// largest ones that are known.
	maxPaths       = 20_000
	maxAnnotations = 256 << 10 // bytes, as the API server
	// bodies is how many bytes of bodies are in memory at once. With what comes
	// of decoding them, three or four times that is in use.
	bodies = 32 << 20
	// leastBody is what a request counts as that says it has less: its
	// connection's buffers and goroutines.
	leastBody = 16 << 10
	// connections is how many there are at once; others wait in the kernel.
	connections = 1024

	headerTimeout = 5 * time.Second  // for TLS and the header
	bodyTimeout   = 5 * time.Second  // for the body, once there is room for it
	idleTimeout   = 90 * time.Second // between two requests of a connection
	// usualTimeout is how long a question may take where it doesn't say: an API
	// server waits for ten seconds by default, and for thirty at most.
	usualTimeout = 9 * time.Second
	mostTimeout  = 30 * time.Second

	maxTold = 20  // problems that one answer tells
	maxLine = 800 // bytes of what it says of each
)

var (
	errLarge = errors.New("the object is larger than an API server takes")
	errMany  = errors.New("the object has more values in it than any Ingress needs")
)

// judges is how many objects are judged at once: the loop that serves traffic
// keeps half of the processors.
func judges() int64 { return int64(max(1, runtime.GOMAXPROCS(0)/2)) }

// values is how many values a JSON text has, at the most: before each of them
// there is a bracket or a comma.
func values(raw []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '{' || c == '[' || c == ','):
			n++
		}
	}
	return n
}
