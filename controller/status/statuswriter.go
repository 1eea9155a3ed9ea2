package status

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/time/rate"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
)

// writers is how many Ingresses are written at a time.
const writers = 8

// A statusWriter writes the status of Ingresses, within a rate.
type statusWriter struct {
	client      kubernetes.Interface
	permissions *permissions
	limit       *rate.Limiter

	mu       sync.Mutex
	refusals map[string]error // by namespace: not asked again until forgiven
}

func (w *Writer) statusWriter(perSecond rate.Limit, burst int) *statusWriter {
	return &statusWriter{
		client: w.o.Client, permissions: w.permissions, limit: rate.NewLimiter(perSecond, burst),
		refusals: map[string]error{},
	}
}

// forgive tries namespaces again in which permission was missing.
func (s *statusWriter) forgive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.refusals)
}

// all gives each Ingress the addresses that want says for its current version,
// and returns what came of each that was tried before ctx ended.
func (s *statusWriter) all(ctx context.Context, list []*networkingv1.Ingress, want func(*networkingv1.Ingress) addresses) map[*networkingv1.Ingress]error {
	var group sync.WaitGroup
	results := make(map[*networkingv1.Ingress]error, len(list))
	todo := make(chan *networkingv1.Ingress)
	for range min(writers, len(list)) {
		group.Go(func() {
			for ing := range todo {
				s.mu.Lock()
				err := s.refusals[ing.Namespace]
				s.mu.Unlock()
				if err == nil {
					err = s.one(ctx, ing, want)
				}
				s.mu.Lock()
				results[ing] = err
				if s.permissions.refused(err, "get ingresses, update ingresses/status") {
					s.refusals[ing.Namespace] = err
				}
				s.mu.Unlock()
			}
		})
	}
	for _, ing := range list {
		if ctx.Err() != nil {
			break
		}
		todo <- ing
	}
	close(todo)
	group.Wait()
	return results
}

// one writes one Ingress. An Ingress that is gone, or is another one of the
// same name by now, needs no more.
func (s *statusWriter) one(ctx context.Context, ing *networkingv1.Ingress, want func(*networkingv1.Ingress) addresses) error {
	client := s.client.NetworkingV1().Ingresses(ing.Namespace)
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := s.limit.Wait(ctx); err != nil {
			return err
		}
		// A whole object is sent, so it has to be one that was read whole.
		current, err := client.Get(ctx, ing.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		wanted := want(current)
		if current.UID != ing.UID || wanted.in(current) {
			return nil
		}
		current.Status.LoadBalancer.Ingress = wanted
		_, err = client.UpdateStatus(ctx, current, metav1.UpdateOptions{})
		return err
	})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("ingress %s: %w", keyOf(ing), err)
}

func keyOf(ing *networkingv1.Ingress) types.NamespacedName {
	return types.NamespacedName{Namespace: ing.Namespace, Name: ing.Name}
}
