package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// The environment by which one stage of a run tells the next one what it made.
const (
	stageVariable     = "SALLYPORT_TEST_STAGE"
	apiserverVariable = "SALLYPORT_TEST_APISERVER"
	etcdVariable      = "SALLYPORT_TEST_ETCD"
	binaryVariable    = "SALLYPORT_TEST_BINARY"
	brokenVariable    = "SALLYPORT_TEST_BROKEN" // why there is no binary
)

// Run calls run inside a private network and returns its exit status. The
// process starts itself twice: as process 1 of new namespaces, which sets the
// network up, and below that as what calls run. So whatever run leaves behind
// ends with it, however it ends.
//
// What has to be built is built before, where there is a network to build with.
// Where namespaces can't be made the status is 1 and standard error says why.
func Run(run func() int) int {
	switch os.Getenv(stageVariable) {
	case "":
		return outside()
	case "first":
		return first()
	case "confined":
		return confined()
	}
	return run()
}

// Inside says whether this process is in a private network made by Run.
func Inside() bool { return os.Getenv(stageVariable) == "inside" }

func outside() int {
	where := ""
	if root := os.Getenv(RootVariable); root != "" {
		if err := checkRoot(root); err != nil {
			return failed(err)
		}
		where = "/tmp" // which can be had in the root
	}
	dir, err := os.MkdirTemp(where, "sp-test-")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir)
	// nginx's workers run as another user and have to get through.
	if err := os.Chmod(dir, 0o711); err != nil {
		return failed(err)
	}
	environment, err := provide(dir)
	if err != nil {
		return failed(err)
	}
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Args[0] = os.Args[0]
	c.Env = append(os.Environ(), environment...)
	c.Env = append(c.Env, stageVariable+"=first", "TMPDIR="+dir)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = namespaces()
	return runToEnd(c)
}

// provide builds what is needed and says where it is.
func provide(dir string) ([]string, error) {
	kube, err := FindKube(os.Stderr)
	if err != nil {
		return nil, err
	}
	found := []string{apiserverVariable + "=" + kube.APIServer, etcdVariable + "=" + kube.Etcd}
	binary, err := buildSallyport(dir)
	if err != nil {
		return append(found, brokenVariable+"="+err.Error()), nil // for the tests that need it
	}
	return append(found, binaryVariable+"="+binary), nil
}

// namespaces asks for a network, mounts and process ids of one's own. Who isn't
// root needs a user namespace for that, in which the user keeps their own id, so
// that the product sees itself run unprivileged.
func namespaces() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if uid := os.Geteuid(); uid != 0 {
		const netAdmin, sysAdmin = 12, 21
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
		a.AmbientCaps = []uintptr{netAdmin, sysAdmin}
	}
	return a
}

func runToEnd(c *exec.Cmd) int {
	// Pdeathsig fires when the thread that started the process ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(stop)
	if err := c.Start(); err != nil {
		return failed(fmt.Errorf("private network: new namespaces are refused (they need root, or user namespaces for all): %w", err))
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case <-stop:
		_ = c.Process.Kill()
		<-done
		return 130
	case <-done:
		return max(c.ProcessState.ExitCode(), -1) & 0xff
	}
}

// buildSallyport builds the product into dir, unless SALLYPORT_BINARY names one or
// the root has one.
func buildSallyport(dir string) (string, error) {
	if os.Getenv(RootVariable) != "" {
		return binaryInRoot, nil
	}
	if p := os.Getenv("SALLYPORT_BINARY"); p != "" {
		return filepath.Abs(p)
	}
	p := filepath.Join(dir, "sallyport")
	c := exec.Command("go", "build", "-o", p, module+"/cmd/sallyport")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/sallyport: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return p, nil
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "test/cluster:", err)
	return 1
}

// without gives the environment without one variable.
func without(environment []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(s string) bool { return strings.HasPrefix(s, name+"=") })
}
