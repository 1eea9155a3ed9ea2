package uml

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// wanted are the modules that a guest gets, as path.Match patterns of their
// names, and unwanted those of them that it doesn't: helpers that nobody calls.
var (
	wanted = []string{
		"ip_vs*", "ip_set*", "xt_*", "ipt_*", "ip6t_*",
		"ip_tables", "iptable_*", "ip6_tables", "ip6table_*",
		"nf_conntrack", "nf_conntrack_netlink", "nf_nat", "nfnetlink*",
		"dummy", "veth", "bridge", "br_netfilter", "macvlan", "sctp", "sctp_diag", "tcp_diag", "udp_diag", "inet_diag",
	}
	unwanted = []string{
		"ip_vs_ftp", "ip_vs_pe_sip", "*CLUSTERIP*", "*SYNPROXY*", "*table_security",
		"xt_AUDIT", "xt_*SECMARK*", "xt_RATEEST", "xt_TEE", "xt_TRACE",
	}
)

// moduleFolder is where Debian's user-mode-linux keeps the modules of its one
// kernel.
func moduleFolder() (string, error) {
	found, err := filepath.Glob("/usr/lib/uml/modules/*/modules.dep")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no modules in /usr/lib/uml/modules: install Debian's user-mode-linux")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// modulePaths gives the files of all wanted modules, each after those that it
// needs.
func modulePaths(folder string) ([]string, error) {
	f, err := os.Open(filepath.Join(folder, "modules.dep"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	needs, names, err := readDependencies(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	var ordered []string
	seen := map[string]bool{}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".ko")
		if matches(wanted, name) && !matches(unwanted, name) {
			ordered = place(ordered, seen, needs, file)
		}
	}
	for i, file := range ordered {
		ordered[i] = filepath.Join(folder, file)
	}
	return ordered, nil
}

// place puts a file behind all that it needs, unless it is there already.
func place(ordered []string, seen map[string]bool, needs map[string][]string, file string) []string {
	if seen[file] {
		return ordered
	}
	seen[file] = true
	for _, need := range needs[file] {
		ordered = place(ordered, seen, needs, need)
	}
	return append(ordered, file)
}

// readDependencies reads depmod's "file: file file" lines.
func readDependencies(r io.Reader) (needs map[string][]string, names []string, err error) {
	needs = map[string][]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		file, rest, ok := strings.Cut(lines.Text(), ":")
		if !ok {
			return nil, nil, fmt.Errorf("no colon in %q", lines.Text())
		}
		needs[file] = strings.Fields(rest)
		names = append(names, file)
	}
	slices.Sort(names)
	return needs, names, lines.Err()
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, name)
		return ok
	})
}
