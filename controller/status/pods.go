package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
)

// errNoPod says that this process is in no pod that the API server knows.
var errNoPod = errors.New("not in a pod (POD_NAME and POD_NAMESPACE tell which): no node's address to publish; name one by --publish-status-address or --publish-service")

// errNotReady says that no pod of ours is ready, which at least this one will
// be in a moment.
var errNotReady = errors.New("no pod of ours is ready")

// pods are this pod and its like: those of the same namespace and labels.
type pods struct {
	client          kubernetes.Interface
	namespace, name string
	permissions     *permissions
}

// ownLabels tell a pod from its like of another revision, or of the same one.
var ownLabels = []string{
	"pod-template-hash", "controller-revision-hash", "pod-template-generation",
	"statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
}

// running returns the pods like this one that run and are not about to end,
// with this one.
func (p pods) running(ctx context.Context) ([]corev1.Pod, error) {
	if p.name == "" || p.namespace == "" {
		return nil, errNoPod
	}
	client := p.client.CoreV1().Pods(p.namespace)
	self, err := client.Get(ctx, p.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, errNoPod
	}
	if err != nil {
		p.permissions.refused(err, "get, list pods in namespace "+p.namespace)
		return nil, fmt.Errorf("pod %s/%s: %w", p.namespace, p.name, err)
	}
	selector := labels.Set{}
	for key, value := range self.Labels {
		if !slices.Contains(ownLabels, key) {
			selector[key] = value
		}
	}
	if len(selector) == 0 { // which would be every pod of the namespace
		return []corev1.Pod{*self}, nil
	}
	list, err := client.List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		p.permissions.refused(err, "get, list pods in namespace "+p.namespace)
		return nil, fmt.Errorf("pods of namespace %s: %w", p.namespace, err)
	}
	return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool {
		return pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil && pod.Name != p.name
	}), nil
}

// alone says whether no other pod like this one runs.
func (p pods) alone(ctx context.Context) (bool, error) {
	list, err := p.running(ctx)
	if errors.Is(err, errNoPod) {
		return true, nil
	}
	return err == nil && !slices.ContainsFunc(list, func(pod corev1.Pod) bool { return pod.Name != p.name }), err
}

// addresses are those of the nodes on which pods of ours are ready.
func (p pods) addresses(ctx context.Context, internal bool) (addresses, error) {
	list, err := p.running(ctx)
	if err != nil {
		return nil, err
	}
	byNode := map[string]string{}
	for _, pod := range list {
		node := pod.Spec.NodeName
		if _, known := byNode[node]; known || node == "" || !ready(pod) {
			continue
		}
		if byNode[node], err = p.node(ctx, node, internal); err != nil {
			return nil, err
		}
	}
	if len(byNode) == 0 {
		return nil, errNotReady
	}
	var texts []string
	for _, text := range byNode {
		texts = append(texts, text)
	}
	return newAddresses(texts), nil
}

func ready(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// node is a node's first external address, or else, or where internal is
// wanted, its first internal one.
func (p pods) node(ctx context.Context, name string, internal bool) (string, error) {
	node, err := p.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		p.permissions.refused(err, "get nodes")
		return "", fmt.Errorf("node %s: %w", name, err)
	}
	order := []corev1.NodeAddressType{corev1.NodeExternalIP, corev1.NodeInternalIP}
	if internal {
		order = order[1:]
	}
	for _, kind := range order {
		for _, address := range node.Status.Addresses {
			if address.Type == kind && strings.TrimSpace(address.Address) != "" {
				return address.Address, nil
			}
		}
	}
	return "", fmt.Errorf("node %s: has no address to publish", name)
}
