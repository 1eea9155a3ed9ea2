package build

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/sallyport-ingress/sallyport/controller/settings"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// quarantine remembers the versions of objects that nginx refused, and the last
// versions that it took.
type quarantine struct {
	ingresses  map[store.Key]refused[networkingv1.Ingress]
	good       map[store.Key]*networkingv1.Ingress
	settings   refused[corev1.ConfigMap]
	strict     *corev1.ConfigMap // what is used of that where none was good before
	goodConfig *corev1.ConfigMap
}

type refused[T any] struct {
	version *T
	reason  string
}

func newQuarantine() quarantine {
	return quarantine{
		ingresses: map[store.Key]refused[networkingv1.Ingress]{},
		good:      map[store.Key]*networkingv1.Ingress{},
	}
}

// ingress is the version to use, nil for none, and why it isn't the current.
func (q *quarantine) ingress(ing *networkingv1.Ingress) (use *networkingv1.Ingress, reason string) {
	bad, ok := q.ingresses[keyOf(ing)]
	if !ok {
		return ing, ""
	}
	if !sameVersion(bad.version, ing) {
		delete(q.ingresses, keyOf(ing))
		return ing, ""
	}
	return q.good[keyOf(ing)], bad.reason
}

// sameVersion says whether two states of an Ingress ask for the same: a change
// of the status alone is none.
func sameVersion(a, b *networkingv1.Ingress) bool {
	return a == b || a != nil && b != nil && a.UID == b.UID &&
		maps.Equal(a.Annotations, b.Annotations) && equality.Semantic.DeepEqual(a.Spec, b.Spec)
}

func (q *quarantine) configMap(c *corev1.ConfigMap) (use *corev1.ConfigMap, reason string) {
	if q.settings.reason == "" || q.settings.version != c {
		return c, ""
	}
	if q.goodConfig == nil {
		return q.strict, q.settings.reason + "; no version before it was taken, so of its keys only those that restrict access are in force"
	}
	return q.goodConfig, q.settings.reason
}

// Refuse puts the current version of an Ingress aside: from the next Build on,
// until it changes, the last version that Accept was told of stands for it.
func (b *Builder) Refuse(s *store.Snapshot, key store.Key, reason string) {
	b.quarantine.ingresses[key] = refused[networkingv1.Ingress]{s.Ingresses[key], "nginx refuses it: " + reason}
}

// RefuseSettings does the same with the ConfigMap. It says false where there
// is none, or its present version is put aside already.
func (b *Builder) RefuseSettings(s *store.Snapshot, reason string) bool {
	present := s.ConfigMaps[b.o.ConfigMap]
	if present == nil || b.quarantine.settings.version == present {
		return false
	}
	b.quarantine.settings = refused[corev1.ConfigMap]{present, "nginx refuses it: " + reason}
	b.quarantine.strict = present.DeepCopy()
	maps.DeleteFunc(b.quarantine.strict.Data, func(key, _ string) bool { return !settings.Restricts(key) })
	return true
}

// Refused says how many objects are put aside.
func (b *Builder) Refused() int {
	n := len(b.quarantine.ingresses)
	if b.quarantine.settings.reason != "" {
		n++
	}
	return n
}

// Accept notes that nginx has taken what was built from the Ingresses and the
// ConfigMap of r.
func (b *Builder) Accept(r *Result) {
	good := make(map[store.Key]*networkingv1.Ingress, len(r.Ingresses))
	for _, ing := range r.Ingresses {
		key := keyOf(ing)
		good[key] = ing
		bad, ok := b.quarantine.ingresses[key]
		if ok && sameVersion(bad.version, ing) || b.annotations[ing].values.Invalid {
			good[key] = b.quarantine.good[key]
		}
	}
	b.quarantine.good = good
	b.quarantine.goodConfig = b.settings.from
}
