package uml

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const memMB = 256

// roleKey tells a copy of this test binary what it is.
const roleKey = "SALLYPORT_UML_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(roleKey) == "host" {
		_, err := Run(context.Background(), os.Stdout, []string{"bash", "-c", "echo up; exec cat /dev/tty3"}, nil, memMB)
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// needUML skips a test where there can be no guest.
func needUML(t *testing.T) {
	t.Helper()
	if why := Missing(); why != "" {
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip("reason: " + why)
	}
}

func run(t *testing.T, env []string, argv ...string) (int, string) {
	t.Helper()
	needUML(t)
	var out bytes.Buffer
	exit, err := Run(t.Context(), &out, argv, env, memMB)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return exit, out.String()
}

func TestStatusOutputAndEnvironment(t *testing.T) {
	env := []string{"ODD=it's \"$HOME\"\n\\", "SAID=yes"}
	exit, out := run(t, env, "bash", "-c", `printf '%s|' "$ODD" "$SAID" "$1" "$PWD" "$HOME" "$SALLYPORT_UML"; echo err >&2; exit 7`, "bash", "a  'b'")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := "it's \"$HOME\"\n\\|yes|a  'b'|" + here + "|/root|1|err\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if exit != 7 {
		t.Errorf("exit status %d, want 7", exit)
	}
}

func TestCommandThatIsNotThere(t *testing.T) {
	if exit, out := run(t, nil, "/nowhere/at all"); exit != 127 {
		t.Errorf("exit status %d, want 127\n%s", exit, out)
	}
}

func TestSignalOfCommand(t *testing.T) {
	if exit, out := run(t, nil, "bash", "-c", "kill -9 $$"); exit != 128+9 {
		t.Errorf("exit status %d, want 137\n%s", exit, out)
	}
}

// All bytes come through a terminal as they are, and the last ones too.
func TestOutputIsBinary(t *testing.T) {
	var sent bytes.Buffer
	for i := range 1 << 18 {
		sent.WriteByte(byte(i * (i >> 8)))
	}
	path := filepath.Join(t.TempDir(), "bytes")
	if err := os.WriteFile(path, sent.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out := run(t, nil, "cat", path)
	if len(out) != sent.Len() || sha256.Sum256([]byte(out)) != sha256.Sum256(sent.Bytes()) {
		t.Errorf("%d bytes came, %d were written, or they differ", len(out), sent.Len())
	}
}

// What this package is for. Each line that the guest prints is something that
// doesn't work there.
func TestGuestHasWhatItIsFor(t *testing.T) {
	_, out := run(t, nil, "bash", "-c", `
		folder=$(tr ' ' '\n' </proc/cmdline | sed -n s/UML_FOLDER=//p)
		cat "$folder/unloaded"
		try() { "$@" >/run/tmp/said 2>&1 || { echo "$*:"; cat /run/tmp/said; }; }
		for s in rr wrr lc wlc dh sh sed nq mh; do try test -d /sys/module/ip_vs_$s; done
		try test -d /sys/module/sctp
		try test "$(cat /proc/sys/net/netfilter/nf_conntrack_max)" -ge 200000
		try ip netns add a
		try ip link add name vips type dummy
		try ip link add name veth0 type veth peer name veth1 netns a
		try ipset create s hash:ip,port,net
		try ipset create s6 hash:ip,port,ip family inet6
		for t in iptables-legacy ip6tables-legacy; do
			try $t -A INPUT -p tcp -m mark --mark 1 -j REJECT --reject-with tcp-reset
			try $t -t nat -A POSTROUTING -m ipvs --ipvs -j MASQUERADE --random-fully
			try $t -t nat -A OUTPUT -m addrtype --dst-type LOCAL -j MARK --set-xmark 1/1
		done
		try iptables-legacy -A INPUT -m set --match-set s dst,dst,src -j DROP
	`)
	if out != "" {
		t.Error(out)
	}
}

func TestGuestDies(t *testing.T) {
	needUML(t)
	folders := ownFolders(t)
	exit, err := Run(t.Context(), io.Discard, []string{"bash", "-c", "echo c >/proc/sysrq-trigger"}, nil, memMB)
	if err == nil || !strings.Contains(err.Error(), "died before its command ended") {
		t.Errorf("exit %d, error %v; want one that says that the guest died", exit, err)
	}
	nothingIsLeft(t, folders)
}

// upWriter closes up when the guest has said something: so it also shows that
// output comes before the end.
type upWriter struct{ up chan struct{} }

func (w upWriter) Write(p []byte) (int, error) {
	close(w.up)
	return len(p), nil
}

func TestContextEnds(t *testing.T) {
	needUML(t)
	folders := ownFolders(t)
	ctx, cancel := context.WithCancel(t.Context())
	up, ended := make(chan struct{}), make(chan error)
	go func() {
		_, err := Run(ctx, upWriter{up}, []string{"bash", "-c", "echo up; exec cat /dev/tty3"}, nil, memMB)
		ended <- err
	}()
	<-up
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context canceled", err)
	}
	nothingIsLeft(t, folders)
}

// A guest doesn't outlive the process that runs it, whatever becomes of that.
func TestProcessIsKilled(t *testing.T) {
	needUML(t)
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), roleKey+"=host")
	said, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := said.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	guests := guestsOf(t, host.Process.Pid)
	if len(guests) == 0 {
		t.Fatal("found no guest")
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	host.Wait() // its output is held open by nobody else
	for _, pid := range guests {
		if err := waitGone(t.Context(), pid); err != nil {
			t.Error(err)
		}
	}
}
