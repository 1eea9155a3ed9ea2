package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ktesting "k8s.io/client-go/testing"
)

func TestNothingIsAskedWhereNothingChanged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t)
		var all []*networkingv1.Ingress
		for i := range 10000 {
			ing := ingress(fmt.Sprint("web-", i), "192.0.2.1", "b.example.org")
			if i%2 == 1 { // another order and a port say the same
				list := ing.Status.LoadBalancer.Ingress
				list[0], list[1] = list[1], list[0]
				list[0].Ports = []networkingv1.IngressPortStatus{{Port: 80}}
			}
			all = append(all, ing)
		}
		o := l.options()
		o.PublishAddresses = []string{"b.example.org", "192.0.2.1", "192.0.2.1"}
		w, stop := l.start(o)
		for range 5 {
			w.Publish(State{Ingresses: all})
			time.Sleep(10 * time.Minute)
		}
		stop()
		if n := len(l.Actions()); n > 0 {
			t.Errorf("%d requests: %v", n, l.Actions()[:min(n, 5)])
		}
	})
}

func TestAWrittenIngressIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ing := ingress("web", "198.51.100.9")
		l := newLab(t, ing)
		w, stop := l.start(l.options())
		w.Publish(State{Ingresses: []*networkingv1.Ingress{ing}})
		synctest.Wait()
		if got := l.has("web"); got != "192.0.2.1" {
			t.Errorf("has %q", got)
		}
		// The snapshot goes on showing the old status until something else changes.
		before := len(l.Actions())
		time.Sleep(time.Hour)
		w.Publish(State{Ingresses: []*networkingv1.Ingress{ing}})
		time.Sleep(time.Hour)
		if n := len(l.Actions()) - before; n > 0 {
			t.Errorf("%d more requests", n)
		}
		// A newer version with a status that somebody else wrote is seen to.
		other := ing.DeepCopy()
		if _, err := l.NetworkingV1().Ingresses("shop").UpdateStatus(context.Background(), other, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Publish(State{Ingresses: []*networkingv1.Ingress{other}})
		synctest.Wait()
		if got := l.has("web"); got != "192.0.2.1" {
			t.Errorf("after somebody else's write: %q", got)
		}
		stop()
	})
}

func TestConflictsAndWhatTheStoreLeavesOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		whole := ingress("web")
		whole.Labels = map[string]string{"team": "shop"}
		whole.Finalizers = []string{"example.org/keep"}
		l := newLab(t, whole)
		conflicts := 2
		l.refuse("update", "ingresses", func(ktesting.Action) error {
			if conflicts--; conflicts >= 0 {
				return apierrors.NewConflict(schema.GroupResource{Resource: "ingresses"}, "web", errors.New("changed"))
			}
			return nil
		})
		w, stop := l.start(l.options())
		stripped := whole.DeepCopy()
		stripped.Labels, stripped.Finalizers = nil, nil
		w.Publish(State{Ingresses: []*networkingv1.Ingress{stripped}})
		time.Sleep(time.Second)
		stop()
		got, err := l.NetworkingV1().Ingresses("shop").Get(context.Background(), "web", metav1.GetOptions{})
		if err != nil || len(got.Labels) != 1 || len(got.Finalizers) != 1 || l.has("web") != "192.0.2.1" {
			t.Errorf("%v, %+v", err, got)
		}
		if n := l.asked("update ingresses/status"); n != 3 {
			t.Errorf("%d updates, want 3", n)
		}
		if n := l.log.count("level=WARN"); n > 0 {
			t.Errorf("%d warnings", n)
		}
	})
}

func TestGoneAndReplacedIngressesAreLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		replaced := ingress("web")
		replaced.UID = "another"
		l := newLab(t, replaced)
		w, stop := l.start(l.options())
		w.Publish(State{Ingresses: []*networkingv1.Ingress{ingress("web"), ingress("gone")}})
		time.Sleep(5 * time.Minute)
		stop()
		if n := l.asked("update ingresses/status"); n > 0 {
			t.Errorf("%d updates", n)
		}
		if n := l.asked("get ingresses"); n != 2 {
			t.Errorf("%d reads, want 2", n)
		}
		if n := l.log.count("level=WARN") + l.log.count("level=ERROR"); n > 0 {
			t.Errorf("%d complaints", n)
		}
	})
}

func TestAMissingPermissionCostsNobodyElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		list := []*networkingv1.Ingress{ingress("web")}
		l := newLab(t, list[0])
		for i := range 50 {
			ing := ingress(fmt.Sprint("closed-", i))
			ing.Namespace = "closed"
			list = append(list, ing)
		}
		l.refuse("get", "ingresses", func(a ktesting.Action) error {
			if a.GetNamespace() == "closed" {
				return forbidden("ingresses")
			}
			return nil
		})
		w, stop := l.start(l.options())
		w.Publish(State{Ingresses: list})
		synctest.Wait()
		if got := l.has("web"); got != "192.0.2.1" {
			t.Errorf("has %q", got)
		}
		if n := l.asked("get ingresses"); n > 2+writers {
			t.Errorf("%d reads, though one says it all", n)
		}
		time.Sleep(time.Hour)
		stop()
		if l.log.count("permission is missing") != 1 || l.log.count("get ingresses, update ingresses/status") != 1 {
			t.Error("the permission is not named just once")
		}
		if n := l.log.count("is not up to date"); n != 1 {
			t.Errorf("%d times not up to date", n)
		}
	})
}

func TestAFailureIsTriedAgainAndLoggedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, ingress("web"), ingress("fine"))
		var down atomic.Bool
		down.Store(true)
		l.refuse("update", "ingresses", func(a ktesting.Action) error {
			ing := a.(ktesting.UpdateAction).GetObject().(*networkingv1.Ingress)
			if down.Load() && ing.Name == "web" {
				return errors.New("etcd is away")
			}
			return nil
		})
		w, stop := l.start(l.options())
		state := State{Ingresses: []*networkingv1.Ingress{ingress("web"), ingress("fine")}}
		for range 100 { // a busy cluster is no reason to try more often
			w.Publish(state)
			synctest.Wait()
		}
		if n := l.asked("update ingresses/status"); n != 2 {
			t.Errorf("%d updates at once, want 2", n)
		}
		for range 4 * 60 * 2 { // nor one to put it off
			time.Sleep(500 * time.Millisecond)
			w.Publish(state)
		}
		if n := l.asked("update ingresses/status"); n < 6 || n > 12 {
			t.Errorf("%d updates in 4 minutes", n)
		}
		if n := l.log.count("etcd is away"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		down.Store(false)
		time.Sleep(time.Minute)
		stop()
		if l.has("web") != "192.0.2.1" || l.has("fine") != "192.0.2.1" {
			t.Errorf("have %q, %q", l.has("web"), l.has("fine"))
		}
	})
}

func TestAddressesThatCannotBeFoundEraseNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ing := ingress("web", "198.51.100.9")
		l := newLab(t, ing)
		o := l.options()
		o.PublishAddresses, o.PublishService = nil, "sallyport/missing"
		w, stop := l.start(o)
		for range 100 {
			w.Publish(State{Ingresses: []*networkingv1.Ingress{ing}})
			synctest.Wait()
		}
		if n := l.asked("get services"); n != 1 {
			t.Errorf("asked %d times at once", n)
		}
		time.Sleep(time.Hour)
		stop()
		if got := l.has("web"); got != "198.51.100.9" {
			t.Errorf("has %q", got)
		}
		if n := l.log.count("level=WARN"); n != 1 {
			t.Errorf("%d warnings", n)
		}
	})
}

func TestANewIngressDoesNotWaitBehindMany(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t)
		var all []*networkingv1.Ingress
		for i := range 2000 { // they are not there, which costs a request each
			all = append(all, ingress(fmt.Sprint("old-", i)))
		}
		w, stop := l.start(l.options())
		w.Publish(State{Ingresses: all})
		time.Sleep(5 * time.Second)
		web := ingress("web")
		if err := l.Tracker().Add(web); err != nil {
			t.Fatal(err)
		}
		w.Publish(State{Ingresses: append(slices.Clone(all), web)})
		time.Sleep(5 * time.Second)
		if got := l.has("web"); got != "192.0.2.1" {
			t.Errorf("has %q", got)
		}
		if n := l.asked("get ingresses"); n > statusBurst+10*statusRate+2 {
			t.Errorf("%d requests in 10 s", n)
		}
		time.Sleep(time.Hour)
		stop()
		if n := l.asked("get ingresses"); n > 2000+5 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestManyFailuresAreTriedAgainAndGently(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t)
		var all []*networkingv1.Ingress
		for i := range 300 {
			ing := ingress(fmt.Sprint("web-", i))
			if err := l.Tracker().Add(ing); err != nil {
				t.Fatal(err)
			}
			all = append(all, ing)
		}
		var down atomic.Bool
		down.Store(true)
		l.refuse("update", "ingresses", func(ktesting.Action) error {
			if down.Load() {
				return errors.New("etcd is away")
			}
			return nil
		})
		w, stop := l.start(l.options())
		w.Publish(State{Ingresses: all})
		time.Sleep(10 * time.Minute)
		if n := l.asked("update ingresses/status"); n < 300*5 || n > 300*20 {
			t.Errorf("%d tries of 300 in 10 minutes", n)
		}
		if n := l.log.count("etcd is away"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		down.Store(false)
		time.Sleep(90 * time.Second)
		stop()
		for _, ing := range all {
			if got := l.has(ing.Name); got != "192.0.2.1" {
				t.Fatalf("%s has %q", ing.Name, got)
			}
		}
	})
}
