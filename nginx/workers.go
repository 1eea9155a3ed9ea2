package nginx

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Processes is what nginx uses, master and workers together.
type Processes struct {
	Count       int
	Resident    uint64    // bytes
	Virtual     uint64    // bytes
	CPUSeconds  float64   // with those of workers that have ended
	ReadBytes   uint64    // from storage, with those of workers that have ended
	WriteBytes  uint64    // the same
	OldestStart time.Time // of the one that has run longest
}

// Workers reads what nginx's processes use. It is zero where none runs.
func (n *Nginx) Workers() Processes {
	var sum Processes
	p := n.current()
	if p == nil {
		return sum
	}
	for _, s := range session(p.pid) {
		sum.Count++
		sum.Resident += s.rss * uint64(os.Getpagesize())
		sum.Virtual += s.vsize
		// What ended workers used is in their master's figures: it waited for them.
		sum.CPUSeconds += float64(s.ticks+s.waited) / ticksPerSecond
		read, written := storage(s.pid)
		sum.ReadBytes += read
		sum.WriteBytes += written
		if start := startedAt(s); sum.OldestStart.IsZero() || start.Before(sum.OldestStart) {
			sum.OldestStart = start
		}
	}
	return sum
}

// storage reads /proc/PID/io; zeros where that is not allowed.
func storage(pid int) (read, written uint64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		number, _ := strconv.ParseUint(value, 10, 64)
		switch name {
		case "read_bytes":
			read = number
		case "write_bytes":
			written = number
		}
	}
	return read, written
}

func startedAt(s stat) time.Time {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	_, after, _ := strings.Cut(string(text), "\nbtime ")
	boot, _, _ := strings.Cut(after, "\n")
	seconds, _ := strconv.ParseInt(boot, 10, 64)
	return time.Unix(seconds, 0).Add(time.Duration(s.start) * time.Second / ticksPerSecond)
}
