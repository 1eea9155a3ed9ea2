package status

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// Trust is whom API servers believe when they ask the webhooks of one
// ValidatingWebhookConfiguration: its caBundles. Each replica has the
// certificates there that it made itself, and touches nobody else's but those of
// replicas that are gone.
type Trust struct {
	*Writer
	name  string
	owner *url.URL // of this replica's certificates
}

// Trust is for the configuration of a name. What certificates say of their owner
// is a URI with the host and path of owner's: a namespace and a pod.
func (w *Writer) Trust(name string, owner *url.URL) *Trust { return &Trust{w, name, owner} }

// Publish has this replica's certificates, which mine is asked for, in each
// caBundle.
func (t *Trust) Publish(ctx context.Context, mine func(hosts []string) ([]*x509.Certificate, error)) error {
	all := t.o.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := all.Get(ctx, t.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		certificates, err := mine(hosts(live))
		if err != nil {
			return err
		}
		if !t.put(ctx, live, certificates) {
			return nil
		}
		_, err = all.Update(ctx, live, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.permissions.refused(err, "get, update validatingwebhookconfigurations "+t.name)
		return fmt.Errorf("ValidatingWebhookConfiguration %s: %w", t.name, err)
	}
	return nil
}

// hosts are the names under which an API server asks.
func hosts(c *admissionv1.ValidatingWebhookConfiguration) []string {
	var all []string
	for _, hook := range c.Webhooks {
		switch where := hook.ClientConfig; {
		case where.Service != nil:
			all = append(all, where.Service.Name+"."+where.Service.Namespace+".svc")
		case where.URL != nil:
			if u, err := url.Parse(*where.URL); err == nil && u.Hostname() != "" {
				all = append(all, u.Hostname())
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// put changes the caBundles of c, and says whether that is worth writing: where
// this replica's certificates are as they should be, others' are left alone.
func (t *Trust) put(ctx context.Context, c *admissionv1.ValidatingWebhookConfiguration, mine []*x509.Certificate) bool {
	var stale []int
	for i, hook := range c.Webhooks {
		if !slices.EqualFunc(t.own(certificates(hook.ClientConfig.CABundle)), mine, (*x509.Certificate).Equal) {
			stale = append(stale, i)
		}
	}
	if len(stale) == 0 {
		return false
	}
	gone := t.gone(ctx)
	for _, i := range stale {
		client := &c.Webhooks[i].ClientConfig
		client.CABundle = t.bundle(client.CABundle, mine, gone, time.Now())
	}
	return true
}

// gone says whether there is no pod of a name any more. Pods are not told by
// labels, which may differ between two versions of a Deployment. What cannot be
// found out is not so.
func (t *Trust) gone(ctx context.Context) func(name string) bool {
	known := map[string]bool{}
	return func(name string) bool {
		if _, ok := known[name]; !ok {
			_, err := t.o.Client.CoreV1().Pods(t.owner.Host).Get(ctx, name, metav1.GetOptions{})
			known[name] = apierrors.IsNotFound(err)
		}
		return known[name]
	}
}

// bundle is an old one without what is this replica's, has expired, or is of a
// pod that is gone; and then mine. What no replica made stays: somebody put it
// there.
func (t *Trust) bundle(old []byte, mine []*x509.Certificate, gone func(string) bool, now time.Time) []byte {
	var b bytes.Buffer
	write := func(c *x509.Certificate) {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a Buffer takes all
	}
	for _, c := range certificates(old) {
		owner := t.ownerOf(c)
		switch {
		case owner == nil:
		case *owner == *t.owner, now.After(c.NotAfter), owner.Host == t.owner.Host && gone(podOf(owner)):
			continue
		}
		write(c)
	}
	for _, c := range mine {
		write(c)
	}
	return b.Bytes()
}

// own are those of this replica.
func (t *Trust) own(all []*x509.Certificate) []*x509.Certificate {
	return slices.DeleteFunc(all, func(c *x509.Certificate) bool {
		owner := t.ownerOf(c)
		return owner == nil || *owner != *t.owner
	})
}

// ownerOf is the replica that made a certificate, nil where none did.
func (t *Trust) ownerOf(c *x509.Certificate) *url.URL {
	for _, u := range c.URIs {
		if u.Scheme == t.owner.Scheme {
			return u
		}
	}
	return nil
}

func podOf(owner *url.URL) string { return strings.TrimPrefix(owner.Path, "/") }

// certificates are those of a PEM text. What is none is left out.
func certificates(text []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return all
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			all = append(all, c)
		}
	}
}
