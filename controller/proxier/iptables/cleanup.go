package iptables

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// Cleanup removes what this mode ever put into this network namespace: in both
// families, of each flavour whose programs are there. The tables and the
// kernel's chains, which iptables-nft makes when it first needs them, stay.
func Cleanup(ctx context.Context) error { return cleanup(ctx, programs{}) }

func cleanup(ctx context.Context, r runner) error {
	var failed []error
	for _, f := range []plan.Family{plan.IPv4, plan.IPv6} {
		named := false
		for _, flavour := range []string{flavourLegacy, flavourNft, ""} {
			// The one without a name is one of the two, unless it is alone.
			if t, err := look(flavour, f); err == nil && (flavour != "" || !named) {
				named = true
				failed = append(failed, t.clean(ctx, r, f))
			}
		}
	}
	return errors.Join(failed...)
}

func (t tools) clean(ctx context.Context, r runner, f plan.Family) error {
	kind, err := t.kind(ctx, r)
	if err != nil {
		return err
	}
	if there, err := anyTables(kind, f); err != nil || !there {
		return err
	}
	was, err := t.read(ctx, r)
	if err != nil {
		return err
	}
	var s script
	for _, name := range slices.Sorted(maps.Keys(was)) {
		s = append(s, removal(name, was[name])...)
	}
	if err := t.commit(ctx, r, s); err != nil {
		return fmt.Errorf("rules of %s could not be removed: %w", f, err)
	}
	return nil
}

// removal takes a table's jumps and chains away, those first that lead to
// others, in blocks of a thousand chains: iptables-nft-restore takes time that
// goes by their square.
func removal(table string, was *saved) script {
	now := &block{table: table}
	for _, jump := range slices.Sorted(maps.Keys(was.jumps)) {
		for range was.jumps[jump] {
			now.tail("-D " + jump)
		}
	}
	var own []string
	for _, c := range slices.Sorted(maps.Keys(was.ours)) {
		if rank(c) < 0 {
			now.gone(c)
			continue
		}
		own = append(own, c)
	}
	s := script{now}
	slices.SortStableFunc(own, func(a, b string) int { return rank(a) - rank(b) })
	for i, c := range own {
		if i == 0 || now.headLines >= 1000 || rank(c) != rank(own[i-1]) {
			now = &block{table: table}
			s = append(s, now)
		}
		now.gone(c)
	}
	return s
}

// rank is a place in the order in which a port's chains lead to each other; no
// two of the same place do. It is below 0 for chains that all ports share.
func rank(name string) int {
	return slices.IndexFunc([]string{bySource, byOrigin, clusterPool, localPool, slotGroup, endpointName}, func(first string) bool {
		return strings.HasPrefix(name, first)
	})
}

// anyTables says whether there can be rules. To have them saved where there are
// none would at best load modules for nothing, and at worst fail.
func anyTables(kind string, f plan.Family) (bool, error) {
	if kind == flavourNft {
		_, err := generation(f)
		if errors.Is(err, errNotThere) {
			return false, nil
		}
		return err == nil, err
	}
	path := "/proc/thread-self/net/ip_tables_names"
	if f == plan.IPv6 {
		path = "/proc/thread-self/net/ip6_tables_names"
	}
	names, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return len(bytes.TrimSpace(names)) > 0, err
}
