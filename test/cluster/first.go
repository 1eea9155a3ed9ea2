package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Addresses of the private network. Each address of the two ranges is local,
// so a backend may listen on any of them; the API server accepts them in
// EndpointSlices, where it refuses loopback addresses.
const (
	Range4 = "10.244.0.0/16"
	Range6 = "fd00:10:244::/48"
	// DNSAddress is the only server that resolv.conf names in there.
	DNSAddress = "127.0.0.53:53"
)

// The default routes are there as on each real node: without one, a connection
// to an address outside fails in another way than it does in production.
const links = `link set lo up
route add local ` + Range4 + ` dev lo
route add default dev lo
route add local ` + Range6 + ` dev lo
route add ::/0 dev lo
`

// first is process 1 of the namespaces: it prepares them, starts this binary
// again as the one that tests, and reaps whatever loses its parent.
func first() int {
	if err := prepare(); err != nil {
		return failed(fmt.Errorf("private network: %w", err))
	}
	p, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Env:   append(without(os.Environ(), stageVariable), stageVariable+"=inside"),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return failed(err)
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return failed(fmt.Errorf("wait: %w", err))
		case pid == p.Pid && status.Signaled():
			return failed(fmt.Errorf("the tests were ended by signal %v", status.Signal()))
		case pid == p.Pid:
			return status.ExitStatus()
		}
	}
}

func prepare() error {
	ip, err := exec.LookPath("ip")
	if err != nil {
		return fmt.Errorf("install iproute2: %w", err)
	}
	c := exec.Command(ip, "-batch", "-")
	c.Stdin = strings.NewReader(links)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if err := mounts(); err != nil {
		return err
	}
	if root := os.Getenv(RootVariable); root != "" {
		if err := mountRoot(root); err != nil {
			return err
		}
	}
	return sysctl(map[string]string{
		// Ports below it are for FreePort: no outgoing connection takes one.
		"net/ipv4/ip_local_port_range": "40000 60999",
		// A local route makes each IPv4 address of its range one to listen on, but
		// no IPv6 address.
		"net/ipv6/ip_nonlocal_bind": "1",
		// The DNS server listens on 53, as root or not.
		"net/ipv4/ip_unprivileged_port_start": "0",
	})
}

func mounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts: make private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("/proc: mount: %w", err)
	}
	return coverResolvConf()
}

func coverResolvConf() error {
	theirs, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err != nil {
		return fmt.Errorf("resolv.conf: there must be a file to cover: %w", err)
	}
	ours := filepath.Join(os.TempDir(), "resolv.conf")
	text := "nameserver " + strings.TrimSuffix(DNSAddress, ":53") + "\nsearch svc.cluster.local cluster.local\noptions ndots:2 timeout:1\n"
	if err := os.WriteFile(ours, []byte(text), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(ours, theirs, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("resolv.conf: bind: %w", err)
	}
	return nil
}

func sysctl(values map[string]string) error {
	for name, value := range values {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
			return fmt.Errorf("sysctl: %w", err)
		}
	}
	return nil
}
