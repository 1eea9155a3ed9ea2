package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// orphanInterval is the time between two looks for orphans. It is far longer than
// what one of our own children waits for us to ask how it ended.
const orphanInterval = 10 * time.Second

// reapOrphans does for process 1 of a container what an init does: processes that
// lose their parent become its children, such as workers of an nginx that was
// killed, or what somebody left in the background of a shell; each takes a process
// id until it is waited for. One that is dead at two looks is nobody's: our own are
// waited for at once. It does nothing to a process that isn't the first one.
func reapOrphans(ctx context.Context) {
	if os.Getpid() != 1 {
		return
	}
	ticker := time.NewTicker(orphanInterval)
	defer ticker.Stop()
	var before map[int]string
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := deadChildren("/proc", 1)
		for _, pid := range stillDead(before, now) {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // it is gone by now where this fails
		}
		before = now
	}
}

// deadChildren are those of a process that wait to be waited for, with the time of
// their start, which tells a process from another one of the same number.
func deadChildren(proc string, parent int) map[int]string {
	dead := map[int]string{}
	stats, err := filepath.Glob(proc + "/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state ppid … starttime, the 22nd; a name may hold brackets.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 20 || string(fields[0]) != "Z" || string(fields[1]) != strconv.Itoa(parent) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			dead[pid] = string(fields[19])
		}
	}
	return dead
}

// stillDead are those of now that were dead before.
func stillDead(before, now map[int]string) []int {
	var all []int
	for pid, start := range now {
		if before[pid] == start {
			all = append(all, pid)
		}
	}
	return all
}
