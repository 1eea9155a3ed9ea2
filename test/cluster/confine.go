package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Confinement is how a container engine starts the first process of a container:
// with process ids of its own, as that user, with these capabilities and no others
// to be had. It needs Root.
type Confinement struct {
	User         int
	Capabilities []int  // numbers, such as unix.CAP_NET_BIND_SERVICE
	NoNewPrivs   bool   // what allowPrivilegeEscalation: false sets
	Root         string // set by Launch
}

// confineVariable has the Confinement of the stage "confined" as JSON.
const confineVariable = "SALLYPORT_TEST_CONFINE"

// confine makes a program start this binary first, which becomes the program.
func (g program) confine(c Confinement) (program, error) {
	c.Root = Root()
	if c.Root == "" {
		return g, errors.New("there is no root to confine it to: set " + RootVariable)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return g, err
	}
	g.env = append(without(g.env, stageVariable), stageVariable+"=confined", confineVariable+"="+string(text), RootVariable+"="+c.Root)
	g.args = append([]string{g.path}, g.args...)
	g.path, g.root = "/proc/self/exe", ""
	g.namespaces = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS
	return g, nil
}

// Command is one of the root in a container, by its path in there.
func (c Confinement) Command(args ...string) (*exec.Cmd, error) {
	p, err := program{path: args[0], args: args[1:], env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}}.confine(c)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.SysProcAttr = p.env, &syscall.SysProcAttr{Cloneflags: p.namespaces}
	return cmd, nil
}

// confined is that stage: it does to itself what an engine does, in the same order,
// and runs the program of the command line.
func confined() int {
	var c Confinement
	err := json.Unmarshal([]byte(os.Getenv(confineVariable)), &c)
	if err == nil {
		err = c.exec(os.Args[1:])
	}
	return failed(fmt.Errorf("confine: %w", err))
}

func (c Confinement) exec(args []string) error {
	// Each of these calls is about one thread: the one that runs the program.
	runtime.LockOSThread()
	proc := c.Root + "/proc"
	if err := unix.Mount("proc", proc, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount %s: %w", proc, err)
	}
	if err := unix.Chroot(c.Root); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := c.drop(); err != nil {
		return err
	}
	environment := os.Environ()
	for _, ours := range []string{stageVariable, confineVariable, RootVariable} {
		environment = without(environment, ours)
	}
	return fmt.Errorf("run %s: %w", args[0], unix.Exec(args[0], args, environment))
}

// drop becomes the user and keeps the capabilities: permitted and effective, not
// inheritable and not ambient, as engines have it since CVE-2022-24769.
func (c Confinement) drop() error {
	var set uint64
	for _, n := range c.Capabilities {
		set |= 1 << n
	}
	for n := range unix.CAP_LAST_CAP + 1 {
		if set&(1<<n) == 0 {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("bounding set: %w", err)
			}
		}
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	id := uintptr(c.User)
	for _, call := range [][4]uintptr{{unix.SYS_SETGROUPS, 0, 0, 0}, {unix.SYS_SETRESGID, id, id, id}, {unix.SYS_SETRESUID, id, id, id}} {
		if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
			return fmt.Errorf("user %d: %w", c.User, errno)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for i := range data {
		half := uint32(set >> (32 * i))
		data[i].Permitted, data[i].Effective = half, half
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if c.NoNewPrivs {
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	return nil
}
