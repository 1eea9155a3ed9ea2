package chart

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// The verbs on Secrets that the rendered roles give, of each file in ci/.
func TestVerbsOnSecrets(t *testing.T) {
	for name, text := range files(t, chartFolder+"/ci/*.yaml") {
		want := []string{"get"}
		if name == "watch-secrets.yaml" {
			want = []string{"list", "watch"}
		}
		verbs, inCluster := map[string]bool{}, false
		for _, o := range must(t, text).objects {
			if o.GetKind() != "Role" && o.GetKind() != "ClusterRole" {
				continue
			}
			rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
			for _, one := range rules {
				resources, _, _ := unstructured.NestedStringSlice(one.(map[string]any), "resources")
				all, _, _ := unstructured.NestedStringSlice(one.(map[string]any), "verbs")
				if slices.Contains(resources, "*") || slices.Contains(all, "*") {
					t.Errorf("%s: %s %s gives everything of something", name, o.GetKind(), o.GetName())
				}
				if slices.Contains(resources, "secrets") {
					for _, verb := range all {
						verbs[verb] = true
					}
					inCluster = inCluster || o.GetKind() == "ClusterRole"
				}
			}
		}
		if got := slices.Sorted(maps.Keys(verbs)); !slices.Equal(got, want) {
			t.Errorf("%s: the verbs on Secrets are %v, want %v", name, got, want)
		}
		if scoped := name == "scoped.yaml" || name == "role-only.yaml"; inCluster == scoped {
			t.Errorf("%s: a ClusterRole has Secrets in it: %v", name, inCluster)
		}
	}
}

const shop = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: "", port: 8080, protocol: TCP}]
endpoints: [{addresses: [%q], conditions: {ready: true}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  ingressClassName: nginx
  tls: [{secretName: cert, hosts: [a.example.org]}]
  rules: [{host: a.example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
`

const wrong = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: wrong, namespace: shop, annotations: {nginx.ingress.kubernetes.io/proxy-body-size: 8 elephants}}
spec:
  ingressClassName: nginx
  rules: [{host: b.example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
`

// A controller with the rendered flags, that may do what the rendered roles say
// and nothing else, does all of its work, and is never refused anything.
func TestRightsAreEnough(t *testing.T) {
	// The API server goes to Services by their addresses, which are this machine's.
	if out, err := exec.Command("ip", "route", "add", "local", "10.96.0.0/16", "dev", "lo").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i, test := range []struct{ name, values string }{
		{"all namespaces", "controller: {admissionWebhooks: {port: 18443, service: {servicePort: 18443}}}"},
		{"one namespace", "controller: {scope: {enabled: true, namespace: shop}, configMapNamespace: settings, admissionWebhooks: {port: 18443, service: {servicePort: 18443}}}"},
		{"watched", "controller: {secrets: watch, admissionWebhooks: {port: 18443, service: {servicePort: 18443}}}"},
	} {
		t.Run(test.name, func(t *testing.T) { works(t, must(t, test.values), fmt.Sprintf("10.244.7.%d", i+1)) })
	}
}

func works(t *testing.T, r release, endpoint string) {
	a := newApplier(t)
	a.Wipe(t)
	a.install(t, r)
	t.Cleanup(func() { a.uninstall(t, r) })
	cluster.Echo(t, "web", endpoint+":8080")
	from := audit(t, a)
	hook := func() ([]byte, error) {
		c, err := a.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(context.Background(), "edge-sallyport-admission", metav1.GetOptions{})
		if err != nil || len(c.Webhooks) != 1 {
			return nil, errors.Join(err, errors.New("no webhook"))
		}
		return c.Webhooks[0].ClientConfig.CABundle, nil
	}
	s := a.launch(t, r, "one")
	cluster.Eventually(t, "the API server asks the webhook", func() error {
		if err := a.TryApply(wrong); err == nil || !strings.Contains(err.Error(), "denied the request") {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	// A second replica is believed beside the first, and takes only its own back.
	alone, err := hook()
	second := a.launch(t, r, "two")
	cluster.Eventually(t, "both are believed", func() error {
		both, err := hook()
		if len(both) <= len(alone) {
			return errors.Join(err, fmt.Errorf("%d bytes", len(both)))
		}
		return nil
	})
	second.Stop(t)
	if after, err2 := hook(); err != nil || err2 != nil || string(after) != string(alone) {
		t.Errorf("what is believed in the end: %s", after)
	}

	// A Secret that is awaited, one that changes, and one that goes.
	a.Apply(t, fmt.Sprintf(shop, endpoint))
	a.Apply(t, cluster.Issue(t, cluster.ECDSA, "a.example.org").SecretYAML("shop", "cert"))
	cluster.Eventually(t, "the certificate is there", func() error { return presents(s, "a.example.org") })
	if got := s.Get(t, "https://a.example.org/"); got.Seen == nil || got.Seen.Backend != "web" {
		t.Errorf("got %s", got)
	}
	a.Apply(t, cluster.Issue(t, cluster.ECDSA, "rotated.example.org", "a.example.org").SecretYAML("shop", "cert"))
	cluster.Eventually(t, "the certificate is the new one", func() error { return presents(s, "rotated.example.org") })
	cluster.Eventually(t, "the Ingress is told of", func() error {
		all, err := a.Client.CoreV1().Events("shop").List(context.Background(), metav1.ListOptions{})
		if err == nil && len(all.Items) == 0 {
			err = errors.New("no Events")
		}
		return err
	})
	s.Stop(t)
	all, err := a.Audit()
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]bool{}
	for _, one := range all[from:] {
		if one.ResponseStatus.Code == 403 {
			t.Errorf("refused: %s", one)
		}
		if one.ObjectRef.Resource == "secrets" {
			secrets[one.Verb] = true
		}
	}
	want := []string{"get"}
	if slices.Contains(r.args(t), "--secrets=watch") {
		want = []string{"list", "watch"}
	}
	if got := slices.Sorted(maps.Keys(secrets)); !slices.Equal(got, want) {
		t.Errorf("Secrets were asked for by %v, want %v", got, want)
	}
	a.mayOnly(t, want)
}

// mayOnly holds that the service account has these verbs on Secrets and no others.
func (a *applier) mayOnly(t *testing.T, want []string) {
	t.Helper()
	var may []string
	for _, verb := range []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"} {
		for _, namespace := range []string{"shop", "edge", "kube-system"} {
			q := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:edge:edge-sallyport", ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: "secrets"},
			}}
			answer, err := a.Client.AuthorizationV1().SubjectAccessReviews().Create(context.Background(), q, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if answer.Status.Allowed {
				may = append(may, verb)
			}
		}
	}
	if got := slices.Compact(may); !slices.Equal(got, want) {
		t.Errorf("the account may %v Secrets, want %v", got, want)
	}
}

func (a *applier) launch(t *testing.T, r release, pod string) *cluster.Sallyport {
	t.Helper()
	path, err := a.AccountKubeconfig("edge", "edge-sallyport")
	if err != nil {
		t.Fatal(err)
	}
	a.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: edge, labels: {a: b}}\nspec: {containers: [{name: c, image: i}]}\n", pod))
	args := slices.DeleteFunc(slices.Clone(r.args(t)), func(arg string) bool {
		return strings.HasPrefix(arg, "--shutdown-grace-period")
	})
	return cluster.Launch(t, cluster.Options{Args: append(args, "--kubeconfig="+path), Env: []string{"POD_NAME=" + pod, "POD_NAMESPACE=edge"}})
}

func (a *applier) uninstall(t *testing.T, r release) {
	t.Helper()
	for _, o := range r.objects {
		if err := a.remove(o); err != nil {
			t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

func audit(t *testing.T, a *applier) int {
	t.Helper()
	all, err := a.Audit()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func presents(s *cluster.Sallyport, name string) error {
	r, err := s.Try(cluster.Request{URL: "https://a.example.org/", TLS: &tls.Config{InsecureSkipVerify: true}})
	if err != nil {
		return err
	}
	var shown *x509.Certificate
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		shown = r.TLS.PeerCertificates[0]
	}
	if shown == nil || shown.Subject.CommonName != name {
		return fmt.Errorf("shown %v", shown.Subject)
	}
	return nil
}
