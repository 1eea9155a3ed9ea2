package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// kinds says where the API server keeps objects of a kind.
var kinds = map[string]struct {
	resource   schema.GroupVersionResource
	namespaced bool
}{
	"Namespace":          {schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, false},
	"Node":               {schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, false},
	"Pod":                {schema.GroupVersionResource{Version: "v1", Resource: "pods"}, true},
	"Service":            {schema.GroupVersionResource{Version: "v1", Resource: "services"}, true},
	"Secret":             {schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, true},
	"ConfigMap":          {schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, true},
	"Event":              {schema.GroupVersionResource{Version: "v1", Resource: "events"}, true},
	"Endpoints":          {schema.GroupVersionResource{Version: "v1", Resource: "endpoints"}, true},
	"EndpointSlice":      {schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}, true},
	"Ingress":            {schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}, true},
	"IngressClass":       {schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingressclasses"}, false},
	"Lease":              {schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}, true},
	"Role":               {schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}, true},
	"RoleBinding":        {schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}, true},
	"ClusterRole":        {schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}, false},
	"ServiceAccount":     {schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}, true},
	"Deployment":         {schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, true},
	"DaemonSet":          {schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}, true},
	"ClusterRoleBinding": {schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"}, false},
}

// Objects reads the documents of a YAML text. Objects of namespaced kinds that
// name no namespace are put into "default".
func Objects(text string) ([]*unstructured.Unstructured, error) {
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4096)
	var all []*unstructured.Unstructured
	for {
		o := &unstructured.Unstructured{}
		err := d.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("object %d: %w", len(all)+1, err)
		}
		if len(o.Object) == 0 {
			continue // an empty document
		}
		if kinds[o.GetKind()].namespaced && o.GetNamespace() == "" {
			o.SetNamespace("default")
		}
		all = append(all, o)
	}
}

// Encode gives an object as JSON that is YAML, too: JSON may hold DEL as it is,
// YAML may not.
func Encode(o *unstructured.Unstructured) ([]byte, error) {
	body, err := json.Marshal(o.Object)
	return bytes.ReplaceAll(body, []byte("\x7f"), []byte(`\u007f`)), err
}

// Apply makes the objects of a YAML text so, by server-side apply, with the
// namespaces they need. The text must be one that the API server accepts.
func (c *Cluster) Apply(t T, text string) {
	t.Helper()
	if err := c.apply(context.Background(), text); err != nil {
		t.Fatalf("%v", err)
	}
}

// TryApply is Apply for texts that the API server may refuse.
func (c *Cluster) TryApply(text string) error { return c.apply(context.Background(), text) }

func (c *Cluster) apply(ctx context.Context, text string) error {
	all, err := Objects(text)
	if err != nil {
		return err
	}
	for _, o := range all {
		if err := c.ensureNamespace(ctx, o.GetNamespace()); err != nil {
			return err
		}
		if err := c.patch(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// ensureNamespace leaves a namespace that exists as it is.
func (c *Cluster) ensureNamespace(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	_, err := c.Dynamic.Resource(kinds["Namespace"].resource).Create(ctx, namespace(name), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (c *Cluster) patch(ctx context.Context, o *unstructured.Unstructured) error {
	r, err := c.resource(o)
	if err != nil {
		return err
	}
	body, err := Encode(o)
	if err != nil {
		return err
	}
	force := true
	_, err = r.Patch(ctx, o.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: "test", Force: &force})
	if err != nil {
		return fmt.Errorf("%s %s/%s: apply: %w", o.GetKind(), o.GetNamespace(), o.GetName(), err)
	}
	return nil
}

// Delete deletes one object. It is an error of the test if it isn't there.
func (c *Cluster) Delete(t T, kind, namespace, name string) {
	t.Helper()
	o := &unstructured.Unstructured{}
	o.SetKind(kind)
	o.SetNamespace(namespace)
	r, err := c.resource(o)
	if err == nil {
		err = r.Delete(context.Background(), name, metav1.DeleteOptions{})
	}
	if err != nil {
		t.Fatalf("%s %s/%s: delete: %v", kind, namespace, name, err)
	}
}

func (c *Cluster) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	k, ok := kinds[o.GetKind()]
	if !ok {
		return nil, fmt.Errorf("%s: a kind that tests don't use so far: add it to kinds", o.GetKind())
	}
	if k.namespaced {
		return c.Dynamic.Resource(k.resource).Namespace(o.GetNamespace()), nil
	}
	return c.Dynamic.Resource(k.resource), nil
}

func namespace(name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("v1")
	o.SetKind("Namespace")
	o.SetName(name)
	return o
}
