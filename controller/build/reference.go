package build

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

var errOtherNamespace = errors.New("is of another namespace: allow-cross-namespace-resources is off")

// keyIn is the object that a text names, as "name" or "namespace/name".
func keyIn(namespace, reference string) store.Key {
	if other, name, ok := strings.Cut(reference, "/"); ok {
		return store.Key{Namespace: other, Name: name}
	}
	return store.Key{Namespace: namespace, Name: reference}
}

// referred is the object that an annotation of the Ingress names.
func (t *task) referred(ing *networkingv1.Ingress, kind, reference string) (store.Key, error) {
	key := keyIn(ing.Namespace, reference)
	if key.Namespace != ing.Namespace && !t.result.Config.Settings.AllowCrossNamespace {
		return key, fmt.Errorf("names %s %s, which %w", kind, key, errOtherNamespace)
	}
	return key, nil
}

// secretOf is the Secret that an annotation of the Ingress names. The store
// fetches it from now on.
func (t *task) secretOf(ing *networkingv1.Ingress, reference string) (*corev1.Secret, error) {
	key, err := t.referred(ing, "Secret", reference)
	if err != nil {
		return nil, err
	}
	t.used[key] = true
	secret := t.s.Secrets[key]
	if secret == nil {
		return nil, fmt.Errorf("names Secret %s, which %w", key, errMissing)
	}
	return secret, nil
}

// textsOf is what the ConfigMap holds that an annotation of the Ingress names.
func (t *task) textsOf(ing *networkingv1.Ingress, reference string) (map[string]string, error) {
	key, err := t.referred(ing, "ConfigMap", reference)
	if err != nil {
		return nil, err
	}
	return t.texts(key)
}

// texts is what a ConfigMap holds. The store fetches it from now on.
func (t *task) texts(key store.Key) (map[string]string, error) {
	t.named[key] = true
	from := t.s.ConfigMaps[key]
	if from == nil {
		return nil, fmt.Errorf("names ConfigMap %s, which %w", key, errMissing)
	}
	return from.Data, nil
}

// serviceNamed is the Service that a host names as NAME.NAMESPACE.svc, with
// .cluster.local or without.
func serviceNamed(host string) (store.Key, bool) {
	name, ok := strings.CutSuffix(strings.TrimSuffix(host, ".cluster.local"), ".svc")
	name, namespace, ok2 := strings.Cut(name, ".")
	return store.Key{Namespace: namespace, Name: name}, ok && ok2 && !strings.Contains(namespace, ".")
}
