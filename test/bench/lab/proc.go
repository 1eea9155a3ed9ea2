package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Tick is the unit of CPU time in /proc/PID/stat. USER_HZ is 100 on every
// architecture that Linux gives user space today (proc(5)).
const Tick = 10 * time.Millisecond

// A Stat is what /proc/PID/stat says of one process.
type Stat struct {
	Name   string
	State  byte
	Parent int
	CPU    time.Duration // user and system time of all its threads
	Reaped time.Duration // the same of all its children that ended and were waited for
}

// parseStat reads the text of /proc/PID/stat. The name may hold anything, even
// parentheses and spaces, so it ends at the last ")".
func parseStat(text []byte) (Stat, error) {
	open, shut := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || shut < open {
		return Stat{}, fmt.Errorf("stat %q: no name in parentheses", text)
	}
	fields := strings.Fields(string(text[shut+1:]))
	if len(fields) < 15 {
		return Stat{}, fmt.Errorf("stat %q: %d fields after the name, want 15 or more", text, len(fields))
	}
	s := Stat{Name: string(text[open+1 : shut]), State: fields[0][0]}
	var err error
	if s.Parent, err = strconv.Atoi(fields[1]); err != nil {
		return Stat{}, fmt.Errorf("stat: parent: %w", err)
	}
	// Fields 14 to 17 of proc(5): utime, stime, cutime, cstime.
	for i, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return Stat{}, fmt.Errorf("stat: cpu time: %w", err)
		}
		if d := time.Duration(n) * Tick; i < 2 {
			s.CPU += d
		} else {
			s.Reaped += d
		}
	}
	return s, nil
}

// ReadStat reads what is known of a process that was not reaped yet.
func ReadStat(pid int) (Stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Stat{}, err
	}
	return parseStat(text)
}

// Children gives the living processes whose parent is pid.
func Children(pid int) ([]int, error) {
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
		if s.Parent == pid && s.State != 'Z' {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			if err != nil {
				return nil, err
			}
			found = append(found, child)
		}
	}
	return found, nil
}

// ParseStatus reads one size, such as VmRSS, of /proc/PID/status, in bytes.
func ParseStatus(text []byte, field string) (int64, error) {
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
