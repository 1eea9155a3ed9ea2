package l4

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/uml"
)

// guestMemory is in mebibytes: 5,000 endpoints are ipvs's largest row.
const guestMemory = 1024

// TestInUserModeLinux runs this binary's tests again in a kernel that has ipvs.
func TestInUserModeLinux(t *testing.T) {
	t.Parallel()
	if uml.Inside() {
		t.Skip("reason: this is User-mode Linux already")
	}
	if why := uml.Missing(); why != "" {
		lacks(t, why)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{self, "-test.timeout=20m", "-test.v", "-test.run=" + insideTests()}
	code, err := uml.Run(t.Context(), &relay{t: t}, args, []string{
		binaryVariable + "=" + os.Getenv(binaryVariable), "CI=" + os.Getenv("CI"),
	}, guestMemory)
	if err != nil {
		t.Fatal(err)
	}
	if code != 0 {
		t.Errorf("the tests inside ended with status %d", code)
	}
}

// insideTests are the tests that are about a kernel.
func insideTests() string {
	if p := os.Getenv("SALLYPORT_L4_INSIDE"); p != "" {
		return p // for one who looks for a fault
	}
	return "^Test(Packets|Restart|UDPFlowsAfterARestart|ModeSwitch|Cleanup|Deleted)$"
}

// A relay writes lines to a test's log.
type relay struct {
	t    *testing.T
	rest string
}

func (r *relay) Write(b []byte) (int, error) {
	text := r.rest + string(b)
	for {
		line, rest, ok := strings.Cut(text, "\n")
		if !ok {
			r.rest = text
			return len(b), nil
		}
		if !strings.Contains(line, "=== ") {
			fmt.Fprintln(r.t.Output(), "inside:", strings.TrimRight(line, "\r"))
		}
		text = rest
	}
}
