package chart

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// foreign are the kinds that the chart makes and others define. Their types here
// take anything: what is in such an object is held by tests of its own.
var foreign = []struct{ group, version, kind, plural string }{
	{"monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"},
	{"monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"},
	{"keda.sh", "v1alpha1", "ScaledObject", "scaledobjects"},
	{"cert-manager.io", "v1", "Certificate", "certificates"},
	{"cert-manager.io", "v1", "Issuer", "issuers"},
}

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[4]s.%[1]s}
spec:
  group: %[1]s
  names: {kind: %[3]s, plural: %[4]s, singular: %[5]s, listKind: %[3]sList}
  scope: Namespaced
  versions:
  - name: %[2]s
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// An applier applies objects of any kind, as helm does and more strictly.
type applier struct {
	*cluster.Cluster
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

var definitions sync.Once

func newApplier(t *testing.T) *applier {
	t.Helper()
	c := controlPlane(t)
	a := &applier{c, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.Client.Discovery()))}
	definitions.Do(func() {
		for _, f := range foreign {
			var r release
			if err := r.read(fmt.Sprintf(definition, f.group, f.version, f.kind, f.plural, strings.ToLower(f.kind))); err != nil {
				t.Fatal(err)
			}
			a.apply(t, r.objects[0])
		}
	})
	for _, f := range foreign {
		cluster.Eventually(t, f.kind+" is served", func() error {
			_, err := c.Client.Discovery().ServerResourcesForGroupVersion(f.group + "/" + f.version)
			return err
		})
	}
	a.mapper.Reset()
	return a
}

// try applies one object; with dry it is only judged. A field that is not known is
// an error.
func (a *applier) try(o *unstructured.Unstructured, dry ...string) error {
	r, err := a.resource(o)
	if err != nil {
		return err
	}
	body, err := cluster.Encode(o)
	if err != nil {
		return err
	}
	force := true
	_, err = r.Patch(context.Background(), o.GetName(), types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: "helm", Force: &force, FieldValidation: metav1.FieldValidationStrict, DryRun: dry})
	return err
}

func (a *applier) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	m, err := a.mapper.RESTMapping(schema.GroupKind{Group: kind.Group, Kind: kind.Kind}, kind.Version)
	if err != nil {
		return nil, err
	}
	if o.GetNamespace() != "" {
		return a.Dynamic.Resource(m.Resource).Namespace(o.GetNamespace()), nil
	}
	return a.Dynamic.Resource(m.Resource), nil
}

func (a *applier) remove(o *unstructured.Unstructured) error {
	r, err := a.resource(o)
	if err != nil {
		return err
	}
	return r.Delete(context.Background(), o.GetName(), metav1.DeleteOptions{})
}

func (a *applier) apply(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	if err := a.try(o); err != nil {
		t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
}

func (a *applier) namespace(t *testing.T, name string) {
	t.Helper()
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("v1")
	o.SetKind("Namespace")
	o.SetName(name)
	if err := a.try(o); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// install applies a whole release.
func (a *applier) install(t *testing.T, r release) {
	t.Helper()
	for _, o := range r.objects {
		if n := o.GetNamespace(); n != "" {
			a.namespace(t, n)
		}
		a.apply(t, o)
	}
}

// Each object that the chart makes of any of the files is one that a real API
// server takes, without a field that it does not know.
func TestObjectsAreTaken(t *testing.T) {
	a := newApplier(t)
	kinds := map[string]bool{}
	for _, pattern := range []string{chartFolder + "/ci/*.yaml", "values/*.yaml"} {
		for name, text := range files(t, pattern) {
			for _, o := range must(t, text).objects {
				if n := o.GetNamespace(); n != "" {
					a.namespace(t, n)
				}
				if err := a.try(o, metav1.DryRunAll); err != nil {
					t.Errorf("%s: %s %s: %v", name, o.GetKind(), o.GetName(), err)
				}
				kinds[o.GetKind()] = true
			}
		}
	}
	t.Logf("kinds: %v", sortedKeys(kinds))
	for _, f := range foreign {
		if !kinds[f.kind] {
			t.Errorf("no file makes a %s", f.kind)
		}
		t.Logf("%s: held against a type that takes anything, for its own is not of Kubernetes", f.kind)
	}
}
