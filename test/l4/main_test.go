// Package l4 turns tables of packets into what the built sallyport-proxier does
// with them, in each of its modes, on real kernels: in network namespaces, and
// for ipvs inside User-mode Linux.
//
// It may not import a package of the product, and it sends nothing twice: a
// connection that fails has failed.
package l4

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
	"github.com/sallyport-ingress/sallyport/test/uml"
)

// binaryVariable names the proxier to test: what is built before the private
// network is there, and what this binary runs itself with inside User-mode Linux.
const binaryVariable = "SALLYPORT_PROXIER_BINARY"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if uml.Inside() {
		// A small machine's limit, which the connections of thousands of probes
		// that end would reach: what is beyond it is dropped.
		if err := os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_max", []byte("262144"), 0); err != nil {
			return complain(err)
		}
		return m.Run()
	}
	if os.Getenv(binaryVariable) == "" {
		dir, err := os.MkdirTemp("", "sp-l4-")
		if err != nil {
			return complain(err)
		}
		defer os.RemoveAll(dir)
		if err := build(dir); err != nil {
			return complain(err)
		}
	}
	return cluster.Run(m.Run)
}

// build builds the proxier, and tells package cluster not to build Sallyport,
// which no test here starts.
func build(dir string) error {
	at := filepath.Join(dir, "sallyport-proxier")
	c := exec.Command("go", "build", "-o", at, "../../cmd/sallyport-proxier")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build cmd/sallyport-proxier: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	if os.Getenv("SALLYPORT_BINARY") == "" {
		if err := os.Setenv("SALLYPORT_BINARY", at); err != nil {
			return err
		}
	}
	return os.Setenv(binaryVariable, at)
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "test/l4:", err)
	return 1
}

// A mode is a value of --proxy-mode.
type mode string

const (
	nftables  mode = "nftables"
	iptables  mode = "iptables"
	ipvs      mode = "ipvs"
	userspace mode = "userspace"
)

// kernels are the modes in which the kernel serves without the process.
var kernels = []mode{nftables, iptables, ipvs}

// eachMode runs a test in each mode that this kernel has. Those of User-mode
// Linux are run by TestInUserModeLinux, which runs all tests again there.
func eachMode(t *testing.T, test func(t *testing.T, m mode)) {
	t.Helper()
	modes := []mode{nftables, iptables, userspace}
	if uml.Inside() {
		modes = []mode{ipvs}
	}
	t.Parallel()
	for _, m := range modes {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel() // each has a network of its own, and waits more than it works
			needRoot(t)
			test(t, m)
		})
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		lacks(t, "not root, and rules are the kernel's: run the tests as root")
	}
}

// lacks skips a test that can't run here; in CI it must.
func lacks(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("CI must run this: %s", what)
	}
	t.Skipf("reason: %s", what)
}
