package l4

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unreachable gives a kubeconfig of a server that nobody is.
func unreachable(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	const text = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://198.18.255.1:9"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A wrong value ends it at once, with status 2 and the flag's name.
func TestWrongFlags(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nftables)
	for _, wrong := range []string{
		"--proxy-mode=ebpf", "--proxy-mode=", "--ipvs-scheduler=best", "--cluster-cidr=10.0.0.0/33", "--cluster-cidr=ten",
		"--detect-local-mode=Guess", "--detect-local-mode=BridgeInterface", "--detect-local-mode=InterfaceNamePrefix",
		"--nodeport-addresses=first", "--nodeport-addresses=10.0.0.0/99", "--nodeport-addresses=primary,10.0.0.0/8",
		"--healthz-bind-address=here", "--metrics-bind-address=127.0.0.1:99999", "--masquerade-all=perhaps",
		"--iptables-masquerade-bit=32", "--iptables-sync-period=-1s", "--min-sync-period=soon", "--no-such-flag=1", "--log-format=xml",
		"--ipvs-exclude-cidrs=all", "--manifests=x --kubeconfig=y",
	} {
		t.Run(wrong, func(t *testing.T) {
			args := strings.Fields(wrong)
			if !strings.Contains(wrong, "--manifests") {
				args = append(args, w.from.args()...)
			}
			name, _, _ := strings.Cut(args[0], "=")
			code, _, stderr := toEnd(t, w.Edge, args...)
			if code != 2 || !strings.Contains(stderr, strings.TrimPrefix(name, "--")) {
				t.Errorf("status %d, want 2 and %s named; it says: %s", code, name, stderr)
			}
			if code, _, _ := toEnd(t, w.Edge, append([]string{"plan"}, args...)...); code != 2 {
				t.Errorf("plan: status %d, want 2", code)
			}
		})
	}
}
