package status

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ktesting "k8s.io/client-go/testing"
)

func replica(name string) *url.URL {
	return &url.URL{Scheme: "sallyport", Host: "sallyport", Path: "/" + name}
}

// signed is a certificate of a replica, or of somebody else where owner is nil.
func signed(t *testing.T, owner *url.URL, until time.Time) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: until, DNSNames: []string{"x"}}
	if owner != nil {
		c.URIs = []*url.URL{owner}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

func bundleOf(all ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range all {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

func configuration(bundle []byte) *admissionv1.ValidatingWebhookConfiguration {
	asked := "https://[fd00::1]:8443/x"
	return &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "edge"},
		Webhooks: []admissionv1.ValidatingWebhook{
			{Name: "a", ClientConfig: admissionv1.WebhookClientConfig{CABundle: bundle, Service: &admissionv1.ServiceReference{Namespace: "edge", Name: "admission"}}},
			{Name: "b", ClientConfig: admissionv1.WebhookClientConfig{CABundle: bundle, URL: &asked}},
		},
	}
}

// published has the first replica publish its certificates.
func published(t *testing.T, l *lab, mine ...*x509.Certificate) ([]string, error) {
	t.Helper()
	var asked []string
	trust := New(Options{Client: l, Namespace: "sallyport", PodName: "one", Log: slog.New(slog.NewTextHandler(l.log, nil))}).Trust("edge", replica("one"))
	err := trust.Publish(t.Context(), func(hosts []string) ([]*x509.Certificate, error) {
		asked = hosts
		return mine, nil
	})
	return asked, err
}

func (l *lab) bundles() [][]*x509.Certificate {
	c, err := l.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(context.Background(), "edge", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return [][]*x509.Certificate{certificates(c.Webhooks[0].ClientConfig.CABundle), certificates(c.Webhooks[1].ClientConfig.CABundle)}
}

func TestTrustTouchesOnlyWhatIsGone(t *testing.T) {
	year := time.Now().Add(365 * 24 * time.Hour)
	foreign, alive, gone := signed(t, nil, time.Now().Add(-time.Hour)), signed(t, replica("two"), year), signed(t, replica("three"), year)
	expired, elsewhere := signed(t, replica("two"), time.Now().Add(-time.Minute)), signed(t, &url.URL{Scheme: "sallyport", Host: "other", Path: "/four"}, year)
	before, mine := signed(t, replica("one"), year), signed(t, replica("one"), year)
	old := append([]byte("# a word\n"), bundleOf(foreign, alive, gone, expired, elsewhere, before)...)
	l := newLab(t, configuration(old), pod("two", nil))
	asked, err := published(t, l, mine)
	if err != nil || strings.Join(asked, " ") != "admission.edge.svc fd00::1" {
		t.Fatalf("asked for %q, %v", asked, err)
	}
	for i, got := range l.bundles() {
		if want := []*x509.Certificate{foreign, alive, elsewhere, mine}; !slices.EqualFunc(got, want, (*x509.Certificate).Equal) {
			t.Errorf("webhook %d has %d certificates, want %d", i, len(got), len(want))
		}
	}
	// What is as it should be is not written again.
	l.ClearActions()
	if _, err := published(t, l, mine); err != nil || len(l.Actions()) != 1 {
		t.Errorf("%v, %v", l.Actions(), err)
	}
	// Who ends takes only its own back.
	if _, err := published(t, l); err != nil || len(l.bundles()[0]) != 3 {
		t.Errorf("%d left, %v", len(l.bundles()[0]), err)
	}
}

// Replicas that start together don't undo each other's writes.
func TestTrustTriesAgainAfterAConflict(t *testing.T) {
	year := time.Now().Add(365 * 24 * time.Hour)
	other, mine := signed(t, replica("two"), year), signed(t, replica("one"), year)
	l := newLab(t, configuration(nil), pod("two", nil))
	conflicts := 0
	l.PrependReactor("update", "validatingwebhookconfigurations", func(ktesting.Action) (bool, runtime.Object, error) {
		if conflicts++; conflicts > 1 {
			return false, nil, nil
		}
		if err := l.Tracker().Update(schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}, configuration(bundleOf(other)), ""); err != nil {
			t.Fatal(err)
		}
		return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "validatingwebhookconfigurations"}, "edge", errors.New("too late"))
	})
	if _, err := published(t, l, mine); err != nil || len(l.bundles()[0]) != 2 {
		t.Errorf("%d certificates, %v", len(l.bundles()[0]), err)
	}
}

// A pod that may not be looked up is not taken for gone.
func TestTrustWithoutRights(t *testing.T) {
	year := time.Now().Add(365 * 24 * time.Hour)
	other, mine := signed(t, replica("two"), year), signed(t, replica("one"), year)
	l := newLab(t, configuration(bundleOf(other)))
	l.refuse("get", "pods", func(ktesting.Action) error { return forbidden("pods") })
	if _, err := published(t, l, mine); err != nil || len(l.bundles()[0]) != 2 {
		t.Errorf("%d certificates, %v", len(l.bundles()[0]), err)
	}
	l.refuse("get", "validatingwebhookconfigurations", func(ktesting.Action) error { return forbidden("validatingwebhookconfigurations") })
	if _, err := published(t, l, mine); err == nil || l.log.count("permission is missing") != 1 {
		t.Errorf("%v", err)
	}
}
