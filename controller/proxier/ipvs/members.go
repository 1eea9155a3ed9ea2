package ipvs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// setOf finds the set that has a name.
func setOf(name string) (set, plan.Family, bool) {
	for s := range sets {
		for _, f := range []plan.Family{plan.IPv4, plan.IPv6} {
			if s.name(f) == name {
				return s, f, true
			}
		}
	}
	return 0, 0, false
}

// createSets makes those that aren't there.
func createSets(ctx context.Context, r runner, families []plan.Family) error {
	var lines []string
	for _, f := range families {
		for s := range sets {
			lines = append(lines, s.create(f))
		}
	}
	_, err := r.ipset(ctx, lines)
	return err
}

// readMembers reads what our sets hold.
func readMembers(ctx context.Context, r runner) (map[member]bool, error) {
	text, err := r(ctx, "", "ipset", "save")
	if err != nil {
		return nil, err
	}
	all := map[member]bool{}
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "add" {
			continue
		}
		if s, f, ok := setOf(words[1]); ok {
			all[member{s, f, words[2]}] = true
		}
	}
	return all, nil
}

// countMembers asks how many members our sets have, without reading them.
func countMembers(ctx context.Context, r runner) (int, error) {
	text, err := r(ctx, "", "ipset", "list", "-terse")
	if err != nil {
		return 0, err
	}
	total, ours := 0, false
	for _, line := range strings.Split(text, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "Name":
			_, _, ours = setOf(value)
		case "Number of entries":
			n, err := strconv.Atoi(value)
			if err != nil {
				return 0, fmt.Errorf("ipset: %q: %w", line, err)
			}
			if ours {
				total += n
			}
		}
	}
	return total, nil
}

// destroySets removes those of our sets that are there. No rule may use them
// any more.
func destroySets(ctx context.Context, r runner) error {
	text, err := r(ctx, "", "ipset", "list", "-name")
	if missing(err) {
		return nil // nobody else could have made them
	}
	if err != nil {
		return err
	}
	names := strings.Fields(text)
	names = slices.DeleteFunc(names, func(n string) bool {
		_, _, ours := setOf(n)
		return !ours
	})
	for i, n := range names {
		names[i] = "destroy " + n
	}
	_, err = r.ipset(ctx, names)
	return err
}
