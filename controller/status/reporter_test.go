package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ktesting "k8s.io/client-go/testing"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

func problem(kind, namespace, name, field, reason string) model.Problem {
	return model.Problem{Object: model.Object{Kind: kind, Namespace: namespace, Name: name}, Field: field, Reason: reason}
}

// state is one Ingress with these problems.
func state(ing *networkingv1.Ingress, problems ...model.Problem) State {
	return State{Ingresses: []*networkingv1.Ingress{ing}, Problems: problems}
}

func TestAProblemIsOneEventWhileItLasts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		web := ingress("web", "192.0.2.1")
		l := newLab(t, web)
		w, stop := l.start(l.options())
		bad := problem("Ingress", "shop", "web", "spec.rules[0].host", "is no host")
		for range 20 {
			w.Publish(state(web.DeepCopy(), bad, bad)) // as after a relist
			synctest.Wait()
			time.Sleep(time.Minute)
		}
		one := "Warning Rejected Ingress shop/web uid-web: spec.rules[0].host: is no host"
		if diff := cmp.Diff([]string{one + " x1"}, l.events()); diff != "" {
			t.Error(diff)
		}
		if n := len(l.Actions()); n != 2 { // and the list above
			t.Errorf("%d requests: %v", n, l.Actions())
		}
		w.Publish(state(web))
		synctest.Wait()
		w.Publish(state(web, bad))
		synctest.Wait()
		if diff := cmp.Diff([]string{one + " x2"}, l.events()); diff != "" {
			t.Error(diff)
		}
		// An Ingress of the same name is another object.
		web = web.DeepCopy()
		web.UID = "other"
		w.Publish(state(web, bad))
		synctest.Wait()
		if n := len(l.events()); n != 2 {
			t.Errorf("%d events, want 2", n)
		}
		stop()
	})
}

func TestHostileProblems(t *testing.T) {
	bubble(t, func(t *testing.T) {
		long := strings.Repeat("a", 300) // longer than a name can be
		list := []model.Problem{
			problem("Ingress", "shop", "web", "", "\xff\xfe"+strings.Repeat("ü", 4000)),
			problem("Ingress", "shop", long, "", "too long"),
			problem("IngressClass", "", "nginx", "spec.controller", "is nobody's"),
			problem("ConfigMap", "sallyport", "settings", "data.x", "is unknown"),
			{Object: model.Object{File: "a.yaml", Line: 3}, Reason: "is no YAML"},
			{},
		}
		l := newLab(t)
		w, stop := l.start(l.options())
		w.Publish(State{Problems: list})
		synctest.Wait()
		events, err := l.CoreV1().Events("").List(context.Background(), metav1.ListOptions{})
		if err != nil || len(events.Items) != 4 {
			t.Fatalf("%v, %d events", err, len(events.Items))
		}
		for _, e := range events.Items {
			if len(e.Message) > maxMessage || !utf8.ValidString(e.Message) || len(e.Name) > 253 {
				t.Errorf("%s: message of %d bytes, name of %d", e.InvolvedObject.Name, len(e.Message), len(e.Name))
			}
			if e.InvolvedObject.Kind == "IngressClass" && (e.Namespace != "default" || e.InvolvedObject.APIVersion != "networking.k8s.io/v1") {
				t.Errorf("class: %+v", e)
			}
		}
		stop()
	})
}

func TestOneObjectDoesNotFloodTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t)
		w, stop := l.start(l.options())
		var list []model.Problem
		for i := range 500 {
			list = append(list, problem("Ingress", "shop", "web", fmt.Sprintf("spec.rules[%d]", i), "is wrong"))
		}
		list = append(list, problem("Ingress", "shop", "zoo", "", "is wrong too"))
		w.Publish(State{Problems: list})
		time.Sleep(time.Minute)
		events := l.events()
		if len(events) != maxNotices+2 {
			t.Errorf("%d events, want %d", len(events), maxNotices+2)
		}
		if !slices.ContainsFunc(events, func(e string) bool { return strings.Contains(e, "500 problems in all") }) {
			t.Errorf("the rest is not counted: %q", events)
		}
		stop()
	})
}

func TestEventsWaitForTheAPI(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t)
		var down atomic.Bool
		down.Store(true)
		l.refuse("create", "events", func(ktesting.Action) error {
			if down.Load() {
				return errors.New("no route to host")
			}
			return nil
		})
		w, stop := l.start(l.options())
		stays := problem("Ingress", "shop", "web", "", "stays")
		w.Publish(State{Problems: []model.Problem{stays, problem("Ingress", "shop", "web", "", "goes")}})
		time.Sleep(10 * time.Minute)
		if n := l.asked("create events"); n < 10 || n > 20 {
			t.Errorf("%d tries in 10 minutes", n)
		}
		w.Publish(State{Problems: []model.Problem{stays}})
		down.Store(false)
		time.Sleep(2 * time.Minute)
		stop()
		if diff := cmp.Diff([]string{"Warning Rejected Ingress shop/web : stays x1"}, l.events()); diff != "" {
			t.Error(diff)
		}
		if n := l.log.count("no route to host"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}

func TestEventsWithoutPermission(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t)
		l.refuse("create", "events", func(a ktesting.Action) error {
			if a.GetNamespace() == "closed" {
				return forbidden("events")
			}
			return nil
		})
		w, stop := l.start(l.options())
		var list []model.Problem
		for i := range 5 {
			list = append(list, problem("Ingress", "closed", fmt.Sprint("web-", i), "", "is wrong"))
		}
		list = append(list, problem("Ingress", "shop", "web", "", "is wrong"))
		w.Publish(State{Problems: list})
		time.Sleep(time.Hour)
		stop()
		if n := len(l.events()); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
		if n := l.asked("create events"); n != 6 {
			t.Errorf("%d tries, want 6", n)
		}
		if l.log.count("create, patch events") != 1 || l.log.count("events=5") != 1 {
			t.Error("the log does not say once what is missing, and how many were lost")
		}
	})
}

func TestSyncEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t)
		o := l.options()
		o.SyncEvents, o.UpdateStatus = true, false
		w, stop := l.start(o)
		web := ingress("web")
		steps := []struct {
			name   string
			change func(*networkingv1.Ingress)
			count  string
		}{
			{"first seen", func(*networkingv1.Ingress) {}, "x1"},
			{"status written", func(i *networkingv1.Ingress) {
				i.ResourceVersion = "7"
				i.Status.LoadBalancer.Ingress = newAddresses([]string{"a"})
			}, "x1"},
			{"annotation", func(i *networkingv1.Ingress) { i.Annotations = map[string]string{"a": "b"} }, "x2"},
			{"annotation, other value", func(i *networkingv1.Ingress) { i.Annotations = map[string]string{"a": "c"} }, "x3"},
			{"spec", func(i *networkingv1.Ingress) { i.Generation++ }, "x4"},
			{"nothing", func(*networkingv1.Ingress) {}, "x4"},
		}
		for _, step := range steps {
			web = web.DeepCopy()
			step.change(web)
			w.Publish(state(web))
			synctest.Wait()
			want := []string{"Normal Sync Ingress shop/web uid-web: Scheduled for sync " + step.count}
			if diff := cmp.Diff(want, l.events()); diff != "" {
				t.Errorf("%s: %s", step.name, diff)
			}
		}
		stop()
	})
}

func TestTenThousandSyncEventsAreNoFlood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t)
		o := l.options()
		o.SyncEvents, o.UpdateStatus = true, false
		w, stop := l.start(o)
		var all []*networkingv1.Ingress
		for i := range 10000 {
			all = append(all, ingress(fmt.Sprint("web-", i)))
		}
		w.Publish(State{Ingresses: all})
		time.Sleep(10 * time.Second)
		// A problem does not wait behind them.
		w.Publish(State{Ingresses: all, Problems: []model.Problem{problem("Ingress", "shop", "web-9999", "", "is wrong")}})
		time.Sleep(time.Second)
		if n := l.asked("create events"); n > eventBurst+11*eventRate+1 {
			t.Errorf("%d events in 11 s", n)
		}
		warned := slices.ContainsFunc(l.events(), func(e string) bool { return strings.HasPrefix(e, "Warning") })
		if !warned {
			t.Error("the problem waits")
		}
		time.Sleep(time.Hour)
		stop()
		if n := l.asked("create events"); n != maxSyncs+1 {
			t.Errorf("%d events, want %d", n, maxSyncs+1)
		}
		if l.log.count("events=9000") != 1 {
			t.Error("the log does not say that 9000 were left out")
		}
	})
}
