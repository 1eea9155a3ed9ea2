package status

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ktesting "k8s.io/client-go/testing"
)

// candidate are the options of one of several replicas.
func (l *lab) candidate(name string, leads *atomic.Bool) Options {
	o := l.options()
	o.DisableElection, o.PodName, o.OnLeader = false, name, leads.Store
	return o
}

// holder reads past the client, so that it may be asked during a request.
func (l *lab) holder() string {
	object, err := l.Tracker().Get(coordinationv1.SchemeGroupVersion.WithResource("leases"), "sallyport", "leader")
	if err != nil {
		return err.Error()
	}
	holder := object.(*coordinationv1.Lease).Spec.HolderIdentity
	if holder == nil {
		return ""
	}
	return *holder
}

func TestTwoReplicasWriteOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		web := ingress("web")
		l := newLab(t, web, pod("a", nil), pod("b", nil))
		var aLeads, bLeads atomic.Bool
		a, stopA := l.start(l.candidate("a", &aLeads))
		synctest.Wait()
		b, stopB := l.start(l.candidate("b", &bLeads))
		s := state(web, problem("Ingress", "shop", "web", "", "is wrong"))
		a.Publish(s)
		b.Publish(s)
		time.Sleep(5 * time.Minute)
		if !aLeads.Load() || bLeads.Load() || l.holder() != "a" {
			t.Fatalf("leaders: a %v, b %v; lease held by %q", aLeads.Load(), bLeads.Load(), l.holder())
		}
		if l.asked("create events") != 1 || l.asked("update ingresses/status") != 1 {
			t.Errorf("not written once: %v", l.Actions())
		}
		stopA()
		if aLeads.Load() || l.holder() != "" {
			t.Errorf("a leads: %v, lease held by %q", aLeads.Load(), l.holder())
		}
		time.Sleep(20 * time.Second) // the longest time between two tries, less than the TTL: it was given back
		if !bLeads.Load() || l.holder() != "b" {
			t.Errorf("b leads: %v, lease held by %q", bLeads.Load(), l.holder())
		}
		if diff := cmp.Diff([]string{"Warning Rejected Ingress shop/web uid-web: is wrong x2"}, l.events()); diff != "" {
			t.Error(diff)
		}
		if n := l.asked("update ingresses/status"); n != 1 {
			t.Errorf("%d updates", n)
		}
		stopB()
	})
}

func TestALostLeaseEndsTheWriting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		web := ingress("web", "192.0.2.1")
		l := newLab(t, web)
		var away, leads atomic.Bool
		l.refuse("*", "leases", func(ktesting.Action) error {
			if away.Load() {
				return errors.New("connection refused")
			}
			return nil
		})
		w, stop := l.start(l.candidate("a", &leads))
		w.Publish(state(web))
		time.Sleep(time.Minute)
		if !leads.Load() {
			t.Fatal("does not lead")
		}
		away.Store(true)
		time.Sleep(defaultTTL) // by then another replica may lead
		if leads.Load() {
			t.Error("goes on without its Lease")
		}
		w.Publish(state(ingress("web"), problem("Ingress", "shop", "web", "", "is wrong")))
		time.Sleep(time.Minute)
		if n := len(l.events()) + l.asked("update ingresses/status"); n > 0 {
			t.Errorf("%d writes without a Lease", n)
		}
		if n := l.log.count("connection refused"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		away.Store(false)
		time.Sleep(2 * defaultTTL)
		if !leads.Load() || len(l.events()) != 1 {
			t.Errorf("leads again: %v, events %q", leads.Load(), l.events())
		}
		stop()
	})
}

func TestNoPermissionForTheLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t)
		l.refuse("*", "leases", func(ktesting.Action) error { return forbidden("leases") })
		var leads atomic.Bool
		w, stop := l.start(l.candidate("a", &leads))
		w.Publish(state(ingress("web")))
		time.Sleep(time.Hour)
		stop()
		if leads.Load() || l.log.count("leases in namespace sallyport") != 1 {
			t.Errorf("leads: %v", leads.Load())
		}
	})
}

func TestPublishNeverWaits(t *testing.T) {
	l := newLab(t)
	w := New(l.options()) // which nobody runs
	for range 1000 {
		w.Publish(state(ingress("web")))
	}
}

func TestLeaving(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(l *lab, o *Options)
		want   string
	}{
		{"the last replica", func(*lab, *Options) {}, "203.0.113.7"},
		{"outside of a cluster", func(_ *lab, o *Options) { o.Namespace, o.PodName = "", "" }, "203.0.113.7"},
		{"not wanted", func(_ *lab, o *Options) { o.UpdateOnShutdown = false }, "192.0.2.1,203.0.113.7"},
		{"another runs", func(l *lab, _ *Options) { l.add(pod("other", nil)) }, "192.0.2.1,203.0.113.7"},
		{"another is ending", func(l *lab, _ *Options) {
			l.add(pod("other", func(p *corev1.Pod) {
				p.DeletionTimestamp = &metav1.Time{Time: time.Now()}
				p.Finalizers = []string{"x"}
			}))
		}, "203.0.113.7"},
		{"another has failed", func(l *lab, _ *Options) {
			l.add(pod("other", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }))
		}, "203.0.113.7"},
		{"a stranger runs", func(l *lab, _ *Options) {
			l.add(pod("other", func(p *corev1.Pod) { p.Labels = map[string]string{"app": "shop"} }))
		}, "203.0.113.7"},
		{"pods can't be listed", func(l *lab, _ *Options) {
			l.refuse("list", "pods", func(ktesting.Action) error { return forbidden("pods") })
		}, "192.0.2.1,203.0.113.7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				web := ingress("web")
				l := newLab(t, web, pod("sallyport-a", nil))
				var leads atomic.Bool
				o := l.candidate("sallyport-a", &leads)
				o.UpdateOnShutdown = true
				c.change(l, &o)
				if o.Namespace == "" {
					o.DisableElection = true
				}
				w, stop := l.start(o)
				w.Publish(state(web))
				time.Sleep(time.Second)
				// Somebody else adds an address; it is not ours to take away.
				both := web.DeepCopy()
				both.Status.LoadBalancer.Ingress = newAddresses([]string{"192.0.2.1", "203.0.113.7"})
				if _, err := l.NetworkingV1().Ingresses("shop").UpdateStatus(t.Context(), both, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
				held := "sallyport-a"
				l.refuse("update", "ingresses", func(ktesting.Action) error {
					held = l.holder()
					return nil
				})
				stop()
				if got := l.has("web"); got != c.want {
					t.Errorf("has %q, want %q", got, c.want)
				}
				if !o.DisableElection && (held != "sallyport-a" || l.holder() != "") {
					t.Errorf("lease at the last write held by %q, at the end by %q", held, l.holder())
				}
			})
		})
	}
}

func (l *lab) add(p *corev1.Pod) {
	if err := l.Tracker().Add(p); err != nil {
		l.t.Fatal(err)
	}
}

func TestAFollowerLeavesWithoutAWord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		web := ingress("web")
		l := newLab(t, web)
		var a, b atomic.Bool
		first, stopA := l.start(l.candidate("a", &a))
		first.Publish(state(web))
		synctest.Wait()
		o := l.candidate("b", &b)
		o.UpdateOnShutdown = true
		second, stopB := l.start(o)
		second.Publish(State{Ingresses: []*networkingv1.Ingress{web}})
		time.Sleep(time.Minute)
		stopB()
		if l.has("web") != "192.0.2.1" || l.holder() != "a" {
			t.Errorf("has %q, lease held by %q", l.has("web"), l.holder())
		}
		stopA()
	})
}
