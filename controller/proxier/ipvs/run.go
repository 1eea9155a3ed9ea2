package ipvs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// A runner runs a program with text for its input and gives its output. The
// error says what the program wrote to standard error. It is the seam at which
// tests let a kernel refuse something.
type runner func(ctx context.Context, input, program string, args ...string) (string, error)

// run runs a real program, in the network namespace of the calling thread.
func run(ctx context.Context, input, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(input)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}

// ipset restores lines; failed is the index of the first that the kernel did
// not take, with all before it taken and none after it. It is -1 where the
// error is not about one line.
func (r runner) ipset(ctx context.Context, lines []string) (failed int, err error) {
	if len(lines) == 0 {
		return -1, nil
	}
	_, err = r(ctx, strings.Join(lines, "\n")+"\n", "ipset", "-exist", "restore")
	return failedLine(err, len(lines)), err
}

var errorInLine = regexp.MustCompile(`Error in line (\d+):`)

func failedLine(err error, lines int) int {
	if err == nil {
		return -1
	}
	found := errorInLine.FindStringSubmatch(err.Error())
	if found == nil {
		return -1
	}
	n, err := strconv.Atoi(found[1])
	if err != nil || n < 1 || n > lines {
		return -1
	}
	return n - 1
}

// missing says that a program is not installed.
func missing(err error) bool { return errors.Is(err, exec.ErrNotFound) }
