package ipvs

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

func TestServiceIsReadAsWritten(t *testing.T) {
	for _, s := range []server{
		{netip.MustParseAddr("10.96.0.10"), 80, plan.TCP},
		{netip.MustParseAddr("fd00:96::10"), 65535, plan.UDP},
	} {
		for _, by := range []schedule{{Name: "rr"}, {Name: "sh", Flags: flagFallback}, {Name: "mh", Flags: flagPersistent | flagFallback, Timeout: 10800}} {
			data := padAddress(details(name(s), by, s.Address.Is6()))
			got, l, ok := readService(data)
			if !ok || got != s || l.schedule != by {
				t.Errorf("%v %v is read as %v %v, %v", s, by, got, l.schedule, ok)
			}
		}
	}
}

// padAddress makes an address of four bytes one of sixteen, as the kernel
// writes them.
func padAddress(data []byte) []byte {
	var out []byte
	for kind, value := range attributesOf(data) {
		if kind == serviceAddress {
			value = append(append([]byte{}, value...), make([]byte, 16-len(value))...)
		}
		out = attribute(out, kind, value)
	}
	return out
}

func TestRealIsReadAsWritten(t *testing.T) {
	for _, at := range []string{"10.244.1.10:8080", "[fd00::1]:1"} {
		c := call{operation: addReal, real: netip.MustParseAddrPort(at), weight: 100}
		got, r, ok := readReal(c.realAttributes())
		if !ok || got != c.real || r.weight != 100 || r.connections != 0 {
			t.Errorf("%s is read as %v %v, %v", at, got, r, ok)
		}
	}
}

// A virtual server of a mark is somebody else's, and has no address.
func TestMarkIsNoServer(t *testing.T) {
	if s, _, ok := readService(number(short(nil, serviceFamily, unix.AF_INET), serviceMark, 7)); ok {
		t.Errorf("is read as %v", s)
	}
}

// Whatever comes, nothing is read beyond its end.
func FuzzReading(f *testing.F) {
	s := server{netip.MustParseAddr("10.96.0.10"), 80, plan.TCP}
	f.Add(details(name(s), schedule{Name: "rr"}, false))
	f.Add(call{real: netip.MustParseAddrPort("10.0.0.1:80")}.realAttributes())
	for _, text := range []string{"", "00", "0400", "04000100", "ffff0100", "0300010000", "0500010000", "08000a0004000100"} {
		data, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		readService(data)
		readReal(data)
	})
}

func TestFamilyThatIsNotThere(t *testing.T) {
	w, err := openWire("no such family")
	if err == nil {
		w.close()
	}
	if !errors.Is(err, unix.ENOENT) {
		t.Errorf("error %v, want ENOENT", err)
	}
}

// Errors are those of their own requests, in a batch that is sent in parts.
func TestErrorsHaveTheirPlaces(t *testing.T) {
	w, err := openWire("nlctrl")
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	const good, none = unix.CTRL_CMD_GETFAMILY, 99
	requests := make([]request, 2*perSend+3)
	for i := range requests {
		requests[i] = request{good, attribute(nil, unix.CTRL_ATTR_FAMILY_NAME, []byte("nlctrl\x00"))}
		if i%7 == 3 {
			requests[i].command = none
		}
	}
	failed, err := w.send(requests)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range failed {
		if (err != nil) != (i%7 == 3) {
			t.Errorf("request %d: %v", i, err)
		}
	}
}
