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

// secretOf is the Secret that an annotation of the Ingress names, as "name" or
// "namespace/name". The store fetches it from now on.
func (t *task) secretOf(ing *networkingv1.Ingress, reference string) (*corev1.Secret, error) {
	key := store.Key{Namespace: ing.Namespace, Name: reference}
	if namespace, name, ok := strings.Cut(reference, "/"); ok {
		key = store.Key{Namespace: namespace, Name: name}
	}
	if key.Namespace != ing.Namespace && !t.result.Config.Settings.AllowCrossNamespace {
		return nil, fmt.Errorf("names Secret %s, which %w", key, errOtherNamespace)
	}
	t.used[key] = true
	secret := t.s.Secrets[key]
	if secret == nil {
		return nil, fmt.Errorf("names Secret %s, which %w", key, errMissing)
	}
	return secret, nil
}
