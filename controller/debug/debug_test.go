package debug

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
	"github.com/sallyport-ingress/sallyport/nginx"
)

const planted = "PLANTED-SECRET"

// config has a secret in each place of the model that may hold one.
func config(t *testing.T) *model.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "a.example.org"}, DNSNames: []string{"a.example.org"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	// What the build never lets through, this must not either.
	chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Headers: map[string]string{"x": planted}, Bytes: []byte(planted)})...)
	c := &model.Config{
		Servers: []model.Server{{}, {Host: "a.example.org"}, {Host: "b.example.org"}},
		Routes: map[model.RouteID]model.Route{"1": {
			Backend: "default/web/80", Namespace: "default", Ingress: "web", Host: "a.example.org", Path: "/",
		}},
		Backends:     map[model.BackendID]model.Backend{"default/web/80": {Endpoints: []model.Endpoint{{Address: netip.MustParseAddrPort("10.0.0.1:8080")}}}, "default/gone/http": {}},
		Certificates: map[model.CertificateID]model.Certificate{"c": {Chain: chain, Key: []byte(planted), Secret: model.Object{Namespace: "default", Name: "cert"}}},
		Hosts:        map[string]model.CertificateID{"a.example.org": "c", "*.example.net": "c"},
		Files:        map[model.FileID]model.File{"f": {Content: []byte(planted), Private: true}},
	}
	c.Settings.TicketKey = planted
	route := c.Routes["1"]
	route.Digest.Users = option.ListOf("joe:" + planted)
	route.Auth.Scope = planted
	c.Routes["1"] = route
	return c
}

func serve(t *testing.T, v View, err error) func(path string) (int, string) {
	handler := Handler(Options{
		View:   func(context.Context) (View, error) { return v, err },
		Status: func(context.Context) (nginx.Status, error) { return nginx.Status{Generation: "g", Workers: 2}, nil },
		Ready:  func() bool { return true },
	})
	return func(path string) (int, string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		body, err := io.ReadAll(w.Result().Body)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(body); strings.Contains(text, planted) || strings.Contains(text, "PRIVATE") {
			t.Errorf("%s gives a secret out: %s", path, text)
		}
		return w.Code, string(body)
	}
}

func TestAnswers(t *testing.T) {
	get := serve(t, View{Config: config(t), Conf: []byte("the file\n"), Generation: "g", Missing: map[model.BackendID]bool{"default/gone/http": true},
		Problems: []model.Problem{{Object: model.Object{Kind: "Ingress", Namespace: "default", Name: "web"}, Field: "f", Reason: "is wrong"}}}, nil)
	for path, want := range map[string]string{
		"/backends/names":                  "default-gone-http\ndefault-web-80\n",
		"/backends":                        `"noService": true`,
		"/backends/default-web-80":         `"address": "10.0.0.1"`,
		"/backends/default%2Fweb%2F80":     `"ingress": "default/web"`,
		"/backends/nobody":                 `404 there is no backend "nobody"`,
		"/backends/%00%ff":                 `404 there is no backend`,
		"/certs/a.example.org":             "# a.example.org: Secret default/cert\n# subject: CN=a.example.org\n",
		"/certs/A.example.ORG.":            "-----BEGIN CERTIFICATE-----",
		"/certs/x.example.net":             "# *.example.net: Secret default/cert",
		"/certs/b.example.org":             "404 b.example.org, by default has no certificate of its own",
		"/certs/_":                         "404 all other hosts has no certificate of its own",
		"/certs/nobody.example.com":        `404 no Ingress has the host "nobody.example.com"`,
		"/certs/x.y.example.net":           `404 no Ingress has the host`,
		"/certs/..%2F..%2Fetc%2Fshadow":    `404 no Ingress has the host`,
		"/conf":                            "the file\n",
		"/general":                         `"hosts": 3`,
		"/generation":                      `"workers": 2`,
		"/problems":                        "Ingress default/web: f: is wrong\n",
		"/files":                           "404 ",
		"/certs/" + strings.Repeat("a", 9): "404 ",
	} {
		code, text := get(path)
		if code != http.StatusOK {
			text = http.StatusText(code) + " " + text
			want = strings.Replace(want, "404", "Not Found", 1)
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: %s, want %q", path, text, want)
		}
	}
}

func TestNothingIsKnownYet(t *testing.T) {
	get := serve(t, View{}, nil)
	for _, path := range []string{"/backends", "/certs/a", "/general", "/conf"} {
		if code, text := get(path); code != http.StatusServiceUnavailable || !strings.Contains(text, "not read the cluster yet") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	get = serve(t, View{Config: config(t)}, nil)
	if code, text := get("/conf"); code != http.StatusNotFound || !strings.Contains(text, "nginx does not run") {
		t.Errorf("/conf without nginx: %d %s", code, text)
	}
	get = serve(t, View{}, errors.New("ended"))
	if code, _ := get("/backends"); code != http.StatusServiceUnavailable {
		t.Errorf("a controller that ended: %d", code)
	}
}
