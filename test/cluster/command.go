package cluster

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
)

// Command runs the sallyport binary to its end and gives what it wrote and its
// exit status.
func Command(t T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	if why := os.Getenv(brokenVariable); why != "" {
		t.Fatalf("there is no sallyport to test: %s", why)
	}
	var out, errs bytes.Buffer
	c := inRoot(exec.Command(os.Getenv(binaryVariable), args...))
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errs
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("sallyport %v: %v", args, err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}
