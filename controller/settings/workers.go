package settings

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// workerProcesses accepts a number, or auto for the processors that the
// process may use (the cgroup's limit counts).
var workerProcesses = option.Key[int]{
	Name:       "worker-processes",
	Doc:        "How many worker processes nginx runs.",
	Default:    runtime.GOMAXPROCS(0),
	DefaultDoc: "the number of processors that the container may use",
	Check: option.Check[int]{
		Values: "a whole number from 1 to 1024, or `auto`",
		Parse: func(s string) (int, error) {
			if s == "auto" {
				return runtime.GOMAXPROCS(0), nil
			}
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 || n > 1024 {
				return 0, fmt.Errorf("%.80q is neither auto nor a whole number from 1 to 1024", s)
			}
			return n, nil
		},
	},
}

func readWorkers(r *option.Reader, s *model.Settings) {
	s.WorkerProcesses = workerProcesses.Get(r)
	s.WorkerConnections = number(r, "max-worker-connections", 16384, 16, 1<<24,
		"How many connections, of clients and to endpoints, one worker process may hold.")
	s.WorkerOpenFiles = number(r, "max-worker-open-files", 0, 0, 1<<24,
		"How many files one worker process may hold open; 0 takes what the process's own limit allows.")
	s.WorkerShutdownTimeout = duration(r, "worker-shutdown-timeout", 240*time.Second,
		"How long a worker of an earlier configuration may go on with its connections.")
	s.MultiAccept = flag(r, "enable-multi-accept", true, "Lets a worker accept all waiting connections at once.")
	s.ReusePort = flag(r, "reuse-port", true, "Gives each worker process a listening socket of its own (SO_REUSEPORT).")
}
