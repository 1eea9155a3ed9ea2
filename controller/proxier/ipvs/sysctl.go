package ipvs

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A sysctl is a path below /proc/sys and its value.
type sysctl struct{ path, value string }

// sysctls are those that kube-proxy sets, too, for the same reasons.
func sysctls(ipv6, strictARP bool, release string) []sysctl {
	all := []sysctl{
		// Masquerading is netfilter's, which has to know ipvs's connections.
		{"net/ipv4/vs/conntrack", "1"},
		// What goes to a real server that is gone ends instead of waiting.
		{"net/ipv4/vs/expire_nodest_conn", "1"},
		// A client that is bound to one with weight 0 gets another.
		{"net/ipv4/vs/expire_quiescent_template", "1"},
		{"net/ipv4/ip_forward", "1"},
	}
	if reuseIsSlow(release) {
		all = append(all, sysctl{"net/ipv4/vs/conn_reuse_mode", "0"})
	}
	if ipv6 {
		all = append(all, sysctl{"net/ipv6/conf/all/forwarding", "1"})
	}
	if strictARP {
		all = append(all, sysctl{"net/ipv4/conf/all/arp_ignore", "1"}, sysctl{"net/ipv4/conf/all/arp_announce", "2"})
	}
	return all
}

// reuseIsSlow says whether a kernel makes a client that uses a port again wait
// for a second, where conntrack is on: from 4.1 until 5.8.
func reuseIsSlow(release string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n < 2 {
		return false
	}
	v := major<<8 | minor
	return v >= 4<<8|1 && v <= 5<<8|8
}

// setSysctls sets what isn't set. A node may work without, so that a failure
// is a warning.
func setSysctls(ctx context.Context, log *slog.Logger, all []sysctl) {
	for _, s := range all {
		if err := writeSysctl(s.path, s.value); err != nil {
			log.WarnContext(ctx, "sysctl not set", "path", s.path, "value", s.value, "error", err)
		}
	}
}

func writeSysctl(path, value string) error {
	file := "/proc/sys/" + path
	if is, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(is)) == value {
		return nil
	}
	return os.WriteFile(file, []byte(value), 0)
}

// release is the kernel's, such as "6.1.0-18-amd64".
func release() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}
