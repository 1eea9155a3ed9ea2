package userspace

import (
	"log/slog"

	"golang.org/x/sys/unix"
)

// raiseFiles raises the soft limit of open files to the hard one, and gives it.
// A TCP connection takes two for its sockets, and four for the pipes that
// splice(2) goes through; a UDP flow takes one.
func raiseFiles(log *slog.Logger) uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		log.Warn("the limit of open files is not known", "err", err)
		return fewFiles
	}
	if l.Cur == l.Max {
		return l.Cur
	}
	raised := unix.Rlimit{Cur: l.Max, Max: l.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
		log.Warn("the limit of open files stays low", "files", l.Cur, "wanted", l.Max, "err", err)
		return l.Cur
	}
	return l.Max
}

// fewFiles is what every process may open.
const fewFiles = 1024

// mostFlows is how many UDP flows fit: half of the files, so that TCP has the
// other half, and no more than a flood should cost in memory (about 10 KB each).
func mostFlows(files uint64) int { return int(min(files/2, 1<<16)) }
