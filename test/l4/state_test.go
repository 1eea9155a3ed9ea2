package l4

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ingress/sallyport/test/l4/lab"
)

// state is what a kernel was told, by anybody: sorted lines without counters,
// handles and what is there without anybody having asked for it.
func state(t *testing.T, at *lab.Namespace) []string {
	t.Helper()
	dir, err := legacy()
	if err != nil {
		lacks(t, "no xtables-legacy-multi: install iptables")
	}
	var all []string
	add := func(prefix, text string, keep func(string) bool) {
		for _, line := range strings.Split(text, "\n") {
			if line = strings.Join(strings.Fields(line), " "); line != "" && keep(line) {
				all = append(all, prefix+": "+line)
			}
		}
	}
	any := func(line string) bool { return !strings.Contains(line, "fe80::") } // by chance for each lab
	if exec.Command("nft", "list", "tables").Run() == nil {
		add("nft", elements(run1(t, at, "nft", "list", "ruleset")), any)
	}
	add("iptables", run1(t, at, dir+"/iptables-save"), ofSomebody)
	add("ip6tables", run1(t, at, dir+"/ip6tables-save"), ofSomebody)
	for _, family := range []string{"-4", "-6"} {
		add("rule"+family, run1(t, at, "ip", family, "rule"), any)
		add("route"+family, run1(t, at, "ip", family, "route", "show", "table", "all"), func(line string) bool {
			return any(line) && !strings.Contains(line, "multicast") && !strings.Contains(line, "anycast") && !strings.HasPrefix(line, "ff00::")
		})
		add("address"+family, run1(t, at, "ip", family, "-o", "address"), any)
	}
	if _, err := exec.LookPath("ipset"); err == nil {
		add("ipset", run1(t, at, "ipset", "list", "-n"), any)
	}
	for _, line := range virtualServers(t, at) {
		all = append(all, "ipvs: "+line)
	}
	for i, line := range all {
		all[i] = volatile.ReplaceAllString(line, "")
	}
	slices.Sort(all)
	return all
}

// volatile is what changes by itself.
var volatile = regexp.MustCompile(`^address-.: \d+:|\\| ?(counter packets \d+ bytes \d+|expires \w+|valid_lft \w+|preferred_lft \w+|\[\d+:\d+\])`)

// elements puts each element of a set on a line of its own: their order in a
// kernel's set is by chance.
func elements(text string) string {
	return strings.NewReplacer(",", "\n", "elements = {", "elements = {\n", "}", "\n}").Replace(text)
}

// ofSomebody leaves what iptables-save prints of tables that are merely there.
func ofSomebody(line string) bool {
	if strings.HasPrefix(line, ":") {
		return !slices.Contains([]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}, strings.Fields(line[1:])[0])
	}
	return !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "*") && line != "COMMIT"
}

func run1(t *testing.T, at *lab.Namespace, program string, args ...string) string {
	t.Helper()
	out, err := at.Run("", program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// same compares two states.
func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// foreign puts rules of somebody else into a namespace, near to ours in name
// and place.
func foreign(t *testing.T, at *lab.Namespace) {
	t.Helper()
	dir, err := legacy()
	if err != nil {
		lacks(t, "no xtables-legacy-multi: install iptables")
	}
	if exec.Command("nft", "list", "tables").Run() == nil {
		const text = `table ip sallyportal {
	set friends { type ipv4_addr; elements = { 192.0.2.99 } }
	chain mine { type nat hook prerouting priority dstnat - 5; ip saddr 192.0.2.99 accept; }
}
table inet filter {
	chain input { type filter hook input priority 0; ip saddr 192.0.2.98 drop; }
}
`
		if _, err := at.Run(text, "nft", "-f", "-"); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{
		"-t nat -N SALLYPORTAL", "-t nat -A SALLYPORTAL -j RETURN", "-t nat -A PREROUTING -j SALLYPORTAL",
		"-t filter -N KUBE-SERVICES", "-t filter -A FORWARD -j KUBE-SERVICES", "-t filter -A INPUT -s 192.0.2.97 -j DROP",
		"-t mangle -A PREROUTING -s 192.0.2.96 -j MARK --set-mark 0x1",
	} {
		run1(t, at, dir+"/iptables", strings.Fields("-w 5 "+line)...)
		if strings.Contains(line, "192.0.2") {
			continue
		}
		run1(t, at, dir+"/ip6tables", strings.Fields("-w 5 "+line)...)
	}
	run1(t, at, "ip", "rule", "add", "fwmark", "0x77", "lookup", "main")
	if _, err := exec.LookPath("ipset"); err == nil {
		run1(t, at, "ipset", "create", "theirs", "hash:ip")
	}
}
