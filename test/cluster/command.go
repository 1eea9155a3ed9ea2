package cluster

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Command runs the sallyport binary to its end and gives what it wrote and its
// exit status.
func Command(t T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	if why := os.Getenv(brokenVariable); why != "" {
		t.Fatalf("there is no sallyport to test: %s", why)
	}
	var out, errs bytes.Buffer
	c := exec.Command(os.Getenv(binaryVariable), args...)
	if root := Root(); root != "" {
		c.SysProcAttr, c.Dir = &syscall.SysProcAttr{Chroot: root}, "/"
	}
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errs
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("sallyport %v: %v", args, err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}
