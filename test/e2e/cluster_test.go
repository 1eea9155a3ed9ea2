package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// secondPasses waits until the API server gives new objects another creation
// time than those that are there: it counts in seconds. A folder has no clock.
func (w *world) secondPasses(t *testing.T) {
	t.Helper()
	if w.name != "cluster" {
		return
	}
	client := w.cluster().Client.CoreV1().ConfigMaps("default")
	now := func() string {
		probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "clock"}}
		made, err := client.Create(context.Background(), probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			t.Fatal(err)
		}
		return made.CreationTimestamp.String()
	}
	before := now()
	cluster.Eventually(t, "the API server's clock moves on", func() error {
		if now() == before {
			return fmt.Errorf("it is still %s", before)
		}
		return nil
	})
}

// event waits for an Event on an object whose text has all of the words.
func event(t *testing.T, w *world, kind, namespace, name, level string, words ...string) corev1.Event {
	t.Helper()
	var found corev1.Event
	cluster.Eventually(t, fmt.Sprintf("a %s event on %s %s/%s with %q", level, kind, namespace, name, words), func() error {
		all := events(t, w, kind, namespace, name)
		for _, e := range all {
			if e.Type == level && has(e.Message, words) {
				found = e
				return nil
			}
		}
		return fmt.Errorf("there are %d others: %s", len(all), messages(all))
	})
	return found
}

func events(t *testing.T, w *world, kind, namespace, name string) []corev1.Event {
	t.Helper()
	l, err := w.cluster().Client.CoreV1().Events(namespace).List(context.Background(), metav1.ListOptions{
		FieldSelector: "involvedObject.kind=" + kind + ",involvedObject.name=" + name,
	})
	if err != nil {
		t.Fatal(err)
	}
	return l.Items
}

func messages(all []corev1.Event) string {
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "[%s %s: %s]", e.Type, e.Reason, e.Message)
	}
	return b.String()
}

func has(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
