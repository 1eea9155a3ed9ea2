package main

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("not root: network namespaces are needed")
	}
	t.Skip("not root: network namespaces are needed; run the tests as root")
}

func inSession(t *testing.T, f func(s *lab.Session)) {
	t.Helper()
	if err := lab.Attempt(t.Name(), t.Output(), f); err != nil {
		t.Error(err)
	}
}

// checkRaw is part of insertRaw: it ends the session where elements are missing.
func TestRawElementsAllArrive(t *testing.T) {
	needRoot(t)
	for _, n := range []int{1, 500, batchElements + 1} { // one message, several, several batches
		inSession(t, func(s *lab.Session) {
			t.Logf("%d Services: %v", n, insertRaw(s, n))
		})
	}
}

func TestRawElementsThatAreRefusedAreAnError(t *testing.T) {
	needRoot(t)
	inSession(t, func(s *lab.Session) {
		newNamespace(s).do(s, func() { // with no table in it
			k, err := dialKernel()
			s.Must(err, "nftables")
			if err := k.insertAll(10); err == nil {
				t.Error("elements of a map that is not there were taken")
			}
		})
	})
}

func TestLaneLeadsFromTheClientToThePods(t *testing.T) {
	needRoot(t)
	inSession(t, func(s *lab.Session) {
		l := newLane(s, newNamespace(s), 1)
		pod := netip.AddrPortFrom(endpointsOf(0)[0], podPort)
		check := func(want string) {
			l.client.do(s, func() {
				v, err := call(pod)
				switch {
				case want == "" && (err != nil || v.by != pod.Addr()):
					t.Errorf("call = %+v, %v, want an answer by %s", v, err, pod.Addr())
				case want != "" && (err == nil || reason(err) != want):
					t.Errorf("call = %+v, %v, want it %s", v, err, want)
				}
			})
		}
		check("")
		l.served.leave(pod.Addr(), time.Hour)
		check("") // within its grace
		l.served.leave(pod.Addr(), 0)
		check("reset")
		l.client.do(s, func() {
			if _, err := call(netip.AddrPortFrom(pod.Addr(), podPort+1)); err == nil || reason(err) != "refused" {
				t.Errorf("call to a port without a listener: %v, want it refused", err)
			}
		})
	})
}
