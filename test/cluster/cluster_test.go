package cluster

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func TestMain(m *testing.M) { os.Exit(Run(m.Run)) }

const slice = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [{addresses: [ADDRESS]}]
`

func TestControlPlane(t *testing.T) {
	c := Start(t)
	if err := c.TryApply(strings.Replace(slice, "ADDRESS", "127.0.0.1", 1)); err == nil {
		t.Error("a slice with a loopback address was accepted: this is not a real API server")
	}
	c.Apply(t, strings.Replace(slice, "ADDRESS", "10.244.0.9", 1))

	c.StopAPIServer()
	if err := c.TryApply(slice); err == nil {
		t.Error("the API server is stopped, and answers")
	}
	if err := c.StartAPIServer(); err != nil {
		t.Fatal(err)
	}
	if n := countSlices(t, c); n != 1 {
		t.Errorf("after a restart there are %d slices, want 1", n)
	}
	c.Wipe(t)
	if n := countSlices(t, c); n != 0 {
		t.Errorf("after a wipe there are %d slices, want none", n)
	}
}

func countSlices(t *testing.T, c *Cluster) int {
	t.Helper()
	l, err := c.Client.DiscoveryV1().EndpointSlices("").List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return len(l.Items)
}

// The controller's user must be refused what no controller needs: otherwise
// tests prove nothing about the rights it asks for.
func TestRightsAreEnforced(t *testing.T) {
	c := Start(t)
	config := rest.CopyConfig(c.Config)
	config.BearerToken = Controller
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := client.CoreV1().Secrets("default").Delete(ctx, "none", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("delete a Secret: %v, want forbidden", err)
	}
	if _, err := client.CoreV1().Services("default").Get(ctx, "none", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("get a Service: %v, want not found", err)
	}
	audit, err := c.Audit()
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, a := range audit {
		seen = append(seen, a.String())
	}
	want := []string{"delete /api/v1/namespaces/default/secrets/none 403", "get /api/v1/namespaces/default/services/none 404"}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("the audit log has %q, want %q", seen, want)
	}
}

func TestPrivateNetwork(t *testing.T) {
	for _, a := range []string{"10.244.77.3:80", "[fd00:10:244::77]:80"} {
		b := Echo(t, a, a)
		conn, err := net.Dial("tcp", a)
		if err != nil {
			t.Fatal(err)
		}
		r, err := roundTrip(conn, "a.example.org", "/x//y%2Fz?q", Request{})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := response(conn, r)
		if err != nil {
			t.Fatal(err)
		}
		if s := answer.Seen; s == nil || s.URI != "/x//y%2Fz?q" || s.Host != "a.example.org" || s.Local != a || b.Count() != 1 {
			t.Errorf("%s: seen %+v, %d requests", a, s, b.Count())
		}
	}
	if _, err := net.Dial("tcp", "10.244.77.4:80"); err == nil {
		t.Error("an address where nobody listens accepts connections")
	}
	if text, err := os.ReadFile("/etc/resolv.conf"); err != nil || !strings.Contains(string(text), "127.0.0.53") {
		t.Errorf("resolv.conf is not the test's: %q, %v", text, err)
	}
}

func TestDNS(t *testing.T) {
	d := StartDNS(t)
	d.Set(t, "web.example.org", "web.example.org. 1 IN A 10.244.1.1")
	got, err := (&net.Resolver{PreferGo: true}).LookupHost(context.Background(), "web.example.org")
	if err != nil || len(got) != 1 || got[0] != "10.244.1.1" {
		t.Errorf("web.example.org is %v, %v", got, err)
	}
	if _, err := net.LookupHost("other.example.org"); err == nil {
		t.Error("a name without records resolves")
	}
}
