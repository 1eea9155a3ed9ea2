package cluster

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Wipe deletes what tests make, so that the next one finds an empty cluster.
// Namespaces stay, without labels: nobody here would end their deletion.
func (c *Cluster) Wipe(t T) {
	t.Helper()
	if err := c.wipe(context.Background()); err != nil {
		t.Fatalf("wipe the cluster: %v", err)
	}
}

func (c *Cluster) wipe(ctx context.Context) error {
	namespaces, err := c.Client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	names := []string{""}
	for _, n := range namespaces.Items {
		names = append(names, n.Name)
		if len(n.Labels) > 1 { // the API server gives each its name as a label
			if err := c.patch(ctx, namespace(n.Name)); err != nil {
				return err
			}
		}
	}
	errs := make(chan error, len(names))
	var all sync.WaitGroup
	for _, n := range names {
		all.Go(func() { errs <- c.wipeIn(ctx, n) })
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// wipeIn deletes what is in one namespace, or what is in none.
func (c *Cluster) wipeIn(ctx context.Context, ns string) error {
	kind := []string{"Ingress", "EndpointSlice", "Endpoints", "Service", "Secret", "ConfigMap", "Event", "Lease", "Pod"}
	if ns == "" {
		kind = []string{"IngressClass", "Node"}
	}
	now := int64(0)
	for _, k := range kind {
		// The API server's own Service comes back by itself, and later than a test would like.
		err := c.Dynamic.Resource(kinds[k].resource).Namespace(ns).DeleteCollection(ctx,
			metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{FieldSelector: "metadata.name!=kubernetes"})
		if err != nil {
			return fmt.Errorf("%s in %q: %w", k, ns, err)
		}
	}
	return nil
}
