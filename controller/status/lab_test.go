package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
)

// A lab is an API server in memory, inside a synctest bubble.
type lab struct {
	*fake.Clientset
	t   *testing.T
	log *logText
}

type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *logText) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *logText) count(part string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Count(t.b.String(), part)
}

func (t *logText) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

func newLab(t *testing.T, objects ...runtime.Object) *lab {
	l := &lab{Clientset: fake.NewClientset(objects...), t: t, log: &logText{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", l.log)
		}
	})
	return l
}

// options are those of a replica that needs no election.
func (l *lab) options() Options {
	return Options{
		Client: l, Namespace: "sallyport", PodName: "sallyport-a", PublishAddresses: []string{"192.0.2.1"},
		ElectionID: "leader", DisableElection: true, UpdateStatus: true,
		Log: slog.New(slog.NewTextHandler(l.log, nil)),
	}
}

// start runs a Writer; stop ends it and waits for that.
func (l *lab) start(o Options) (w *Writer, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	w = New(o)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return w, func() {
		cancel()
		if err := <-ended; err != nil {
			l.t.Errorf("ended with %v", err)
		}
	}
}

// asked counts requests by verb and resource, such as "update ingresses/status".
func (l *lab) asked(what string) int {
	n := 0
	for _, a := range l.Actions() {
		name := a.GetVerb() + " " + a.GetResource().Resource
		if a.GetSubresource() != "" {
			name += "/" + a.GetSubresource()
		}
		if name == what {
			n++
		}
	}
	return n
}

// refuse makes requests fail while on says so.
func (l *lab) refuse(verb, resource string, on func(ktesting.Action) error) {
	l.PrependReactor(verb, resource, func(a ktesting.Action) (bool, runtime.Object, error) {
		err := on(a)
		return err != nil, nil, err
	})
}

func forbidden(resource string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "x", errors.New("no role"))
}

func ingress(name string, addresses ...string) *networkingv1.Ingress {
	ing := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Generation: 1,
	}}
	ing.Status.LoadBalancer.Ingress = newAddresses(addresses)
	return ing
}

// has returns the addresses of an Ingress as the API server has them.
func (l *lab) has(name string) string {
	l.t.Helper()
	ing, err := l.NetworkingV1().Ingresses("shop").Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	return addresses(ing.Status.LoadBalancer.Ingress).String()
}

// events returns "type reason object: message xcount" of each Event.
func (l *lab) events() []string {
	list, err := l.CoreV1().Events("").List(context.Background(), metav1.ListOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	texts := []string{}
	for _, e := range list.Items {
		texts = append(texts, fmt.Sprintf("%s %s %s %s/%s %s: %s x%d", e.Type, e.Reason, e.InvolvedObject.Kind,
			e.InvolvedObject.Namespace, e.InvolvedObject.Name, e.InvolvedObject.UID, e.Message, e.Count))
	}
	return texts
}

func pod(name string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "sallyport", Name: name, Labels: map[string]string{"app": "sallyport", "pod-template-hash": name}},
		Spec:       corev1.PodSpec{NodeName: "node-" + name},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	if change != nil {
		change(p)
	}
	return p
}

func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}
