package store

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// shelf is a stock of objects by key.
type shelf map[string]any

func (s shelf) ListKeys() []string {
	keys := []string{}
	for k := range s {
		keys = append(keys, k)
	}
	return keys
}

func (s shelf) GetByKey(key string) (any, bool, error) { o, ok := s[key]; return o, ok, nil }

func TestDoubt(t *testing.T) {
	named := func(i int) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: fmt.Sprint("s", i)}}
	}
	unseen := func(i int) any {
		return cache.DeletedFinalStateUnknown{Key: fmt.Sprint("a/s", i), Obj: named(i)}
	}
	for name, c := range map[string]struct {
		do   func(d *doubt, s shelf)
		want []string
	}{
		"an empty list takes nothing": {func(d *doubt, s shelf) {
			for i := range 3 {
				delete(s, fmt.Sprint("a/s", i))
				d.gone(unseen(i))
			}
			time.Sleep(time.Hour)
		}, nil},
		"a list of some takes the others": {func(d *doubt, s shelf) {
			for i := range 2 {
				delete(s, fmt.Sprint("a/s", i))
				d.gone(unseen(i))
			}
		}, []string{"s0", "s1"}},
		"a watch is believed to the last": {func(d *doubt, s shelf) {
			for i := range 3 {
				delete(s, fmt.Sprint("a/s", i))
				d.gone(named(i))
			}
		}, []string{"s0", "s1", "s2"}},
		"after an empty list the next one decides": {func(d *doubt, s shelf) {
			for i := range 3 {
				delete(s, fmt.Sprint("a/s", i))
				d.gone(unseen(i))
			}
			time.Sleep(time.Hour)
			s["a/s1"] = named(1)
			d.arrived()
			s["a/s2"] = named(2)
			d.arrived()
		}, []string{"s0"}},
		"what is deleted while in doubt is gone": {func(d *doubt, s shelf) {
			for i := range 3 {
				delete(s, fmt.Sprint("a/s", i))
				d.gone(unseen(i))
			}
			time.Sleep(time.Hour)
			d.gone(named(2))
		}, []string{"s2"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := shelf{"a/s0": named(0), "a/s1": named(1), "a/s2": named(2)}
				var removed []string
				d := newDoubt(&cluster{options: ClusterOptions{Log: orDiscard(nil)}, pending: newPending()}, services, s)
				d.remove = func(r ref) { removed = append(removed, r.key.Name) }
				c.do(d, s)
				time.Sleep(time.Second)
				synctest.Wait()
				slices.Sort(removed)
				if !slices.Equal(removed, c.want) {
					t.Errorf("removed %q, want %q", removed, c.want)
				}
			})
		})
	}
}
