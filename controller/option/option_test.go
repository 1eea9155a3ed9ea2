package option

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// check runs a check over texts: "" as want means that the text is wrong.
func check[T comparable](t *testing.T, c Check[T], right map[string]T, wrong ...string) {
	t.Helper()
	for text, want := range right {
		if got, err := c.Parse(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range wrong {
		if got, err := c.Parse(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestChecks(t *testing.T) {
	check(t, Bool, map[string]bool{"true": true, "false": false, "1": true}, "yes", "on", "true;", "")
	check(t, Switch, map[string]bool{"on": true, "off": false}, "ON", "on;", "1")
	check(t, Int(1, 10), map[string]int{"1": 1, "10": 10}, "0", "11", "1.5", "1e1", "0x1", "１", "99999999999999999999", "1 ", "")
	check(t, Seconds, map[string]time.Duration{"5": 5 * time.Second, "60s": time.Minute, "0": 0}, "-1", "5m", "s", "soon", "9999999999999")
	check(t, Duration, map[string]time.Duration{"5": 5 * time.Second, "10m": 10 * time.Minute, "100ms": 100 * time.Millisecond, "1d": 24 * time.Hour},
		"5x", "m", "-5s", "1h30m", "1.5s", "5s;", "99999999999s")
	check(t, Size, map[string]string{"0": "0", "8k": "8k", "10M": "10m", "8kb": "8k"}, "8x", "k", "-1", "8 k", "8k;", "1.5m", "9999999999999")
	check(t, SizeFrom(1024, 1<<20), map[string]string{"1k": "1k", "1m": "1m", "1024": "1024"}, "1", "1023", "2m", "1g", "999999999999g")
	check(t, Buffers, map[string]string{"4 8k": "4 8k", "4   16k": "4 16k"}, "4", "8k", "0 8k", "4 8k 1", "4 8k;", "4\n8k")
	check(t, OneOf("a", "b"), map[string]string{"a": "a"}, "", "c", "a b", "A")
	check(t, Words("a", "b"), map[string]string{"a b": "a b", "b\ta": "b a"}, "a a", "c", "a;b")
	check(t, Pattern("[a-z]+", "letters"), map[string]string{"abc": "abc"}, "", "a\n", "\na", "a1", "a b")
}

// A problem names the key with its prefix, and what nobody asks for is told.
func TestReader(t *testing.T) {
	key := Key[int]{Name: "count", Doc: "Counts.", Default: 3, Check: Int(1, 5)}
	r := NewReader(map[string]string{"x/count": "9", "x/cuont": "1", "y/count": "2"}, "x/")
	if v := key.Get(r); v != 3 {
		t.Errorf("a wrong value gives %d, not the default", v)
	}
	if diff := cmp.Diff([]Problem{{Key: "x/count", Reason: `"9" is not in the range from 1 to 5`}}, r.Problems()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"cuont"}, r.Unasked()); diff != "" {
		t.Error(diff)
	}
	if _, ok := key.Lookup(NewReader(map[string]string{"count": "  "}, "")); ok {
		t.Error("blanks are a value")
	}
}

// What is read is what is documented.
func TestDocs(t *testing.T) {
	docs := Docs(func(r *Reader) {
		Key[int]{Name: "a", Doc: "A.", Default: 3, Check: Int(1, 5)}.Get(r)
		Key[time.Duration]{Name: "b", Doc: "B.", Default: time.Minute, Check: Seconds}.Get(r)
	})
	want := []Doc{
		{Name: "a", Text: "A.", Values: "a whole number from 1 to 5", Default: "3"},
		{Name: "b", Text: "B.", Values: "seconds, a whole number", Default: "60"},
	}
	if diff := cmp.Diff(want, docs); diff != "" {
		t.Error(diff)
	}
}
