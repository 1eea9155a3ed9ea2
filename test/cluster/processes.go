package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Process is an nginx process of the private process namespace.
type Process struct {
	ID, Parent, Session int
	Master, Worker      bool
	Leaving             bool // a worker that was told to finish
	Title               string
}

// String is the id and the title.
func (p Process) String() string { return fmt.Sprintf("%d %s", p.ID, p.Title) }

func (p Process) mentions(dir string) bool { return dir != "" && strings.Contains(p.Title, dir) }

// processes lists each nginx process that lives, masters first.
func processes() []Process {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var all []Process
	for _, path := range stats {
		if p, ok := readProcess(filepath.Dir(path)); ok {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Process) int {
		if a.Master != b.Master {
			return map[bool]int{true: -1, false: 1}[a.Master]
		}
		return a.ID - b.ID
	})
	return all
}

// readProcess says no to a process that ended meanwhile, and to one that waits
// to be reaped: its title is empty.
func readProcess(dir string) (Process, bool) {
	title, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	text := strings.TrimSpace(strings.ReplaceAll(string(title), "\x00", " "))
	if err != nil || !strings.HasPrefix(text, "nginx: ") {
		return Process{}, false
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Process{}, false
	}
	// pid (name) state ppid pgrp session …; a name may hold spaces.
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 4 || f[0] == "Z" || f[0] == "X" {
		return Process{}, false
	}
	p := Process{Title: text, Master: strings.HasPrefix(text, "nginx: master"), Worker: strings.HasPrefix(text, "nginx: worker")}
	p.Leaving = strings.Contains(text, "shutting down")
	for i, text := range []string{filepath.Base(dir), f[1], f[3]} {
		if *[]*int{&p.ID, &p.Parent, &p.Session}[i], err = strconv.Atoi(text); err != nil {
			return Process{}, false
		}
	}
	return p, true
}
