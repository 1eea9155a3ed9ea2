package l4

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A source is where the proxier reads objects from.
type source interface {
	// put makes exactly these objects so. The last few are the beacon: they are
	// not visible before all others are.
	put(t *testing.T, objects, beacon []any)
	// args are the flags by which the proxier reads it.
	args() []string
}

// A folder has one file, which is replaced: a reader sees all of a generation
// or nothing.
type folder struct{ dir string }

func (f folder) args() []string { return []string{"--manifests=" + f.dir} }

func (f folder) put(t *testing.T, objects, beacon []any) {
	t.Helper()
	hidden := filepath.Join(f.dir, ".new")
	if err := os.WriteFile(hidden, []byte(manifest(t, append(objects, beacon...))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(f.dir, "objects.yaml")); err != nil {
		t.Fatal(err)
	}
}

// live is a real API server.
type live struct {
	*cluster.Cluster
	kubeconfig string
	have       map[string]string // what is there, by kind and name
	all        map[string]any
}

func newLive(t *testing.T, c *cluster.Cluster) *live {
	t.Helper()
	path, err := c.Kubeconfig(cluster.Controller)
	if err != nil {
		t.Fatal(err)
	}
	return &live{Cluster: c, kubeconfig: path, have: map[string]string{}, all: map[string]any{}}
}

func (l *live) args() []string { return []string{"--kubeconfig=" + l.kubeconfig} }

func (l *live) put(t *testing.T, objects, beacon []any) {
	t.Helper()
	keep := map[string]bool{}
	for _, o := range append(append([]any{}, objects...), beacon...) {
		keep[objectKey(o)] = true
	}
	for key, o := range l.all {
		if !keep[key] {
			l.must(t, l.remove(t.Context(), o))
			delete(l.all, key)
			delete(l.have, key)
		}
	}
	l.write(t, objects)
	l.write(t, beacon)
}

// write writes what has changed, several at a time.
func (l *live) write(t *testing.T, objects []any) {
	t.Helper()
	slots, failed := make(chan struct{}, 8), make([]error, len(objects))
	var all sync.WaitGroup
	for i, o := range objects {
		key := objectKey(o)
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if l.have[key] == string(text) {
			continue
		}
		was := l.all[key]
		l.have[key], l.all[key] = string(text), o
		slots <- struct{}{}
		all.Go(func() {
			failed[i] = l.set(t.Context(), was, o)
			<-slots
		})
	}
	all.Wait()
	for _, err := range failed {
		l.must(t, err)
	}
}

func (l *live) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("API server: %v", err)
	}
}

func objectKey(o any) string {
	switch o := o.(type) {
	case *corev1.Service:
		return "service " + o.Namespace + "/" + o.Name
	case *discoveryv1.EndpointSlice:
		return "slice " + o.Namespace + "/" + o.Name
	}
	return "node"
}

func (l *live) remove(ctx context.Context, o any) error {
	switch o := o.(type) {
	case *corev1.Service:
		return l.Client.CoreV1().Services(o.Namespace).Delete(ctx, o.Name, metav1.DeleteOptions{})
	case *discoveryv1.EndpointSlice:
		return l.Client.DiscoveryV1().EndpointSlices(o.Namespace).Delete(ctx, o.Name, metav1.DeleteOptions{})
	}
	return nil
}

// set creates or replaces an object and its status.
func (l *live) set(ctx context.Context, was, o any) error {
	switch o := o.(type) {
	case *corev1.Service:
		if err := l.namespace(ctx, o.Namespace); err != nil {
			return err
		}
		// A ClusterIP can't change, and one that was given up can't be had again by
		// name: a Service that wants another one is another.
		if old, ok := was.(*corev1.Service); ok && old.Spec.ClusterIP != o.Spec.ClusterIP {
			if err := l.remove(ctx, old); err != nil {
				return err
			}
		}
		return l.setService(ctx, o)
	case *discoveryv1.EndpointSlice:
		if err := l.namespace(ctx, o.Namespace); err != nil {
			return err
		}
		c := l.Client.DiscoveryV1().EndpointSlices(o.Namespace)
		_, err := c.Create(ctx, o, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			_, err = c.Update(ctx, o, metav1.UpdateOptions{})
		}
		return named(err, o.Namespace, o.Name)
	case *corev1.Node:
		n, err := l.Client.CoreV1().Nodes().Create(ctx, o, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		if err == nil {
			n.Status = o.Status
			_, err = l.Client.CoreV1().Nodes().UpdateStatus(ctx, n, metav1.UpdateOptions{})
		}
		return err
	}
	return nil
}

func (l *live) setService(ctx context.Context, o *corev1.Service) error {
	c := l.Client.CoreV1().Services(o.Namespace)
	// The other way round a Service is told that its own addresses are taken.
	_, err := c.Update(ctx, o, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = c.Create(ctx, o, metav1.CreateOptions{})
	}
	if err == nil && o.Spec.Type == corev1.ServiceTypeLoadBalancer {
		_, err = c.UpdateStatus(ctx, o, metav1.UpdateOptions{})
	}
	return named(err, o.Namespace, o.Name)
}

func named(err error, namespace, name string) error {
	if err != nil {
		return fmt.Errorf("%s/%s: %w", namespace, name, err)
	}
	return nil
}

func (l *live) namespace(ctx context.Context, name string) error {
	o := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := l.Client.CoreV1().Namespaces().Create(ctx, o, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
