package e2e

import (
	"fmt"
	"testing"
)

func class(name, controller string, isDefault bool) string {
	return fmt.Sprintf(`---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: %s, annotations: {ingressclass.kubernetes.io/is-default-class: "%v"}}
spec: {controller: %s}
`, name, isDefault, controller)
}

// classed are Ingresses that name their class in each way there is. The host
// says how.
func classed(t *testing.T, w *world, net int) {
	t.Helper()
	apps(t, w, net, "web")
	for name, c := range map[string]struct{ field, annotation string }{
		"none":         {"-", ""},
		"nginx":        {"nginx", ""},
		"also-ours":    {"second", ""},
		"other":        {"other", ""},
		"by-name":      {"named", ""},
		"old":          {"-", "nginx"},
		"old-other":    {"-", "other"},
		"old-named":    {"-", "named"},
		"field-counts": {"other", ""},
	} {
		i := web(name, name+".example.org", "web")
		i.class = c.field
		if c.annotation != "" {
			i.annotations = map[string]string{"kubernetes.io/ingress.class": c.annotation}
		}
		w.Apply(t, i.String())
	}
	w.Apply(t, class("second", "k8s.io/ingress-nginx", false)+class("other", "example.org/other", false)+class("named", "example.org/third", false))
}

// served says which hosts are served: those named, and no other.
func served(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

func TestClasses(t *testing.T) {
	for name, c := range map[string]struct {
		args    []string
		classes string // beside those of classed
		want    map[string]bool
	}{
		"by default": {
			want: served("nginx", "also-ours", "old"),
		},
		"--controller-class": {
			args: []string{"--controller-class=example.org/other"},
			want: served("other", "field-counts", "old"),
		},
		"--ingress-class": {
			args: []string{"--ingress-class=named"},
			want: served("nginx", "also-ours", "old-named"),
		},
		"--ingress-class-by-name": {
			args: []string{"--ingress-class=named", "--ingress-class-by-name"},
			want: served("nginx", "also-ours", "by-name", "old-named"),
		},
		"--watch-ingress-without-class": {
			args: []string{"--watch-ingress-without-class"},
			want: served("nginx", "also-ours", "old", "none"),
		},
		"our class is the cluster's default": {
			classes: class("second", "k8s.io/ingress-nginx", true),
			want:    served("nginx", "also-ours", "old", "none"),
		},
		"another class is the cluster's default": {
			classes: class("other", "example.org/other", true),
			want:    served("nginx", "also-ours", "old"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachSource(t, func(t *testing.T, w *world) {
				classed(t, w, 20)
				if c.classes != "" {
					w.Apply(t, c.classes)
				}
				s := w.launch(t, c.args...)
				for _, host := range []string{"none", "nginx", "also-ours", "other", "by-name", "old", "old-other", "old-named", "field-counts"} {
					want := "404"
					if c.want[host] {
						want = "web"
					}
					expect(t, s, "http://"+host+".example.org/", want)
				}
			})
		})
	}
}

// Which Ingresses are ours follows a class that comes, changes or goes.
func TestClassesChange(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 21, "web")
		i := web("web", "a.example.org", "web")
		i.class = "later"
		w.Apply(t, i.String())
		s := w.launch(t)
		expect(t, s, "http://a.example.org/", "404")
		w.Apply(t, class("later", "k8s.io/ingress-nginx", false))
		becomes(t, s, "http://a.example.org/", "web")
		w.Delete(t, "IngressClass", "", "later")
		becomes(t, s, "http://a.example.org/", "404")
	})
}
