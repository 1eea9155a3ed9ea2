package proxier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/proxier/planner"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// A lab is a Proxier between a store and a kernel that the test owns. All times
// are those of the bubble.
type lab struct {
	t        *testing.T
	changed  chan struct{}
	settled  bool
	snapshot *store.Snapshot
	changes  store.Changes

	// What the kernel does next, by Service; "" is all of it.
	fails map[string]error
	// What the next Apply alone does.
	applyFails error
	broken     bool // somebody deleted it
	took       []string
	events     []string
	told       []model.Problem
	more       []model.Problem // what only the process can have
	log        bytes.Buffer
}

func (l *lab) Changed() <-chan struct{} { return l.changed }
func (l *lab) Settled() bool            { return l.settled }

func (l *lab) Take() (*store.Snapshot, store.Changes) {
	c := l.changes
	l.changes = store.Changes{}
	return l.snapshot, c
}

// set makes a Service with one endpoint, or with none where address is "".
func (l *lab) set(name, address string) {
	key := store.Key{Namespace: "a", Name: name}
	meta := metav1.ObjectMeta{Namespace: "a", Name: name, CreationTimestamp: metav1.Unix(1, 0)}
	number, protocol, empty := int32(80), corev1.ProtocolTCP, ""
	last := len(l.snapshot.Services) + 1
	if was := l.snapshot.Services[key]; was != nil {
		_, _ = fmt.Sscanf(was.Spec.ClusterIP, "10.96.0.%d", &last)
	}
	l.snapshot.Services[key] = &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, ClusterIP: fmt.Sprintf("10.96.0.%d", last), ClusterIPs: []string{fmt.Sprintf("10.96.0.%d", last)},
		IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
		Ports:      []corev1.ServicePort{{Port: 80, Protocol: protocol}},
	}}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4,
		Ports: []discoveryv1.EndpointPort{{Name: &empty, Port: &number, Protocol: &protocol}}}
	if address != "" {
		slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{address}}}
	}
	l.snapshot.Slices[key] = map[string]*discoveryv1.EndpointSlice{name: slice}
	if l.changes.Services == nil {
		l.changes = store.Changes{Services: map[store.Key]bool{}, Endpoints: map[store.Key]bool{}}
	}
	l.changes.Services[key], l.changes.Endpoints[key] = true, true
}

func (l *lab) signal() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
	synctest.Wait()
}

func (l *lab) result(ids []plan.ID) error {
	if err := l.fails[""]; err != nil {
		return err
	}
	refused := plan.Refused{}
	for _, id := range ids {
		if err := l.fails[id.Name]; err != nil {
			refused[id] = err
		}
	}
	if len(refused) > 0 {
		return refused
	}
	return nil
}

func (l *lab) Sync(_ context.Context, p *plan.Plan) error {
	var ids []plan.ID
	for id := range p.Ports {
		ids = append(ids, id)
	}
	l.took = append(l.took, fmt.Sprint("sync ", len(ids)))
	return l.result(ids)
}

func (l *lab) Apply(_ context.Context, changes []plan.Change) error {
	var ids []plan.ID
	var names []string
	for _, c := range changes {
		ids, names = append(ids, c.ID), append(names, c.ID.Name)
	}
	l.took = append(l.took, "apply "+strings.Join(names, " "))
	if err := l.applyFails; err != nil {
		l.applyFails = nil
		return err
	}
	return l.result(ids)
}

func (l *lab) Intact(context.Context) (bool, error) {
	was := l.broken
	l.broken = false
	return !was, nil
}

func (l *lab) Connections(context.Context) (map[plan.ID]uint64, error) { return nil, nil }
func (l *lab) Close() error                                            { return nil }

func (l *lab) Queued() { l.events = append(l.events, "queued") }
func (l *lab) Programmed(r Round) {
	l.events = append(l.events, fmt.Sprintf("programmed %v %d", r.Full, r.Refused))
}
func (l *lab) Failed(full bool) { l.events = append(l.events, fmt.Sprintf("failed %v", full)) }
func (l *lab) Restored()        { l.events = append(l.events, "restored") }

// expect compares what the kernel was told since the last call.
func (l *lab) expect(when string, want ...string) {
	l.t.Helper()
	synctest.Wait()
	if !slices.Equal(l.took, want) {
		l.t.Errorf("%s: the kernel was told %q, want %q", when, l.took, want)
	}
	l.took = nil
}

func run(t *testing.T, minSync time.Duration, test func(l *lab)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, changed: make(chan struct{}, 1), fails: map[string]error{}, snapshot: &store.Snapshot{
			Services: map[store.Key]*corev1.Service{}, Slices: map[store.Key]map[string]*discoveryv1.EndpointSlice{},
			Nodes:    map[string]*corev1.Node{"n1": {ObjectMeta: metav1.ObjectMeta{Name: "n1"}}},
			Problems: map[string][]model.Problem{},
		}}
		p := New(Options{
			Store: l, Planner: planner.New(planner.Options{NodeName: "n1", Detect: planner.DetectOptions{Mode: "ClusterCIDR"}}),
			Backend: l, MinSync: minSync, Observer: l, Log: slog.New(slog.NewTextHandler(&l.log, nil)),
			More:   func() []model.Problem { return l.more },
			Report: func(all []model.Problem) { l.told = all },
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		test(l)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestNothingIsProgrammedBeforeAllIsRead(t *testing.T) {
	run(t, 0, func(l *lab) {
		l.set("web", "10.244.1.10")
		l.signal()
		time.Sleep(time.Hour)
		l.expect("unsettled")
		l.settled = true
		l.signal()
		l.expect("settled", "sync 1")
		l.set("web", "10.244.1.11")
		l.signal()
		l.expect("a change", "apply web")
		l.signal()
		l.expect("nothing changed")
	})
}

// A Service that the kernel refuses holds up nobody, and is tried again.
func TestARefusedServiceHoldsUpNobody(t *testing.T) {
	run(t, 0, func(l *lab) {
		l.settled = true
		l.fails["bad"] = errors.New("no")
		l.set("web", "10.244.1.10")
		l.set("bad", "10.244.1.10")
		l.signal()
		l.expect("the first", "sync 2")
		if len(l.told) == 0 || !slices.ContainsFunc(l.told, func(p model.Problem) bool { return p.Object.Name == "bad" }) {
			t.Errorf("told %v, which does not name a/bad", l.told)
		}
		for i := range 3 {
			l.set("web", fmt.Sprint("10.244.1.2", i))
			l.signal()
			l.expect("a change of another", "apply web")
			time.Sleep(9 * time.Second)
		}
		l.expect("before the period is over")
		time.Sleep(4 * time.Second)
		l.expect("after it", "sync 2")
		delete(l.fails, "bad")
		l.set("bad", "10.244.1.11")
		l.signal()
		l.expect("its own change", "apply bad")
		time.Sleep(time.Hour)
		l.expect("taken: nothing is tried again")
		for _, p := range l.told {
			if p.Object.Name == "bad" {
				t.Errorf("still told: %v", p)
			}
		}
	})
}

// A kernel that fails altogether is asked again, later each time, with all that
// came meanwhile, and not at each change.
func TestAFailingKernelIsAskedAgain(t *testing.T) {
	run(t, 0, func(l *lab) {
		l.settled = true
		l.fails[""] = errors.New("no memory")
		l.set("web", "10.244.1.10")
		l.signal()
		l.expect("the first", "sync 1")
		l.set("api", "10.244.1.10")
		l.signal()
		l.expect("a change meanwhile")
		time.Sleep(time.Second)
		l.expect("after 1 s", "sync 2")
		time.Sleep(2 * time.Second)
		l.expect("after 2 s more", "sync 2")
		delete(l.fails, "")
		time.Sleep(4 * time.Second)
		l.expect("after 4 s more", "sync 2")
		time.Sleep(time.Hour)
		l.expect("it was taken")
	})
}

func TestWhatSomebodyDeletesIsRestored(t *testing.T) {
	run(t, 0, func(l *lab) {
		l.settled = true
		l.set("web", "10.244.1.10")
		l.signal()
		l.expect("the first", "sync 1")
		l.broken = true
		time.Sleep(time.Second)
		l.expect("within a second", "sync 1")
		if !slices.Contains(l.events, "restored") {
			t.Errorf("events %q", l.events)
		}
	})
}

func TestMinSyncGathersChanges(t *testing.T) {
	run(t, time.Second, func(l *lab) {
		l.settled = true
		l.set("web", "10.244.1.10")
		l.signal()
		l.expect("the first", "sync 1")
		time.Sleep(time.Minute)
		for i := range 5 {
			l.set("web", fmt.Sprint("10.244.1.2", i))
			l.signal()
			time.Sleep(100 * time.Millisecond)
		}
		l.expect("the first comes at once", "apply web")
		time.Sleep(time.Second)
		l.expect("the others together", "apply web")
	})
}

// Somebody has deleted an element that a change replaces: nobody waits for it.
func TestWhatCantBeAppliedIsSynced(t *testing.T) {
	run(t, 0, func(l *lab) {
		l.settled = true
		l.set("web", "10.244.1.10")
		l.signal()
		l.expect("the first", "sync 1")
		l.applyFails = errors.New("no such element")
		l.set("web", "10.244.1.11")
		l.signal()
		l.expect("a change that fails", "apply web", "sync 1")
		time.Sleep(time.Hour)
		l.expect("the Sync was taken")
	})
}

// A kernel whose state is unknown is not taken for one that only refuses some
// ports, and what it did not take is not forgotten when those are taken.
func TestAFailureIsNotForgottenForARefusal(t *testing.T) {
	run(t, 0, func(l *lab) {
		l.settled = true
		l.fails["bad"] = errors.New("no")
		l.set("bad", "10.244.1.10")
		l.set("web", "10.244.1.10")
		l.signal()
		l.expect("the first", "sync 2")
		l.fails[""] = errors.New("no memory")
		l.set("web", "10.244.1.11")
		l.signal()
		l.expect("a change that fails", "apply web", "sync 2")
		delete(l.fails, "")
		delete(l.fails, "bad")
		l.set("bad", "10.244.1.11")
		l.signal()
		l.expect("a change of the other, meanwhile")
		time.Sleep(time.Second)
		l.expect("after 1 s", "sync 2")
		time.Sleep(time.Hour)
		l.expect("all was taken")
	})
}

func TestAServiceThatFlapsFillsNoLog(t *testing.T) {
	run(t, 0, func(l *lab) {
		l.settled = true
		for i := range 1000 {
			l.set("web", fmt.Sprint("10.244.1.", i%250+1))
			l.signal()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		lines := strings.Split(strings.TrimSpace(l.log.String()), "\n")
		if len(lines) > 12 {
			t.Errorf("10 s of flapping are %d lines, the last of them %s", len(lines), lines[len(lines)-1])
		}
		changes := 0
		for _, line := range lines {
			var n int
			if _, after, ok := strings.Cut(line, " changes="); ok {
				_, _ = fmt.Sscan(after, &n)
			}
			changes += n
		}
		if changes != 1000 || !strings.Contains(lines[0], "services=a/web ") {
			t.Errorf("%d changes of 1000 are told, the first as %s", changes, lines[0])
		}
	})
}

// What the process alone knows comes and goes without any round.
func TestProblemsOfTheProcessAreToldWhenTheyChange(t *testing.T) {
	run(t, 0, func(l *lab) {
		l.settled = true
		l.set("web", "10.244.1.10")
		l.signal()
		taken := model.Problem{Reason: "a port is taken"}
		l.more = []model.Problem{taken}
		time.Sleep(time.Second)
		synctest.Wait()
		if !slices.Contains(l.told, taken) {
			t.Errorf("told %v, want %v", l.told, taken)
		}
		l.more = nil
		time.Sleep(time.Second)
		synctest.Wait()
		if slices.Contains(l.told, taken) {
			t.Errorf("still told %v", l.told)
		}
		if n := strings.Count(l.log.String(), "a port is taken"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}
