package chart

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// Nine tenths of what ingress-nginx's chart documents does something here, and
// each other value is named to who sets it: in the notes, or by a refusal.
func TestDocumentedValues(t *testing.T) {
	const least = 0.9
	c, all := load(t), documented(t)
	text, err := os.ReadFile("documented.txt")
	if err != nil {
		t.Fatal(err)
	}
	count, contexts := map[string]int{}, map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		rest, context, _ := strings.Cut(line, " @")
		path, sample, _ := strings.Cut(rest, " ")
		fate := try(t, c, all, path, sample, context, contexts)
		count[fate]++
		if fate != "understood" {
			t.Logf("%s: %s", path, fate)
		}
	}
	total := count["understood"] + count["reported"] + count["refused"] + count["ignored"]
	share := float64(count["understood"]) / float64(total)
	t.Logf("of %d values %d are understood (%.1f %%), %d reported by name, %d refused by name", total, count["understood"], 100*share, count["reported"], count["refused"])
	if count["ignored"] > 0 || share < least || total < 300 {
		t.Errorf("%v", count)
	}
}

// try sets one value, and says what comes of it. What comes without it is kept
// in contexts.
func try(t *testing.T, c *chart.Chart, all value, path, sample, context string, contexts map[string]string) string {
	t.Helper()
	v, ok := all.find(path)
	if !ok {
		t.Errorf("%s: is not in values.yaml", path)
		return "ignored"
	}
	var set any = v.other(t)
	if sample != "" {
		if err := json.Unmarshal([]byte(sample), &set); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	before := map[string]any{}
	if context != "" {
		if err := json.Unmarshal([]byte(context), &before); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	without, known := contexts[context]
	if !known {
		r, err := render(c, before)
		if err != nil {
			t.Fatalf("%s: without it: %v", path, err)
		}
		without = r.text(t)
		contexts[context] = without
	}
	nested := set
	steps := strings.Split(path, ".")
	for i := len(steps) - 1; i >= 0; i-- {
		nested = map[string]any{steps[i]: nested}
	}
	with, err := render(c, chartutil.CoalesceTables(nested.(map[string]any), before))
	names := strings.TrimSuffix(path, ".configMapKey")
	switch {
	case err != nil && strings.Contains(err.Error(), strings.TrimSuffix(names, ".configMapName")):
		return "refused"
	case err != nil:
		t.Errorf("%s: %v", path, err)
		return "ignored"
	case strings.Contains(with.notes, "\n"+path+": has no counterpart") || v.unmatched() && strings.Contains(with.notes, "\n"+path+"."):
		return "reported"
	case with.text(t) == without:
		t.Errorf("%s: has no effect, and nobody is told", path)
		return "ignored"
	case v.unmatched():
		t.Errorf("%s: is said to have no counterpart, and has an effect", path)
	}
	return "understood"
}

// find is the value that a path leads to, or into.
func (v value) find(path string) (value, bool) {
	for v.keys != nil && path != "" {
		step, rest, _ := strings.Cut(path, ".")
		below, ok := v.keys[step]
		if !ok {
			return v, false
		}
		v, path = below, rest
	}
	return v, true
}

// other is a value that is not the default.
func (v value) other(t *testing.T) any {
	t.Helper()
	if v.keys != nil {
		return nil
	}
	fallback := v.fallback(t)
	for _, one := range v.enum {
		if one != fallback && one != "" && one != "Both" {
			return one
		}
	}
	switch f := fallback.(type) {
	case bool:
		return !f
	case int:
		return f + 1
	default:
		return "sample"
	}
}
