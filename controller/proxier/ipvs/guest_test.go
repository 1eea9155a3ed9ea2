package ipvs

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/uml"
)

// TestInGuest runs the tests of this file's kind, those that needGuest, in a
// kernel that has ipvs.
func TestInGuest(t *testing.T) {
	if uml.Inside() {
		t.Skip("reason: this is User-mode Linux already")
	}
	if why := uml.Missing(); why != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip("reason: " + why)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	which := "^TestKernel"
	if w := os.Getenv("SALLYPORT_IPVS_INSIDE"); w != "" {
		which = w // for one who looks for a fault
	}
	exit, err := uml.Run(t.Context(), lines{t}, []string{self, "-test.run=" + which, "-test.v"}, []string{"CI=" + os.Getenv("CI")}, 512)
	if err != nil {
		t.Fatal(err)
	}
	if exit != 0 {
		t.Errorf("the tests inside ended with status %d", exit)
	}
}

// lines are what a guest says, in this test's log.
type lines struct{ t *testing.T }

func (l lines) Write(p []byte) (int, error) {
	return l.t.Output().Write([]byte(strings.ReplaceAll(string(p), "=== RUN", "inside:")))
}

// needGuest skips a test that runs in User-mode Linux alone.
func needGuest(t *testing.T) {
	t.Helper()
	if !uml.Inside() {
		t.Skip("reason: this kernel need not have ipvs: TestInGuest runs it in User-mode Linux")
	}
}
