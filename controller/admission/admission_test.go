package admission

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/template"
)

const prefix = annotation.DefaultPrefix + "/"

func options() build.Options {
	return build.Options{
		Classes:           build.Classes{Controller: "k8s.io/ingress-nginx", Name: "nginx"},
		AnnotationsPrefix: annotation.DefaultPrefix,
		ConfigMap:         store.Key{Namespace: "sallyport", Name: "settings"},
	}
}

var birth = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A want is one Ingress of a test.
type want struct {
	name, host, path, kind string
	annotations            map[string]string
	age                    int // seconds after birth that it was made
	service                string
	class                  string
}

func (w want) ingress() *networkingv1.Ingress {
	if w.class == "" {
		w.class = "nginx"
	}
	if w.service == "" {
		w.service = "web"
	}
	kind := networkingv1.PathTypePrefix
	if w.kind != "" {
		kind = networkingv1.PathType(w.kind)
	}
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: w.name, Annotations: map[string]string{}}}
	ing.CreationTimestamp.Time = birth.Add(time.Duration(w.age) * time.Second)
	for key, text := range w.annotations {
		if !strings.Contains(key, "/") {
			key = prefix + key
		}
		ing.Annotations[key] = text
	}
	ing.Spec.IngressClassName = &w.class
	rule := networkingv1.IngressRule{Host: w.host}
	rule.HTTP = &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
		Path: w.path, PathType: &kind,
		Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: w.service, Port: networkingv1.ServiceBackendPort{Number: 80}}},
	}}}
	ing.Spec.Rules = []networkingv1.IngressRule{rule}
	return ing
}

// A world is a snapshot and the Judge that follows it.
type world struct {
	s *store.Snapshot
	j *Judge
}

func newWorld(o build.Options, settings map[string]string, ingresses ...want) *world {
	w := &world{j: NewJudge(o, template.Environment{}), s: &store.Snapshot{
		Ingresses:      map[store.Key]*networkingv1.Ingress{},
		IngressClasses: map[string]*networkingv1.IngressClass{"nginx": {ObjectMeta: metav1.ObjectMeta{Name: "nginx"}, Spec: networkingv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"}}},
		Services:       map[store.Key]*corev1.Service{{Namespace: "default", Name: "web"}: {Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}},
		ConfigMaps:     map[store.Key]*corev1.ConfigMap{o.ConfigMap: {Data: settings}},
	}}
	ch := store.Changes{Classes: true, Ingresses: map[store.Key]bool{}, Services: map[store.Key]bool{{Namespace: "default", Name: "web"}: true}}
	for _, one := range ingresses {
		key := store.Key{Namespace: "default", Name: one.name}
		w.s.Ingresses[key], ch.Ingresses[key] = one.ingress(), true
	}
	w.j.Follow(w.s, ch, true)
	return w
}

// change stores an Ingress, or deletes the one of that name.
func (w *world) change(name string, to *want) {
	key := store.Key{Namespace: "default", Name: name}
	delete(w.s.Ingresses, key)
	if to != nil {
		w.s.Ingresses[key] = to.ingress()
	}
	w.j.Follow(w.s, store.Changes{Ingresses: map[store.Key]bool{key: true}}, true)
}

func (w *world) judge(t *testing.T, ing, old *networkingv1.Ingress) Judgement {
	t.Helper()
	j, err := w.j.Judge(ing, old)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func texts(problems []model.Problem) string { return strings.Join(tell(problems), "\n") }

func TestJudge(t *testing.T) {
	on := map[string]string{"canary": "true", "canary-weight": "10"}
	first := want{name: "first", host: "a.example.org", path: "/"}
	for _, test := range []struct {
		name            string
		settings        map[string]string
		others          []want
		ingress         want
		refused, warned string // a part of the text; "": nothing
	}{
		{"one that is right", nil, nil, first, "", ""},
		{"a path of another", nil, []want{first}, want{name: "second", host: "a.example.org", path: "/"}, `path "/" of host "a.example.org" belongs to Ingress default/first already`, ""},
		{"in capitals", nil, []want{first}, want{name: "second", host: "A.example.org", path: "/"}, "belongs to Ingress default/first", ""},
		{"though it says that it is older", nil, []want{{name: "first", host: "a.example.org", path: "/", age: 9}}, want{name: "second", host: "a.example.org", path: "/", age: -9}, "belongs to Ingress default/first", ""},
		{"the same path as another type", nil, []want{first}, want{name: "second", host: "a.example.org", path: "/", kind: "Exact"}, "", ""},
		{"another path of its host", nil, []want{first}, want{name: "second", host: "a.example.org", path: "/x"}, "", ""},
		{"a path of one of another class", nil, []want{{name: "first", host: "a.example.org", path: "/", class: "other"}}, want{name: "second", host: "a.example.org", path: "/"}, "", ""},
		{"requests of all hosts, twice", nil, []want{{name: "first", path: "/"}}, want{name: "second", path: "/"}, "belongs to Ingress default/first", ""},
		{"a canary", nil, []want{first}, want{name: "second", host: "a.example.org", path: "/", annotations: on}, "", ""},
		{"a second canary", nil, []want{first, {name: "one", host: "a.example.org", path: "/", annotations: on}}, want{name: "two", host: "a.example.org", path: "/", annotations: on}, "has Ingress default/one for a canary already", ""},
		{"a canary of nothing", nil, nil, want{name: "two", host: "a.example.org", path: "/", annotations: on}, "", "which a canary could be one of"},
		{"a wrong value", nil, nil, want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{"proxy-body-size": "8 elephants"}}, prefix + `proxy-body-size: "8 elephants"`, ""},
		{"an injection", nil, nil, want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{"rewrite-target": "/;}\nload_module x;"}}, prefix + "rewrite-target", ""},
		{"an annotation that is not known", nil, nil, want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{"frobnicate": "1"}}, "", "frobnicate"},
		{"an expression that is called Prefix", nil, nil, want{name: "x", host: "a.example.org", path: "/v(/|$)(.*)"}, "can't be used with pathType Prefix", ""},
		{"the same where the ConfigMap allows it", map[string]string{"strict-validate-path-type": "false"}, nil, want{name: "x", host: "a.example.org", path: "/v(/|$)(.*)"}, "", ""},
		{"no type that exists", nil, nil, want{name: "x", host: "a.example.org", path: "/", kind: "Regex"}, "is none of Exact, Prefix, ImplementationSpecific", ""},
		{"an expression", nil, nil, want{name: "x", host: "a.example.org", path: "/v(/|$)(.*)", kind: "ImplementationSpecific", annotations: map[string]string{"use-regex": "true"}}, "", ""},
		{"no expression", nil, nil, want{name: "x", host: "a.example.org", path: "/v(", kind: "ImplementationSpecific", annotations: map[string]string{"use-regex": "true"}}, "is no regular expression", ""},
		{"one that takes for ever", nil, nil, want{name: "x", host: "a.example.org", path: "/(a+)+$", kind: "ImplementationSpecific", annotations: map[string]string{"use-regex": "true"}}, "can take for ever", ""},
		{"no expression, beside one of another", nil, []want{{name: "first", host: "a.example.org", path: "/a", annotations: map[string]string{"use-regex": "true"}}}, want{name: "x", host: "a.example.org", path: "/v(", kind: "ImplementationSpecific"}, "is no regular expression", ""},
		{"a risk that is too high", map[string]string{"annotations-risk-level": "Low"}, nil, want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{"auth-url": "https://auth.example.org/"}}, prefix + "auth-url", ""},
		{"a word of the blocklist", map[string]string{"annotation-value-word-blocklist": "evil,worse"}, nil, want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{"upstream-vhost": "evil.example.org"}}, "evil", ""},
		{"snippets where they are off", nil, nil, want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{"configuration-snippet": "return 200;"}}, "configuration-snippet", ""},
		{"a Secret of another namespace", nil, nil, want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{"auth-type": "basic", "auth-secret": "other/users"}}, "is of another namespace", ""},
		{"the same where the ConfigMap allows it", map[string]string{"allow-cross-namespace-resources": "true"}, nil, want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{"auth-type": "basic", "auth-secret": "other/users"}}, "", ""},
		{"a ConfigMap of another namespace", nil, nil, want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{"custom-headers": "other/headers"}}, "is of another namespace", ""},
		{"a Secret that is not known", nil, nil, want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{"auth-type": "basic", "auth-secret": "users"}}, "", ""},
		{"a Service that is missing", nil, nil, want{name: "x", host: "a.example.org", path: "/", service: "wbe"}, "", "spec.rules[0].http.paths[0].backend: Service default/wbe does not exist"},
		{"an alias that is a host", nil, []want{first}, want{name: "x", host: "b.example.org", path: "/", annotations: map[string]string{"server-alias": "a.example.org"}}, "", `"a.example.org" is a host of an Ingress`},
		{"an alias that is another's", nil, []want{{name: "first", host: "a.example.org", path: "/", annotations: map[string]string{"server-alias": "c.example.org"}}}, want{name: "x", host: "b.example.org", path: "/", annotations: map[string]string{"server-alias": "c.example.org"}}, "", `"c.example.org" belongs to host "a.example.org" already`},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := newWorld(options(), test.settings, test.others...).judge(t, test.ingress.ingress(), nil)
			for _, part := range []struct {
				what, want, got string
			}{{"refused", test.refused, texts(j.Refused)}, {"warned", test.warned, texts(j.Warned)}} {
				if (part.want == "") != (part.got == "") || !strings.Contains(part.got, part.want) {
					t.Errorf("%s: %q, want %q", part.what, part.got, part.want)
				}
				if part.got != "" && !strings.Contains(part.got, "Ingress default/"+test.ingress.name+": ") {
					t.Errorf("%s without the object: %q", part.what, part.got)
				}
			}
			if !j.Ours || j.Rendered == 0 || j.Built != 1+len(test.others) && !strings.Contains(test.name, "another class") {
				t.Errorf("ours %v, %d bytes, %d built", j.Ours, j.Rendered, j.Built)
			}
		})
	}
}

func TestOthersAreNotJudged(t *testing.T) {
	w := newWorld(options(), nil)
	if j := w.judge(t, want{name: "x", host: "a.example.org", path: "/(", class: "other"}.ingress(), nil); j.Ours || j.Refused != nil || j.Warned != nil {
		t.Errorf("got %+v", j)
	}
}

func TestDisableCatchAll(t *testing.T) {
	o := options()
	o.DisableCatchAll = true
	if j := newWorld(o, nil).judge(t, want{name: "x", path: "/"}.ingress(), nil); !strings.Contains(texts(j.Refused), "--disable-catch-all") {
		t.Errorf("refused: %q", texts(j.Refused))
	}
}

// An update is refused for what it makes wrong, and for nothing else.
func TestUpdate(t *testing.T) {
	first := want{name: "first", host: "a.example.org", path: "/"}
	twin := want{name: "twin", host: "a.example.org", path: "/", age: 1}
	w := newWorld(options(), nil, first, twin)
	touched := twin
	touched.annotations = map[string]string{"proxy-body-size": "8m"}
	if j := w.judge(t, touched.ingress(), twin.ingress()); len(j.Refused) > 0 || !strings.Contains(texts(j.Warned), "belongs to Ingress default/first") {
		t.Errorf("what was wrong before: refused %q, warned %q", texts(j.Refused), texts(j.Warned))
	}
	touched.annotations = map[string]string{"proxy-body-size": "much"}
	if j := w.judge(t, touched.ingress(), twin.ingress()); !strings.Contains(texts(j.Refused), "much") || strings.Contains(texts(j.Refused), "belongs to") {
		t.Errorf("what is wrong now: refused %q", texts(j.Refused))
	}
	// A path more before the one that was wrong makes it no other.
	longer := twin.ingress()
	longer.Spec.Rules[0].HTTP.Paths = append(want{path: "/new"}.ingress().Spec.Rules[0].HTTP.Paths, longer.Spec.Rules[0].HTTP.Paths...)
	if j := w.judge(t, longer, twin.ingress()); len(j.Refused) > 0 {
		t.Errorf("moved: refused %q", texts(j.Refused))
	}
	// An older Ingress takes no path of a younger one by an update.
	older := want{name: "older", host: "a.example.org", path: "/old", age: -5}
	w.change("older", &older)
	takes := older
	takes.path = "/"
	if j := w.judge(t, takes.ingress(), older.ingress()); !strings.Contains(texts(j.Refused), "belongs to") {
		t.Errorf("takes a path: refused %q", texts(j.Refused))
	}
}

func TestFollows(t *testing.T) {
	first := want{name: "first", host: "a.example.org", path: "/"}
	second := want{name: "second", host: "a.example.org", path: "/"}
	refused := func(w *world) bool { return len(w.judge(t, second.ingress(), nil).Refused) > 0 }
	w := newWorld(options(), nil, first)
	if !refused(w) {
		t.Fatal("a duplicate is not refused")
	}
	moved := first
	moved.host = "b.example.org"
	if w.change("first", &moved); refused(w) {
		t.Error("refused after the other has moved")
	}
	if w.change("first", &first); !refused(w) {
		t.Error("not refused after the other is back")
	}
	if w.change("first", nil); refused(w) {
		t.Error("refused after the other is gone")
	}
	if len(w.s.Ingresses) != 0 || w.judge(t, second.ingress(), nil).Built != 1 {
		t.Error("something is left of it")
	}
}

func TestUnready(t *testing.T) {
	j := NewJudge(options(), template.Environment{})
	j.Follow(&store.Snapshot{}, store.Changes{}, false)
	if _, err := j.Judge(want{name: "x"}.ingress(), nil); err != errUnready {
		t.Errorf("error %v before all has been read", err)
	}
}

// Judging is done beside the loop that changes the snapshot.
func TestJudgesWhileThingsChange(t *testing.T) {
	w := newWorld(options(), nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 500 {
			w.change(fmt.Sprint("i", i%7), &want{name: fmt.Sprint("i", i%7), host: "a.example.org", path: fmt.Sprint("/", i)})
		}
	}()
	for range 200 {
		w.judge(t, want{name: "x", host: "a.example.org", path: "/x"}.ingress(), nil)
	}
	<-done
}
