package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc/PID/stat. USER_HZ is 100 on every
// architecture that Linux gives user space today (proc(5)).
const tick = 10 * time.Millisecond

// stat is what /proc/PID/stat says of one process.
type stat struct {
	name   string
	state  byte
	parent int
	cpu    time.Duration // user and system time of all its threads
}

// parseStat reads the text of /proc/PID/stat. The name may hold anything, even
// parentheses and spaces, so it ends at the last ")".
func parseStat(text []byte) (stat, error) {
	open, shut := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || shut < open {
		return stat{}, fmt.Errorf("stat %q: no name in parentheses", text)
	}
	fields := strings.Fields(string(text[shut+1:]))
	if len(fields) < 13 {
		return stat{}, fmt.Errorf("stat %q: %d fields after the name, want 13 or more", text, len(fields))
	}
	s := stat{name: string(text[open+1 : shut]), state: fields[0][0]}
	var err error
	if s.parent, err = strconv.Atoi(fields[1]); err != nil {
		return stat{}, fmt.Errorf("stat: parent: %w", err)
	}
	for _, f := range fields[11:13] { // fields 14 and 15 of proc(5): utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("stat: cpu time: %w", err)
		}
		s.cpu += time.Duration(n) * tick
	}
	return s, nil
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(text)
}

// children gives the living processes whose parent is pid.
func children(pid int) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it ended between the listing and the reading
		}
		s, err := parseStat(text)
		if err != nil {
			return nil, err
		}
		if s.parent == pid && s.state != 'Z' {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			if err != nil {
				return nil, err
			}
			found = append(found, child)
		}
	}
	return found, nil
}

// parseStatus reads one size, such as VmRSS, of /proc/PID/status, in bytes.
func parseStatus(text []byte, field string) (int64, error) {
	for line := range strings.Lines(string(text)) {
		value, ok := strings.CutPrefix(line, field+":")
		if !ok {
			continue
		}
		n, unit, _ := strings.Cut(strings.TrimSpace(value), " ")
		kib, err := strconv.ParseInt(n, 10, 64)
		if err != nil || unit != "kB" {
			return 0, fmt.Errorf("status: %s: %q is not a number of kB", field, value)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("status: no field %s", field)
}
