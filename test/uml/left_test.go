package uml

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// ownFolders makes a place for temporary folders that no other test uses.
func ownFolders(t *testing.T) string {
	t.Helper()
	folders := t.TempDir()
	t.Setenv("TMPDIR", folders)
	return folders
}

// nothingIsLeft holds that no guest of this process and no folder is there.
func nothingIsLeft(t *testing.T, folders string) {
	t.Helper()
	if guests := guestsOf(t, os.Getpid()); len(guests) > 0 {
		t.Errorf("processes %v are left", guests)
	}
	left, err := os.ReadDir(folders)
	if err != nil || len(left) > 0 {
		t.Errorf("folders %v are left, %v", left, err)
	}
}

// guestsOf finds the processes in the groups of a process's guests.
func guestsOf(t *testing.T, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	groups := map[int][]int{}
	var found []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		name, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest) // state, parent, group
		pid, _ := strconv.Atoi(strings.Fields(name)[0])
		of, _ := strconv.Atoi(fields[1])
		group, _ := strconv.Atoi(fields[2])
		groups[group] = append(groups[group], pid)
		if of == parent && strings.Contains(name, "(linux") {
			found = append(found, group)
		}
	}
	var guests []int
	for _, l := range found {
		guests = append(guests, groups[l]...)
	}
	return guests
}

// waitGone waits for the end of a process that isn't ours.
func waitGone(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
		if n == 1 {
			return nil
		}
		if err != nil && err != unix.EINTR {
			return err
		}
	}
	return ctx.Err()
}
