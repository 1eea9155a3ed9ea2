package status

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// The reasons of our Events, as ingress-nginx has the first.
const (
	reasonSync     = "Sync"
	reasonRejected = "Rejected"
)

const (
	// maxNotices is how many problems of one object get an Event each; one more
	// Event counts the rest. An object's author decides how many there are.
	maxNotices = 10
	maxMessage = 1024 // bytes, the API's limit for a note
)

// A notice is what one Event says.
type notice struct {
	object  model.Object
	uid     types.UID // of the object, where known
	kind    string    // Normal or Warning
	reason  string
	message string
}

// warnings are the notices of problems, in their order. Two of an object that
// say the same are one.
func warnings(s *State) []notice {
	uids := make(map[types.NamespacedName]types.UID, len(s.Ingresses))
	for _, ing := range s.Ingresses {
		uids[keyOf(ing)] = ing.UID
	}
	var list []notice
	seen := map[notice]bool{}
	counts := map[model.Object]int{}
	for _, p := range s.Problems {
		n := warning(p.Object, text(p))
		if n.object.Kind == "" || n.object.Name == "" {
			continue // there is nothing that an Event could be about
		}
		if n.object.Kind == "Ingress" {
			n.uid = uids[types.NamespacedName{Namespace: n.object.Namespace, Name: n.object.Name}]
		}
		if seen[n] {
			continue
		}
		seen[n] = true
		if counts[n.object]++; counts[n.object] <= maxNotices {
			list = append(list, n)
		}
	}
	for object, count := range counts {
		if count > maxNotices {
			n := warning(object, fmt.Sprintf("%d problems in all; the controller's log names each", count))
			n.uid = uids[types.NamespacedName{Namespace: object.Namespace, Name: object.Name}]
			list = append(list, n)
		}
	}
	return list
}

func warning(o model.Object, message string) notice {
	o.File, o.Line = "", 0
	return notice{object: o, kind: corev1.EventTypeWarning, reason: reasonRejected, message: message}
}

// text is "field: reason", as far as an Event takes it.
func text(p model.Problem) string {
	message := p.Reason
	if p.Field != "" {
		message = p.Field + ": " + p.Reason
	}
	message = strings.ToValidUTF8(message, "\uFFFD")
	if len(message) <= maxMessage {
		return message
	}
	const more = "…"
	return strings.ToValidUTF8(message[:maxMessage-len(more)], "") + more
}

func synced(ing *networkingv1.Ingress) notice {
	return notice{
		object: model.Object{Kind: "Ingress", Namespace: ing.Namespace, Name: ing.Name},
		uid:    ing.UID, kind: corev1.EventTypeNormal, reason: reasonSync, message: "Scheduled for sync",
	}
}

// reference is the object as an Event names it.
func (n notice) reference() corev1.ObjectReference {
	version := "v1"
	switch {
	case strings.HasPrefix(n.object.Kind, "Ingress"):
		version = networkingv1.SchemeGroupVersion.String()
	case n.object.Kind == "EndpointSlice":
		version = discoveryv1.SchemeGroupVersion.String()
	}
	return corev1.ObjectReference{
		APIVersion: version, Kind: n.object.Kind, Namespace: n.object.Namespace, Name: n.object.Name, UID: n.uid,
	}
}

// namespace is that of the Event: the object's, or the one in which the API
// wants Events about objects that have none.
func (n notice) namespace() string { return cmp.Or(n.object.Namespace, "default") }
