package lab

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestParseStatRefusesAndReads(t *testing.T) {
	for _, bad := range []string{"", "1 nginx S 1", "1 (nginx", "1 (nginx) S 1 2 3", "1 (nginx) S x 1 1 0 -1 0 0 0 0 0 5 6 0", "1 (nginx) S 1 1 1 0 -1 0 0 0 0 0 5 y 0 0", "1 (nginx) S 1 1 1 0 -1 0 0 0 0 0 5 6 0 z"} {
		if s, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parseStat(%q) = %+v, want an error", bad, s)
		}
	}
	got, err := parseStat([]byte("42 (a) b (nginx: w) S 41 41 41 0 -1 4194624 10 0 0 0 123 77 30 20 20 0 1 0\n"))
	want := Stat{Name: "a) b (nginx: w", State: 'S', Parent: 41, CPU: 2 * time.Second, Reaped: 500 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("parseStat = %+v, %v, want %+v", got, err, want)
	}
}

func TestChildrenFindsAChild(t *testing.T) {
	child := exec.Command("cat")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); child.Wait() })
	got, err := Children(os.Getpid())
	if err != nil || !slices.Contains(got, child.Process.Pid) {
		t.Errorf("children = %v, %v, want %d among them", got, err, child.Process.Pid)
	}
}

func TestParseStatus(t *testing.T) {
	text := []byte("Name:\tsallyport\nVmHWM:\t  2048 kB\nVmRSS:\t    1024 kB\nVmBad:\t1024 MB\n")
	for _, c := range []struct {
		field string
		want  int64
		ok    bool
	}{{"VmRSS", 1 << 20, true}, {"VmHWM", 2 << 20, true}, {"VmBad", 0, false}, {"Vm", 0, false}, {"VmSwap", 0, false}} {
		got, err := ParseStatus(text, c.field)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("ParseStatus(%s) = %d, %v, want %d", c.field, got, err, c.want)
		}
	}
}
