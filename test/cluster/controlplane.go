package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// The users that the API server knows. Their tokens are their names.
const (
	Admin      = "admin"     // of system:masters
	Controller = "sallyport" // may do what rbac.yaml grants
	Stranger   = "stranger"  // nothing at all
)

// A Cluster is a real kube-apiserver over a real etcd, with RBAC and an audit
// log. There are no other parts: no pods run, and nobody makes EndpointSlices.
type Cluster struct {
	Config  *rest.Config // the admin's
	Client  kubernetes.Interface
	Dynamic dynamic.Interface
	// WebhookAuthority is the file of whoever signed the certificate that the
	// API server shows to webhooks.
	WebhookAuthority string

	dir       string
	port      int
	program   string
	etcdURL   string
	etcd      *process
	apiserver *process
}

// Start gives a control plane that ends with the test.
func Start(t T) *Cluster {
	t.Helper()
	c, err := Open()
	if err != nil {
		t.Fatalf("control plane: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("kube-apiserver's log:\n%s", tail(c.apiserver.text(c.apiserver.log), 20))
		}
		c.Close()
	})
	return c
}

// Open gives a control plane that ends with the process, if not by Close before.
func Open() (*Cluster, error) {
	if !Inside() {
		return nil, fmt.Errorf("no private network here: call cluster.Run from TestMain")
	}
	dir, err := os.MkdirTemp("", "kube-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, program: os.Getenv(apiserverVariable)}
	if err := c.open(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) open() error {
	if err := c.startEtcd(); err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	if err := c.prepareAPIServer(); err != nil {
		return err
	}
	if err := c.clients(); err != nil {
		return err
	}
	if err := c.StartAPIServer(); err != nil {
		return err
	}
	return c.grant()
}

func (c *Cluster) clients() (err error) {
	c.Config = &rest.Config{
		Host:            c.URL(),
		BearerToken:     Admin,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true},
		QPS:             -1, // no limit
		WarningHandler:  rest.NoWarnings{},
	}
	if c.Client, err = kubernetes.NewForConfig(c.Config); err != nil {
		return err
	}
	c.Dynamic, err = dynamic.NewForConfig(c.Config)
	return err
}

// grant creates what every real cluster has: the rights of the controller, and
// the namespace it lives in.
func (c *Cluster) grant() error {
	return c.apply(context.Background(), rbac)
}

// Close ends the control plane. Its data is gone.
func (c *Cluster) Close() {
	for _, p := range []*process{c.apiserver, c.etcd} {
		if p != nil {
			p.kill()
		}
	}
	os.RemoveAll(c.dir)
}

// URL is the API server's address.
func (c *Cluster) URL() string { return fmt.Sprintf("https://%s:%d", apiAddress, c.port) }

// Kubeconfig writes a kubeconfig for one of the users and gives its path.
func (c *Cluster) Kubeconfig(user string) (string, error) { return c.kubeconfig(user, user) }

// AccountKubeconfig is Kubeconfig for a service account that is there.
func (c *Cluster) AccountKubeconfig(namespace, name string) (string, error) {
	token, err := c.Client.CoreV1().ServiceAccounts(namespace).CreateToken(context.Background(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return c.kubeconfig(namespace+"-"+name, token.Status.Token)
}

func (c *Cluster) kubeconfig(user, token string) (string, error) {
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %[1]q, certificate-authority: %[3]q}}]
users: [{name: %[2]s, user: {token: %[4]s}}]
contexts: [{name: test, context: {cluster: test, user: %[2]s}}]
current-context: test
`, c.URL(), user, c.authority(), token)
	path := filepath.Join(c.dir, user+".kubeconfig")
	return path, os.WriteFile(path, []byte(text), 0o600)
}
