// Package uml turns a command into its output and exit status inside
// User-mode Linux, a kernel that runs as an ordinary process and sees the
// host's files: for what the host's own kernel lacks, such as ip_vs.
//
// It may not load, mount or route anything in the host's kernel. What a
// command writes to files is written to the host's, but for /dev, /proc, /sys,
// /run and $TMPDIR, which are the guest's own.
//
// A guest has one processor. Inside are ip_vs with all schedulers, ipset, legacy
// iptables and ip6tables, conntrack, dummy, veth, bridge, SCTP and network
// namespaces. There is no nftables, and no kmod: all modules are loaded at the
// start.
package uml

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memory is where the guest's memory is a file: a disk would be slow.
const memory = "/dev/shm"

// insideKey is set in the environment of what Run runs.
const insideKey = "SALLYPORT_UML"

// Inside says whether this process was started by Run, in the guest.
func Inside() bool { return os.Getenv(insideKey) != "" }

// Missing says in one line why Run can't work here and what to do about it;
// "" if it can.
func Missing() string {
	switch {
	case Inside():
		return "this is User-mode Linux already: it can't run in itself"
	case runtime.GOOS != "linux" || runtime.GOARCH != "amd64":
		return "User-mode Linux is for Linux on amd64 alone"
	case os.Geteuid() != 0:
		return "not root: User-mode Linux has to read and write all files of the host as root"
	}
	if _, err := exec.LookPath("linux.uml"); err != nil {
		return "no linux.uml: install Debian's user-mode-linux"
	}
	if _, err := moduleFolder(); err != nil {
		return err.Error()
	}
	for command, of := range map[string]string{"bash": "bash", "perl": "perl-base", "ip": "iproute2", "stty": "coreutils", "setsid": "util-linux"} {
		if _, err := exec.LookPath(command); err != nil {
			return fmt.Sprintf("no %s: install Debian's %s", command, of)
		}
	}
	return missingMemory()
}

func missingMemory() string {
	var fs unix.Statfs_t
	switch err := unix.Statfs(memory, &fs); {
	case err != nil:
		return fmt.Sprintf("no %s, where the guest's memory lives: mount a tmpfs there", memory)
	case fs.Flags&unix.ST_NOEXEC != 0:
		return memory + " is mounted noexec: User-mode Linux maps its memory from there as code"
	}
	return ""
}

// Run boots a guest with memMB mebibytes of memory, runs argv there as root in
// this process's working directory, with env ("KEY=value") beside a bare PATH,
// HOME, USER and TMPDIR, and switches the guest off. It copies the command's
// output, standard error too, to w as it comes, and gives its exit status:
// above 128 for a signal. The error says why there is none: the guest did not boot, died
// or was killed because ctx ended. Nothing is left behind in any case.
//
// It takes about two seconds more than the command. argv[0] is an absolute
// path or a name in the guest's PATH.
func Run(ctx context.Context, w io.Writer, argv []string, env []string, memMB int) (exit int, err error) {
	if why := Missing(); why != "" {
		return -1, fmt.Errorf("user-mode linux: %s", why)
	}
	folder, err := os.MkdirTemp("", "uml")
	if err != nil {
		return -1, fmt.Errorf("user-mode linux: %w", err)
	}
	defer os.RemoveAll(folder)
	if err := prepare(folder, argv, env); err != nil {
		return -1, fmt.Errorf("user-mode linux: %w", err)
	}
	console, err := boot(ctx, w, folder, memMB)
	if ctx.Err() != nil {
		return -1, fmt.Errorf("user-mode linux: killed: %w", context.Cause(ctx))
	}
	status, statusErr := readStatus(folder)
	if statusErr != nil {
		return -1, fmt.Errorf("user-mode linux: died before its command ended: %w, console: %s", statusErr, tail(console))
	}
	if err != nil {
		return -1, fmt.Errorf("user-mode linux: %w", err)
	}
	return status, nil
}

func readStatus(folder string) (int, error) {
	text, err := os.ReadFile(filepath.Join(folder, "status"))
	if err != nil {
		return -1, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// tail is the end of a console's text: a panic tells its reason there.
func tail(console string) string {
	const most = 2000
	if len(console) > most {
		console = "…" + console[len(console)-most:]
	}
	return strings.TrimSpace(console)
}
