package cluster

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// rbac is what the controller may do, and its namespace.
//
//go:embed rbac.yaml
var rbac string

const (
	// apiAddress is in the API server's own certificate, which a loopback address isn't.
	apiAddress = "10.244.255.254"
	users      = "admin,admin,1,system:masters\nsallyport,sallyport,2\nstranger,stranger,3\n"
	// The audit log has who asked for Secrets and ConfigMaps, and how.
	auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  users: [sallyport]
- level: Metadata
  userGroups: [system:serviceaccounts]
- level: None
`
	// Who the API server says it is when it asks a webhook.
	webhookPlugin = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ValidatingAdmissionWebhook
  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: %q}
`
	webhookUser = `apiVersion: v1
kind: Config
users: [{name: "*", user: {client-certificate: %q, client-key: %q}}]
`
)

func (c *Cluster) prepareAPIServer() (err error) {
	if c.port, err = FreePort(); err != nil {
		return err
	}
	key, err := serviceAccountKey()
	if err != nil {
		return err
	}
	caller, err := issue(ECDSA, []string{"kube-apiserver"})
	if err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(c.dir, name) }
	c.WebhookAuthority = in("webhook-ca.crt")
	for name, text := range map[string]string{
		"webhook-ca.crt": caller.Authority(), "webhook.crt": caller.Chain, "webhook.key": caller.Key,
		"admission.yaml":     fmt.Sprintf(webhookPlugin, in("webhook.kubeconfig")),
		"webhook.kubeconfig": fmt.Sprintf(webhookUser, in("webhook.crt"), in("webhook.key")),
		"sa.key":             key, "users.csv": users, "audit.yaml": auditPolicy,
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// StartAPIServer starts the API server, again after StopAPIServer with the same
// address and data, and waits until it is ready.
func (c *Cluster) StartAPIServer() (err error) {
	in := func(name string) string { return filepath.Join(c.dir, name) }
	c.apiserver, err = start(in("apiserver.log"), c.program,
		"--etcd-servers="+c.etcdURL, "--bind-address="+apiAddress, "--secure-port="+strconv.Itoa(c.port), "--cert-dir="+in("certs"),
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",
		"--disable-admission-plugins=ServiceAccount", // nobody here makes service accounts
		"--authorization-mode=RBAC", "--token-auth-file="+in("users.csv"),
		"--service-account-key-file="+in("sa.key"), "--service-account-signing-key-file="+in("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--audit-policy-file="+in("audit.yaml"), "--audit-log-path="+in("audit.log"), "--audit-log-mode=blocking",
		"--admission-control-config-file="+in("admission.yaml"), "--max-requests-inflight=3000", "--max-mutating-requests-inflight=1500", "--profiling=false")
	if err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	err = await(func() error {
		if c.apiserver.ended() {
			return nil
		}
		return c.Client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(context.Background()).Error()
	})
	if c.apiserver.ended() {
		err = fmt.Errorf("ended: %s", c.apiserver.status())
	}
	if err != nil {
		return fmt.Errorf("kube-apiserver: %w\n%s\netcd: %s", err, tail(c.apiserver.text(c.apiserver.log), 10), tail(c.etcd.text(c.etcd.log), 5))
	}
	return nil
}

// authority is the file with the certificate that the API server made itself.
func (c *Cluster) authority() string { return filepath.Join(c.dir, "certs", "apiserver.crt") }

// StopAPIServer takes the API server away, without a word to its clients.
func (c *Cluster) StopAPIServer() { c.apiserver.kill() }

// Audit gives what the controller has asked the API server for, as "verb
// request-URI status", in the order in which requests ended.
func (c *Cluster) Audit() ([]AuditEntry, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, "audit.log"))
	if err != nil {
		return nil, err
	}
	return parseAudit(strings.TrimSpace(string(text)))
}

func serviceAccountKey() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	block := pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return string(pem.EncodeToMemory(&block)), nil
}
