package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func TestMain(m *testing.M) { os.Exit(cluster.Run(m.Run)) }

// A kubelet is what a test has in the place of one: it notes what it is asked.
type kubelet struct {
	asked  []string // pod, container and command
	answer string
	err    error
}

func (k *kubelet) exec(_ context.Context, _ *rest.Config, r *rest.Request, stdout, _ io.Writer) error {
	q := r.URL().Query()
	k.asked = append(k.asked, r.URL().Path+" "+q.Get("container")+" "+strings.Join(q["command"], " ")+streams(q))
	_, err := io.WriteString(stdout, k.answer)
	return errors.Join(err, k.err)
}

// streams are those that are asked for.
func streams(q url.Values) string {
	text := ""
	for _, s := range []string{"stdin", "stdout", "stderr", "tty"} {
		if q.Get(s) == "true" {
			text += " " + s
		}
	}
	return text
}

// ask runs a command line against a cluster.
func ask(t *testing.T, c *cluster.Cluster, user string, k *kubelet, line ...string) (stdout string, err error) {
	t.Helper()
	kubeconfig, err := c.Kubeconfig(user)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	p := plugin{stdout: &out, stderr: &errs, exec: overTheAPI}
	if k != nil {
		p.exec = k.exec
	}
	if err = p.run(t.Context(), append([]string{"--kubeconfig=" + kubeconfig}, line...)); err != nil {
		err = fmt.Errorf("%w %s", err, &errs)
	}
	return out.String() + errs.String(), err
}

const controllerPods = `apiVersion: v1
kind: Namespace
metadata: {name: edge}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ingress, namespace: edge}
spec:
  selector: {matchLabels: {app: ingress}}
  template: {metadata: {labels: {app: ingress}}, spec: {containers: [{name: c, image: x}]}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: nodes, namespace: edge}
spec:
  selector: {matchLabels: {app: nodes}}
  template: {metadata: {labels: {app: nodes}}, spec: {containers: [{name: c, image: x}]}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: edge}
`

func pod(name, labels, containers string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: edge, labels: {%s}}\nspec: {automountServiceAccountToken: false, containers: [%s]}\n", name, labels, containers)
}

const usual = "app.kubernetes.io/name: ingress-nginx, app.kubernetes.io/component: controller"

func start(t *testing.T) *cluster.Cluster {
	c := cluster.Start(t)
	c.Apply(t, controllerPods)
	c.Apply(t, pod("a", usual, "{name: metrics, image: x}, {name: controller, image: x}")+pod("b", usual, "{name: controller, image: x}")+
		pod("of-deployment", "app: ingress", "{name: first, image: x}, {name: second, image: x}")+pod("of-set", "app: nodes", "{name: sallyport, image: x}"))
	// No kubelet says so, so it is written here.
	ready := `{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}`
	if _, err := c.Client.CoreV1().Pods("edge").Patch(t.Context(), "b", types.MergePatchType, []byte(ready), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	return c
}

// What is asked of a pod is asked of the right one, of the right container, and
// with no word that the shell or the program beside it could take for another.
func TestCommandsInPods(t *testing.T) {
	c := start(t)
	for line, want := range map[string]string{
		"backends -n edge":                                   "b controller sallyport dbg backends",
		"backends get default-web-80 -n edge":                "b controller sallyport dbg backends get default-web-80",
		"certs a.example.org -n edge":                        "b controller sallyport dbg certs get a.example.org",
		"certs get a.example.org -n edge":                    "b controller sallyport dbg certs get a.example.org",
		"general -n edge --pod a":                            "a controller sallyport dbg general",
		"problems -n edge --pod a --container metrics":       "a metrics sallyport dbg problems",
		"conf -n edge --deployment ingress":                  "of-deployment first sallyport dbg conf",
		"conf --namespace edge --deployment nodes":           "of-set sallyport sallyport dbg conf",
		"generation -n edge --selector app=ingress":          "of-deployment first sallyport dbg generation",
		"backends get $(reboot);x -n edge":                   "b controller sallyport dbg backends get $(reboot);x",
		"version -n edge":                                    "b controller sallyport dbg general",
		"general -n nowhere":                                 "! no pod in namespace nowhere has the labels",
		"general":                                            "! no pod in namespace default has the labels",
		"general -n edge --pod missing":                      `! pods "missing" not found`,
		"general -n edge --deployment missing":               "! neither a Deployment nor a DaemonSet",
		"general -n edge --selector app=a=b":                 "! --selector",
		"general -n edge --container missing":                `! pod b has no container "missing" but controller`,
		"general --context missing":                          "! context \"missing\" does not exist",
		"backends get -n edge -- --work-dir=/tmp/somebody's": "! can't be empty or begin with a dash",
		"reboot":           `! there is no command "reboot"`,
		"":                 "! name a command",
		"logs now -n edge": `! logs: unexpected argument "now"`,
	} {
		k := &kubelet{answer: "the answer\n"}
		out, err := ask(t, c, cluster.Admin, k, strings.Fields(line)...)
		if words, fails := strings.CutPrefix(want, "! "); fails {
			if err == nil || !strings.Contains(err.Error(), words) || len(k.asked) > 0 {
				t.Errorf("%s: %v after %q, want %s", line, err, k.asked, words)
			}
			continue
		}
		name, rest, _ := strings.Cut(want, " ")
		if want = "/api/v1/namespaces/edge/pods/" + name + "/exec " + rest + " stdout stderr"; err != nil || !slices.Equal(k.asked, []string{want}) || !strings.HasSuffix(out, "the answer\n") {
			t.Errorf("%s: %v, asked %q, said %q; want %s", line, err, k.asked, out, want)
		}
	}

	// The real API server takes the request; there is no kubelet that could carry it out.
	if _, err := ask(t, c, cluster.Admin, nil, "general", "-n", "edge"); err == nil || !strings.Contains(err.Error(), "does not have a host assigned") {
		t.Errorf("exec over the API: %v, want the API server's word that the pod is on no node", err)
	}
	if _, err := ask(t, c, cluster.Stranger, nil, "general", "-n", "edge", "--pod=b"); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("as somebody without rights: %v", err)
	}
}

func TestConfOfAHost(t *testing.T) {
	c := start(t)
	conf := "http {\n    server {\n        server_name _;\n    }\n    server {\n        listen 80;\n        server_name a.example.org b.example.org;\n        location / {\n        }\n    }\n}\n"
	out, err := ask(t, c, cluster.Admin, &kubelet{answer: conf}, "conf", "b.example.org", "-n", "edge")
	if want := "    server {\n        listen 80;\n        server_name a.example.org b.example.org;\n        location / {\n        }\n    }\n"; err != nil || out != want {
		t.Errorf("%v, %s", err, out)
	}
	if _, err := ask(t, c, cluster.Admin, &kubelet{answer: conf}, "conf", "example.org", "-n", "edge"); err == nil || !strings.Contains(err.Error(), "no server for") {
		t.Errorf("a host that is not there: %v", err)
	}
}

const objects = `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}, {addresses: [10.0.0.3], conditions: {ready: false}}]
---
apiVersion: v1
kind: Secret
metadata: {name: users, namespace: default}
stringData: {auth: "PLANTED"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {no-such-key: x}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: good, namespace: default}
spec:
  ingressClassName: nginx
  tls: [{hosts: [a.example.org]}]
  rules: [{host: a.example.org, http: {paths: [{pathType: Prefix, path: /x, backend: {service: {name: web, port: {name: http}}}}]}}]
`

const wrong = `---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: bad, namespace: default, annotations: {nginx.ingress.kubernetes.io/proxy-read-timeout: soon}}
spec:
  ingressClassName: nginx
  rules: [{host: b.example.org, http: {paths: [{pathType: Prefix, path: /, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: users, namespace: default, annotations: {nginx.ingress.kubernetes.io/auth-type: basic, nginx.ingress.kubernetes.io/auth-secret: users}}
spec:
  ingressClassName: nginx
  rules: [{host: c.example.org, http: {paths: [{pathType: Prefix, path: /, backend: {service: {name: web, port: {number: 80}}}}]}}]
`

func TestIngresses(t *testing.T) {
	c := start(t)
	c.Apply(t, objects)
	for line, want := range map[string][]string{
		"ingresses -n default": {"default good nginx a.example.org/x - yes web http 2"},
		"ingresses -A":         {"default good nginx a.example.org/x - yes web http 2"},
		"ingresses -n default --host nobody.example.org": nil,
		"ingresses -n edge": nil,
		"ingresses --all-namespaces --host a.example.org -n edge": {"default good nginx a.example.org/x - yes web http 2"},
	} {
		out, err := ask(t, c, cluster.Admin, nil, strings.Fields(line)...)
		var got []string
		for _, l := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
			got = append(got, strings.Join(strings.Fields(l), " "))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %q, want %q", line, err, got, want)
		}
	}
	out, err := ask(t, c, cluster.Admin, nil, "info", "-n", "edge")
	if err != nil || !strings.Contains(out, "pod: edge/b\n") || !strings.Contains(out, "ready: true\n") {
		t.Errorf("info: %v, %s", err, out)
	}
}

// Lint says of a cluster what it says of the same objects in a file.
func TestLint(t *testing.T) {
	const (
		bad      = "wrong: Ingress default/bad: nginx.ingress.kubernetes.io/proxy-read-timeout: \"soon\" is not a number of seconds\n"
		notAUser = "wrong: Ingress default/users: nginx.ingress.kubernetes.io/auth-secret: the Secret default/users has 1 lines that are no user"
		noUser   = "wrong: Ingress default/users: nginx.ingress.kubernetes.io/auth-secret: the Secret default/users has no user;"
		noKey    = "remark: ConfigMap default/settings: data.no-such-key: "
	)
	c := start(t)
	c.Apply(t, objects)
	if out, err := ask(t, c, cluster.Admin, nil, "lint"); err != nil || out != "" {
		t.Errorf("a good Ingress: %v, %s", err, out)
	}
	c.Apply(t, wrong)
	file := filepath.Join(t.TempDir(), "objects.yaml")
	if err := os.WriteFile(file, []byte(objects+wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string][]string{
		"lint":                              {bad, notAUser, noUser},
		"lint " + file:                      {bad, notAUser, noUser},
		"lint -n default":                   {bad, notAUser, noUser},
		"lint --configmap default/settings": {bad, notAUser, noUser, noKey},
		"lint --configmap default/settings " + file: {bad, notAUser, noUser, noKey},
		"lint --configmap nons":                     {"!--configmap"},
	} {
		out, err := ask(t, c, cluster.Admin, nil, strings.Fields(line)...)
		if words, ok := strings.CutPrefix(want[0], "!"); ok {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v", line, err)
			}
			continue
		}
		if !errors.Is(err, errFound) || strings.Count(out, "\n") != len(want) || strings.Contains(out, "PLANTED") {
			t.Errorf("%s: %v,\n%s", line, err, out)
		}
		for _, words := range want {
			if !strings.Contains(out, words) {
				t.Errorf("%s: no %q in\n%s", line, words, out)
			}
		}
	}
	if out, err := ask(t, c, cluster.Admin, nil, "lint", "-n", "edge"); err != nil || out != "" {
		t.Errorf("another namespace: %v, %s", err, out)
	}
	if _, err := ask(t, c, cluster.Stranger, nil, "lint"); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("as somebody without rights: %v", err)
	}
	c.Apply(t, `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [networking.k8s.io], resources: [ingresses, ingressclasses], verbs: [list]}
- {apiGroups: [""], resources: [services], verbs: [list]}
- {apiGroups: [""], resources: [configmaps], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: stranger}]
`)
	for _, may := range []authorizationv1.ResourceAttributes{
		{Verb: "list", Group: "networking.k8s.io", Resource: "ingresses"}, {Verb: "list", Group: "networking.k8s.io", Resource: "ingressclasses"},
		{Verb: "list", Resource: "services"}, {Verb: "get", Resource: "configmaps"},
	} {
		cluster.Eventually(t, "the API server has seen the role", func() error {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: cluster.Stranger, ResourceAttributes: &may}}
			answer, err := c.Client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
			if err == nil && !answer.Status.Allowed {
				err = fmt.Errorf("%s of %s is not allowed", may.Verb, may.Resource)
			}
			return err
		})
	}
	out, err := ask(t, c, cluster.Stranger, nil, "lint")
	if !errors.Is(err, errFound) || strings.Contains(out, "default/users") || !strings.Contains(out, "1 Secrets can't be read") {
		t.Errorf("as somebody who may not read Secrets: %v, %s", err, out)
	}
}
