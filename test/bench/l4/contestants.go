package main

import (
	"os"

	"github.com/sallyport-ingress/sallyport/test/bench/lab"
)

// The contestants' names.
const (
	ours         = "sallyport-proxier nftables"
	kubeNftables = "kube-proxy nftables"
	kubeIptables = "kube-proxy iptables"
)

// rivals are the contestants that ours is compared with.
func rivals() []string { return []string{kubeNftables, kubeIptables} }

// newContestant gives one by name, and ends the session where there is no binary.
func newContestant(s *lab.Session, name string) contestant {
	// The limits of the connection table are not a namespace's to set.
	leave := []string{"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"}
	c := contestant{name: name, binary: os.Getenv(kubeProxyVariable), mode: "nftables", args: leave}
	switch name {
	case ours:
		c.binary, c.args = os.Getenv(proxierVariable), nil
	case kubeIptables:
		c.mode, c.legacy = "iptables", true
	}
	if c.binary == "" {
		s.Fatalf("no %s: %s", name, os.Getenv(missingVariable))
	}
	return c
}
