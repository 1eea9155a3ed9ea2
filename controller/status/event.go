package status

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// event writes one notice. An Event's name follows from what it says: where
// another leader, or this one before, has written it already, it is counted up
// instead of written twice.
func event(ctx context.Context, client kubernetes.Interface, n notice, component, pod string) error {
	events := client.CoreV1().Events(n.namespace())
	now := metav1.Now()
	e := &corev1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: n.namespace(), Name: n.eventName()},
		InvolvedObject:      n.reference(),
		Type:                n.kind,
		Reason:              n.reason,
		Message:             n.message,
		Source:              corev1.EventSource{Component: component, Host: pod},
		ReportingController: component,
		ReportingInstance:   pod,
		FirstTimestamp:      now,
		LastTimestamp:       now,
		Count:               1,
	}
	_, err := events.Create(ctx, e, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return wrap(n, err)
	}
	// The count is in the answer to the first patch: reading Events is not
	// allowed to us by the Role that people have from ingress-nginx.
	old, err := events.Patch(ctx, e.Name, types.MergePatchType, patch("lastTimestamp", now), metav1.PatchOptions{})
	if err == nil {
		_, err = events.Patch(ctx, e.Name, types.MergePatchType, patch("count", old.Count+1), metav1.PatchOptions{})
	}
	if apierrors.IsNotFound(err) { // it has expired just now
		_, err = events.Create(ctx, e, metav1.CreateOptions{})
	}
	return wrap(n, err)
}

func wrap(n notice, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("event on %s: %w", n.object, err)
}

func patch(field string, value any) []byte {
	// A number and a time are always JSON.
	text, _ := json.Marshal(map[string]any{field: value})
	return text
}

// eventName is the object's name and a digest of the rest.
func (n notice) eventName() string {
	h := sha256.New()
	for _, part := range []string{n.object.Kind, string(n.uid), n.kind, n.reason, n.message} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	digest := "." + hex.EncodeToString(h.Sum(nil)[:8])
	const longest = 253 // a DNS subdomain
	name := n.object.Name[:min(len(n.object.Name), longest-len(digest))]
	return strings.TrimRight(name, "-.") + digest
}

// final says whether trying again is of no use: the Event is lost.
func final(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsInvalid(err) ||
		apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}

// eventTime is how long one Event may take before others get their turn.
const eventTime = 30 * time.Second
