package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func FuzzBrokenMessagesAreNoPanic(f *testing.F) {
	var b Batch
	b.AddElements(IPv4, "t", "s", []Element{{Key: "abcd", End: "abce", Data: Verdict("c"), Packets: 1, Bytes: 2}})
	f.Add(b.Bytes())
	f.Fuzz(func(_ *testing.T, b []byte) {
		for m := range messages(b) {
			_ = m.err()
			if len(m.body) > 4 {
				parseList(m.body[4:], nil)
				names(m.body[4:], 1, 2)
			}
		}
	})
}

func TestElementsComeBackAsTheyWent(t *testing.T) {
	var all []Element
	for i := range 3000 { // more than one message holds
		key := string([]byte{1, 2, byte(i >> 8), byte(i)})
		all = append(all, Element{Key: key, End: key + "\x00\x01\x02\x03", Data: Value("12345678"), Packets: uint64(i) + 1, Bytes: 40})
	}
	all[7].Data = Verdict("some-chain")
	all[8].Data = Verdict("")
	var b Batch
	b.AddElements(IPv6, "t", "s", all)
	if b.messages < 2 {
		t.Errorf("%d elements are in %d messages", len(all), b.messages)
	}
	var got []Element
	for m := range messages(b.Bytes()) {
		if len(m.body) > 1<<16 {
			t.Errorf("a message has %d bytes", len(m.body))
		}
		got = parseList(m.body[4:], got)
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := Chain(got[7].Data); c != "some-chain" {
		t.Errorf("goes to %q", c)
	}
	if v := Plain(got[9].Data); v != "12345678" {
		t.Errorf("the value is %q", v)
	}
}

func TestErrors(t *testing.T) {
	if err := batchError(seqBegin, unix.ERESTART); !errors.Is(err, ErrChanged) {
		t.Errorf("a batch for an older generation gives %v", err)
	}
	if err := batchError(3, unix.EINVAL); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a refused message gives %v", err)
	}
}
