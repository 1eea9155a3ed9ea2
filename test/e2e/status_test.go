package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// status gives the addresses of an Ingress, parted by spaces.
func status(t *testing.T, w *world, namespace, name string) string {
	t.Helper()
	i, err := w.cluster().Client.NetworkingV1().Ingresses(namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range i.Status.LoadBalancer.Ingress {
		all = append(all, a.IP+a.Hostname)
	}
	return strings.Join(all, " ")
}

func hasStatus(t *testing.T, w *world, namespace, name, want string) error {
	t.Helper()
	if got := status(t, w, namespace, name); got != want {
		return fmt.Errorf("the status is %q", got)
	}
	return nil
}

func becomesStatus(t *testing.T, w *world, name, want string) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("the status of %s becomes %q", name, want), func() error { return hasStatus(t, w, "default", name, want) })
}

func TestStatusFromPublishStatusAddress(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 62, "web")
	other := web("other", "b.example.org", "web")
	other.class = "other"
	w.Apply(t, web("web", "a.example.org", "web").String()+other.String())
	s := w.launch(t, "--publish-status-address=192.0.2.7,lb.example.org,192.0.2.3", "--status-update-interval=5")
	cluster.Eventually(t, "the status has all addresses", func() error {
		got := strings.Fields(status(t, w, "default", "web"))
		for _, want := range []string{"192.0.2.3", "192.0.2.7", "lb.example.org"} {
			if len(got) != 3 || !strings.Contains(strings.Join(got, " "), want) {
				return fmt.Errorf("it is %v", got)
			}
		}
		return nil
	})
	w.Apply(t, web("later", "c.example.org", "web").String())
	cluster.Eventually(t, "a new Ingress has a status", func() error {
		if status(t, w, "default", "later") == "" {
			return fmt.Errorf("it has none")
		}
		return nil
	})
	if got := status(t, w, "default", "other"); got != "" {
		t.Errorf("an Ingress of another class got the status %q", got)
	}
	s.Stop(t)
	if got := status(t, w, "default", "web"); got != "" {
		t.Errorf("after the last replica's end the status is still %q", got)
	}
}

func TestStatusIsKeptOnShutdownIfAskedFor(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 63, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	s := w.launch(t, "--publish-status-address=192.0.2.7", "--update-status-on-shutdown=false")
	becomesStatus(t, w, "web", "192.0.2.7")
	s.Stop(t)
	if got := status(t, w, "default", "web"); got != "192.0.2.7" {
		t.Errorf("the status is %q", got)
	}
}

func TestStatusFromPublishService(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 64, "web")
	w.Apply(t, "apiVersion: v1\nkind: Service\nmetadata: {name: edge, namespace: sallyport}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n")
	w.Apply(t, web("web", "a.example.org", "web").String())
	balanced(t, w, `[{"ip":"192.0.2.9"},{"hostname":"lb.example.org"}]`)
	w.launch(t, "--publish-service=sallyport/edge", "--status-update-interval=5")
	cluster.Eventually(t, "the status is the Service's", func() error {
		if got := status(t, w, "default", "web"); got != "192.0.2.9 lb.example.org" && got != "lb.example.org 192.0.2.9" {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	balanced(t, w, `[{"ip":"192.0.2.10"}]`)
	becomesStatus(t, w, "web", "192.0.2.10")
}

// balanced does what a cloud's controller does.
func balanced(t *testing.T, w *world, addresses string) {
	t.Helper()
	_, err := w.cluster().Client.CoreV1().Services("sallyport").Patch(context.Background(), "edge", types.MergePatchType,
		[]byte(`{"status":{"loadBalancer":{"ingress":`+addresses+`}}}`), metav1.PatchOptions{}, "status")
	if err != nil {
		t.Fatal(err)
	}
}

// Under hostNetwork the addresses are those of the nodes that the pods are on.
func TestStatusFromTheNode(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 65, "web")
	w.Apply(t, "apiVersion: v1\nkind: Node\nmetadata: {name: one}\n")
	_, err := w.cluster().Client.CoreV1().Nodes().Patch(context.Background(), "one", types.MergePatchType, []byte(
		`{"status":{"addresses":[{"type":"InternalIP","address":"10.1.1.1"},{"type":"ExternalIP","address":"192.0.2.44"}]}}`), metav1.PatchOptions{}, "status")
	if err != nil {
		t.Fatal(err)
	}
	w.Apply(t, `apiVersion: v1
kind: Pod
metadata: {name: sallyport-0, namespace: sallyport, labels: {app: sallyport}}
spec: {nodeName: one, hostNetwork: true, automountServiceAccountToken: false, containers: [{name: main, image: none}]}
`)
	if _, err := w.cluster().Client.CoreV1().Pods("sallyport").Patch(context.Background(), "sallyport-0", types.MergePatchType,
		[]byte(`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}`), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	w.Apply(t, web("web", "a.example.org", "web").String())
	s := w.launch(t, "--status-update-interval=5", "--update-status-on-shutdown=false")
	becomesStatus(t, w, "web", "192.0.2.44")
	s.Stop(t)
	w.launch(t, "--status-update-interval=5", "--report-node-internal-ip-address")
	becomesStatus(t, w, "web", "10.1.1.1")
}

// Of two replicas one writes. The other takes over when the first has gone.
func TestLeaderElection(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 66, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	first := w.launch(t, "--publish-status-address=192.0.2.1", "--status-update-interval=5", "--election-ttl=6s")
	becomesStatus(t, w, "web", "192.0.2.1")
	second := w.launchWith(t, cluster.Options{
		Args: []string{"--publish-status-address=192.0.2.2", "--status-update-interval=5", "--election-ttl=6s"},
		Env:  []string{"POD_NAME=sallyport-1"},
	})
	requests(t, second, "http://a.example.org/", "web") // it serves all the same
	w.Apply(t, web("later", "b.example.org", "web").String())
	becomesStatus(t, w, "later", "192.0.2.1")
	becomes(t, second, "http://b.example.org/", "web")
	lease, err := w.cluster().Client.CoordinationV1().Leases("sallyport").Get(context.Background(), "ingress-controller-leader", metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil || !strings.Contains(*lease.Spec.HolderIdentity, "sallyport-0") {
		t.Errorf("the lease is held by %v, %v", lease.Spec.HolderIdentity, err)
	}
	if got := status(t, w, "default", "web"); got != "192.0.2.1" {
		t.Errorf("the status is %q: the second replica wrote", got)
	}
	first.Stop(t)
	becomesStatus(t, w, "web", "192.0.2.2")
	becomesStatus(t, w, "later", "192.0.2.2")
}

// Each Ingress gets a Sync event, each problem one event, however often objects
// change around it.
func TestEventsComeOnce(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 67, "web")
	w.Apply(t, ingress{name: "web", rules: []string{rule("Prefix", "a.example.org", "/", "web"), rule("Prefix", "a.example.org", "/x", "missing")}}.String())
	s := w.launch(t)
	event(t, w, "Ingress", "default", "web", "Normal", "sync")
	problem := event(t, w, "Ingress", "default", "web", "Warning", "missing", "spec.rules[1]")
	for i := range 5 {
		host := fmt.Sprintf("h%d.example.org", i)
		w.Apply(t, web(fmt.Sprint("more-", i), host, "web").String()+slice("web", "web-2", "10.244.67.1"))
		becomes(t, s, "http://"+host+"/", "web")
	}
	event(t, w, "Ingress", "default", "more-4", "Normal", "sync") // events are written in order
	warnings := 0
	for _, e := range events(t, w, "Ingress", "default", "web") {
		if e.Type == "Warning" {
			warnings += max(1, int(e.Count))
		}
	}
	if warnings != 1 {
		t.Errorf("there are %d warnings such as %q, want 1", warnings, problem.Message)
	}
	if n := logged(t, s, "default/web", "missing", "spec.rules[1]"); n != 1 {
		t.Errorf("the log has the problem %d times, want once", n)
	}
}

func TestStatusIsNotWrittenIfNotAskedFor(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 68, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	from := len(audit(t, w))
	s := w.launch(t, "--publish-status-address=192.0.2.1", "--update-status=false", "--disable-sync-events")
	w.Apply(t, web("bad", "bad.example.org", "missing").String())
	event(t, w, "Ingress", "default", "bad", "Warning", "missing")
	s.Stop(t)
	for _, a := range audit(t, w)[from:] {
		if a.ObjectRef.Subresource == "status" {
			t.Errorf("the controller wrote %s", a)
		}
	}
	for _, e := range events(t, w, "Ingress", "default", "web") {
		t.Errorf("event %s on an Ingress without a problem: %s", e.Reason, e.Message)
	}
}
