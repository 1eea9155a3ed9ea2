package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDocsAreFresh(t *testing.T) {
	got, err := os.ReadFile("../../" + flagsFile)
	if err != nil || string(got) != flagsPage() {
		t.Errorf("%s is not what the flags say (%v): run `make docs`", flagsFile, err)
	}
}

// A wrong value ends with status 2 and names its flag.
func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--proxy-mode=nft"},
		{"--proxy-mode="},
		{"--ipvs-scheduler=weighted"},
		{"--manifests=x", "--kubeconfig=y"},
		{"--manifests=x", "--master=y"},
		{"--cluster-cidr=10.0.0.0"},
		{"--cluster-cidr=10.0.0.0/33"},
		{"--cluster-cidr=010.0.0.0/8"},
		{"--detect-local-mode=Cluster"},
		{"--pod-bridge-interface=", "--detect-local-mode=BridgeInterface"},
		{"--pod-interface-name-prefix=a b", "--detect-local-mode=InterfaceNamePrefix"},
		{"--iptables-masquerade-bit=32"},
		{"--nodeport-addresses=primary,10.0.0.0/8"},
		{"--nodeport-addresses=localhost"},
		{"--min-sync-period=-1s"},
		{"--iptables-sync-period=0s"},
		{"--healthz-bind-address=localhost:10256"},
		{"--metrics-bind-address=127.0.0.1:http"},
		{"--ipvs-exclude-cidrs=10.0.0.0"},
		{"--log-format=xml"},
		{"--service-proxy-name=a b"},
		{"--service-proxy-name=-edge"},
		{"--no-such-flag"},
		{"--hostname-override=n1", "argument"},
		{"nonsense"},
	} {
		var stdout, stderr bytes.Buffer
		status := dispatch(t.Context(), args, &stdout, &stderr)
		name, _, _ := strings.Cut(args[0], "=")
		if name == "--hostname-override" {
			name = "argument"
		}
		if said := stderr.String(); status != 2 || !strings.Contains(said, name) {
			t.Errorf("%q: status %d, %q: want 2, and %s named", args, status, said, name)
		}
	}
}

// A folder that isn't there ends plan and the proxier alike, by a status that
// scripts see.
func TestAFolderThatIsNotThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"plan"}, {}} {
		for _, path := range []string{filepath.Join(t.TempDir(), "none"), file} {
			var stdout, stderr bytes.Buffer
			status := dispatch(t.Context(), append(command, "--hostname-override=n1", "--manifests="+path), &stdout, &stderr)
			if status != 1 || stdout.Len() > 0 || !strings.Contains(stderr.String(), "--manifests: ") || !strings.Contains(stderr.String(), path) {
				t.Errorf("%q %s: status %d, %q, %q", command, path, status, &stdout, &stderr)
			}
		}
	}
}

// Who is told to end while it still asks the machine what it can do ends well:
// what was cut off is no answer.
func TestEndsWhileItAsks(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, mode := range []string{"nftables", "iptables"} {
		var stdout, stderr bytes.Buffer
		args := []string{"--hostname-override=n1", "--manifests=" + t.TempDir(), "--proxy-mode=" + mode}
		if status := dispatch(ctx, args, &stdout, &stderr); status != 0 {
			t.Errorf("%s: status %d, %q", mode, status, &stderr)
		}
	}
}

// What people have in their manifests for kube-proxy is taken.
func TestFlagsOfKubeProxy(t *testing.T) {
	var o options
	var stderr bytes.Buffer
	_, err := o.parse([]string{
		"--kubeconfig=/etc/kubeconfig", "--hostname-override=N1", "--proxy-mode=ipvs", "--cluster-cidr=10.244.0.0/16,fd00:10::/64",
		"--ipvs-scheduler=lc", "--ipvs-strict-arp", "--conntrack-max-per-core=0", "--oom-score-adj=-998", "--bind-address", "0.0.0.0",
		"--iptables-localhost-nodeports", "--feature-gates=X=true", "--v=4", "--healthz-bind-address=::", "--metrics-bind-address=",
		"--nodeport-addresses=primary", "--iptables-min-sync-period=10s", "--masquerade-all",
		"--logging-format=json", "--vmodule=proxier=4", "--log-flush-frequency=5s", "--log-json-split-stream",
	}, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.planner()
	if err != nil || p.NodeName != "n1" || len(p.Detect.ClusterCIDRs) != 2 || !p.MasqueradeAll || p.MasqueradeMark != 0x4000 {
		t.Errorf("planner options %+v, %v", p, err)
	}
	if o.LogFormat != "json" {
		t.Errorf("log format %q", o.LogFormat)
	}
	if o.HealthzAddress != "[::]:10256" || o.MetricsAddress != "" {
		t.Errorf("addresses %q, %q", o.HealthzAddress, o.MetricsAddress)
	}
}
