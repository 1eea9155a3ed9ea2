package iptables

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A runner runs a program. It is where this package ends and the machine
// begins.
type runner interface {
	// run gives what the program printed. The error is a *failure where the
	// program ran and said no.
	run(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error)
}

// A failure is what a program said that did not do what it was told.
type failure struct {
	name string
	said string
}

func (f *failure) Error() string { return f.name + ": " + f.said }

// busy says that others held the lock of all iptables for longer than -w waits.
// It is nobody's fault, and tells nothing of what the kernel takes.
func (f *failure) busy() bool { return strings.Contains(f.said, "xtables lock") }

// lineNumber is how both flavours name the line that they stumbled over.
var lineNumber = regexp.MustCompile(`line:? (\d+)`)

// line is the line that was named, or 0.
func (f *failure) line() int {
	found := lineNumber.FindStringSubmatch(f.said)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		return 0
	}
	return n
}

// programs runs programs, in a network namespace of their own where it says so.
type programs struct{ apart bool }

func (p programs) run(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
	var out, complaint bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(stdin), &out, &complaint
	if p.apart {
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	}
	err := c.Run()
	var exited *exec.ExitError
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", name, ctx.Err())
	case errors.As(err, &exited) && exited.Exited():
		return nil, &failure{name, oneLine(complaint.String())}
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

func oneLine(said string) string {
	said, _, _ = strings.Cut(said, "Try `")
	return strings.Join(strings.Fields(said), " ")
}

// tools are the programs of one flavour and family.
type tools struct{ restore, save string }

// look finds the tools of a flavour ("" is the machine's own choice). The error
// says what to install.
func look(flavour string, f plan.Family) (tools, error) {
	first := "iptables"
	if f == plan.IPv6 {
		first = "ip6tables"
	}
	if flavour != "" {
		first += "-" + flavour
	}
	var t tools
	for name, path := range map[string]*string{first + "-restore": &t.restore, first + "-save": &t.save} {
		found, err := exec.LookPath(name)
		if err != nil {
			return tools{}, fmt.Errorf("%s: not found: install iptables 1.6.2 or newer", name)
		}
		*path = found
	}
	return t, nil
}

// kind asks which flavour the tools are of.
func (t tools) kind(ctx context.Context, r runner) (string, error) {
	said, err := r.run(ctx, nil, t.restore, "--version")
	switch {
	case err != nil:
		return "", err
	case bytes.Contains(said, []byte("nf_tables")):
		return flavourNft, nil
	}
	return flavourLegacy, nil // before 1.8 it has no name
}

// commit has a script done. Nothing is done, and nobody asked, where it says
// nothing.
func (t tools) commit(ctx context.Context, r runner, s script) error {
	text := s.bytes()
	if len(text) == 0 {
		return nil
	}
	_, err := r.run(ctx, text, t.restore, "--noflush", "-w", "5")
	return err
}
