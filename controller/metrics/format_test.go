package metrics

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	names "github.com/prometheus/common/model"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// families reads what a scrape gave as Prometheus does.
func families(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(names.LegacyValidation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(scrape(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// certificate makes one whose issuer's names hold these bytes.
func certificate(t *testing.T, serial int64, issuer pkix.Name) model.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: issuer, DNSNames: []string{"a.example.org"},
		NotBefore: time.Unix(1700000000, 0), NotAfter: time.Unix(1800000000, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return model.Certificate{
		Chain:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Secret: model.Object{Kind: "Secret", Namespace: "shop", Name: "tls"},
	}
}

func full(t *testing.T) *Metrics {
	m := New(options(&fakeNginx{series: []nginx.Series{series("a", "200", 1)}}))
	m.Leader("id", true)
	m.Reloaded(true, time.Now(), time.Second)
	m.Live("Ingress", time.Second)
	m.Ingresses([]Ingress{{Namespace: "a", Name: "b", Changed: true, Orphan: "no-service"}, {Namespace: "a", Name: "c", Changed: true, Problem: true}}, 1, 0)
	m.Certificates(map[string]model.Certificate{"a.example.org": certificate(t, 1, pkix.Name{})})
	return m
}

// Dashboards ask for names, types and labels: a change of any is a break.
func TestNamesTypesAndLabels(t *testing.T) {
	var lines []string
	for name, family := range families(t, full(t)) {
		short, ours := strings.CutPrefix(name, prefix+"_")
		if !ours {
			continue
		}
		var labels []string
		for _, pair := range family.Metric[0].Label {
			labels = append(labels, pair.GetName())
		}
		slices.Sort(labels)
		if family.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
		lines = append(lines, short+" "+strings.ToLower(family.GetType().String())+" "+strings.Join(labels, ","))
	}
	slices.Sort(lines)
	golden := filepath.Join("testdata", "names.golden")
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), lines); diff != "" {
		t.Errorf("%s is not what a scrape gives, -want +got:\n%s", golden, diff)
	}
}

func TestTheUsualCollectorsAreThere(t *testing.T) {
	all := families(t, full(t))
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total", "promhttp_metric_handler_requests_in_flight"} {
		if all[name] == nil {
			t.Errorf("no %s", name)
		}
	}
}

func TestCertificatesThatSayAnything(t *testing.T) {
	m := New(options(&fakeNginx{}))
	shared := certificate(t, 7, pkix.Name{
		CommonName: "quote\" and\nline", Organization: []string{"Ümlaut"}, SerialNumber: "abc",
	})
	m.Certificates(map[string]model.Certificate{
		"": shared, "a.example.org": shared, "*.example.org": certificate(t, 8, pkix.Name{}),
		"empty.example.org": {}, "broken.example.org": {Chain: []byte("no PEM")},
		"der.example.org": {Chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1, 2, 3}})},
	})
	for range 2 { // from the second on without parsing
		got := map[string]string{}
		for _, one := range families(t, m)[prefix+"_ssl_certificate_info"].Metric {
			labels := map[string]string{}
			for _, pair := range one.Label {
				labels[pair.GetName()] = pair.GetValue()
			}
			got[labels["host"]] = strings.Join([]string{labels["identifier"], labels["issuer_common_name"], labels["issuer_organization"],
				labels["namespace"], labels["secret_name"], labels["public_key_algorithm"]}, "|")
		}
		first := "abc-7|quote\" and\nline|Ümlaut|shop|tls|ECDSA"
		want := map[string]string{"_": first, "a.example.org": first, "*.example.org": "-8|||shop|tls|ECDSA"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	m.Certificates(nil)
	if families(t, m)[prefix+"_ssl_expire_time_seconds"] != nil {
		t.Error("certificates of hosts that are gone stay")
	}
	if len(m.certificates.leaves) != 0 {
		t.Error("parsed certificates are kept for ever")
	}
}

// What can't be (a counter that shrank, other bounds, a NaN) costs no scrape.
func TestHostileSeries(t *testing.T) {
	odd := series("a\xff\n\"", "200", 3)
	odd.Path = "/\xc3\x28"
	odd.RequestSize.Buckets = []float64{1}
	odd.ResponseSize.Buckets = nil
	odd.BytesSent.Count = -1
	n := &fakeNginx{series: []nginx.Series{odd, series("b", "200", 2)}}
	m := New(options(n))
	all := families(t, m)
	if got := len(all[prefix+"_requests"].GetMetric()); got != 2 {
		t.Errorf("%d series of requests, want 2", got)
	}
	if got := len(all[prefix+"_request_size"].GetMetric()); got != 1 {
		t.Errorf("%d series of request_size, want 1", got)
	}
	// nginx starts again from nothing: a reset, which Prometheus knows how to read.
	n.series = []nginx.Series{series("b", "200", 1)}
	if got := families(t, m)[prefix+"_requests"].GetMetric(); len(got) != 1 || got[0].GetCounter().GetValue() != 1 {
		t.Errorf("after a restart: %v", got)
	}
}
