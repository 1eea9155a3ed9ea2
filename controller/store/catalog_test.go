package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

const (
	plainA = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
	plainB = "apiVersion: v1\nkind: Service\nmetadata: {name: b}\n"
	broken = "kind: [\n"
)

func has(c catalog, name string) bool {
	return c.view().objects[ref{services, key("default", name)}] != nil
}

func TestBrokenFileKeepsItsLastGoodObjects(t *testing.T) {
	c := catalog{}
	step := func(text string, a, b bool) {
		t.Helper()
		c.update(decodeFile("f.yaml", []byte(text)))
		if has(c, "a") != a || has(c, "b") != b {
			t.Errorf("after %q: a %t, b %t", text, has(c, "a"), has(c, "b"))
		}
	}
	step(broken+"---\n"+plainA, true, false) // broken from the start: what can be read counts
	step(plainA+"---\n"+plainB, true, true)
	step(plainA+"---\n"+broken, true, true)
	step(broken, true, true)
	step("apiVersion: v1beta1\nkind: Service\nmetadata: {name: b}\n", true, true)
	if n := len(c.view().problems["f.yaml"]); n != 1 {
		t.Errorf("%d problems of the last text, want 1", n)
	}
	step(plainA, true, false) // right again: what is gone from it is gone
	step("", false, false)
}

func TestFirstByPathWins(t *testing.T) {
	c := catalog{}
	c.update(decodeFile("b.yaml", []byte("\n"+plainB+"---\n"+plainA)))
	c.update(decodeFile("a.yaml", []byte("# first\n"+plainA+"---\n"+plainA)))
	v := c.view()
	if got := v.objects[ref{services, key("default", "a")}]; got != c["a.yaml"].items[0].object {
		t.Errorf("counts: %v", got)
	}
	want := []string{
		"Service default/a (b.yaml:6): is also in a.yaml:2, which counts",
		"Service default/a (a.yaml:6): is also in a.yaml:2, which counts",
	}
	got := []string{v.problems["b.yaml"][0].String(), v.problems["a.yaml"][0].String()}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	delete(c, "a.yaml")
	v = c.view()
	if _, ok := v.objects[ref{services, key("default", "a")}].(*corev1.Service); !ok || len(v.problems) != 0 {
		t.Errorf("the second does not take over: %v", v)
	}
}
