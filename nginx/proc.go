package nginx

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is the unit of times in /proc: USER_HZ, which Linux never
// changes on the architectures that Go knows.
const ticksPerSecond = 100

// stat is what this package needs of /proc/PID/stat (proc(5)).
type stat struct {
	pid     int
	state   string
	session int
	ticks   uint64 // CPU time of its own, user and system
	waited  uint64 // CPU time of children that have ended
	start   uint64 // ticks after boot
	vsize   uint64 // bytes
	rss     uint64 // pages
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The name, in brackets, may itself hold brackets and spaces.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 22 {
		return stat{}, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	number := func(field int) uint64 { // as counted in proc(5)
		n, _ := strconv.ParseUint(fields[field-3], 10, 64)
		return n
	}
	return stat{
		pid:     pid,
		state:   fields[0],
		session: int(number(6)),
		ticks:   number(14) + number(15),
		waited:  number(16) + number(17),
		start:   number(22),
		vsize:   number(23),
		rss:     number(24),
	}, nil
}

// session returns the living processes of a session. nginx's master leads one
// of its own, so they are the master and its workers, also after the master
// has died: the kernel does not give the number away before all are gone.
func session(id int) []stat {
	if id <= 0 {
		return nil
	}
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var all []stat
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		s, err := readStat(pid)
		if err != nil || s.session != id {
			continue // it has ended meanwhile, or is none of ours
		}
		if s.state == "Z" || s.state == "X" {
			reap(s.pid, id)
			continue
		}
		all = append(all, s)
	}
	return all
}

// reap ends a dead orphan: they become children of the controller if it is
// process 1 of a container. The master itself is waited for elsewhere.
func reap(pid, session int) {
	if pid != session {
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
	}
}

// title is the command line, as which nginx tells what a process does.
func title(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return string(bytes.ReplaceAll(bytes.TrimRight(text, "\x00"), []byte{0}, []byte{' '}))
}

// readPid returns what the pid file says, or 0.
func readPid(p Paths) int {
	text, err := os.ReadFile(p.Pid)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}

// isMaster says whether a process is an nginx master of this work folder. A
// pid file proves nothing: the number may be another process's by now.
func isMaster(pid int, p Paths) bool {
	if pid <= 1 {
		return false
	}
	s, err := readStat(pid)
	if err != nil || s.state == "Z" || s.session != pid {
		return false
	}
	text := title(pid)
	return strings.HasPrefix(text, "nginx: master process ") && strings.Contains(text+" ", " -c "+p.Conf+" ")
}

// retiring says whether a worker has begun to shut down.
func retiring(pid int) bool {
	return strings.HasPrefix(title(pid), "nginx: worker process is shutting down")
}

// listeners returns the inodes of the unix sockets that listen at a path.
func listeners(path string) map[string]bool {
	text, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil
	}
	inodes := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		// Num RefCount Protocol Flags Type St Inode Path
		fields := strings.Fields(line)
		const accepting = "00010000"
		if len(fields) == 8 && fields[7] == path && fields[3] == accepting {
			inodes["socket:["+fields[6]+"]"] = true
		}
	}
	return inodes
}

// holds says whether a process has one of the sockets open. A process that
// has ended holds none; one that may not be looked into is taken to hold it
// as long as its title does not say that it shuts down.
func holds(pid int, sockets map[string]bool) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	names, err := os.ReadDir(dir)
	if err != nil {
		return errors.Is(err, os.ErrPermission) && !retiring(pid)
	}
	for _, name := range names {
		link, err := os.Readlink(filepath.Join(dir, name.Name()))
		if err == nil && sockets[link] {
			return true
		}
	}
	return false
}
