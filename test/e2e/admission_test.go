package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A webhook is where Sallyport is asked, and with which certificate.
type webhook struct {
	w    *world
	port int
	dir  string
}

func newWebhook(t *testing.T, w *world) *webhook {
	t.Helper()
	port, err := cluster.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return &webhook{w, port, t.TempDir()}
}

func (h *webhook) args() []string {
	return []string{
		fmt.Sprintf("--validating-webhook=:%d", h.port),
		"--validating-webhook-certificate=" + filepath.Join(h.dir, "tls.crt"), "--validating-webhook-key=" + filepath.Join(h.dir, "tls.key"),
		"--validating-webhook-client-ca=" + h.w.cluster().WebhookAuthority,
	}
}

// certify writes a new certificate, and tells the API server of its authority.
func (h *webhook) certify(t *testing.T) {
	t.Helper()
	c := cluster.Issue(t, cluster.ECDSA, "localhost")
	for name, text := range map[string]string{"tls.key": c.Key, "tls.crt": c.Chain} {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.register(t, c.Authority())
}

func (h *webhook) register(t *testing.T, authority string) {
	t.Helper()
	all := h.w.cluster().Client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	url := fmt.Sprintf("https://localhost:%d/networking/v1/ingresses", h.port)
	fail, none := admissionv1.Fail, admissionv1.SideEffectClassNone
	hook := admissionv1.ValidatingWebhook{
		Name: "validate.nginx.ingress.kubernetes.io", FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
		ClientConfig: admissionv1.WebhookClientConfig{URL: &url, CABundle: []byte(authority)},
		Rules: []admissionv1.RuleWithOperations{{
			Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
			Rule:       admissionv1.Rule{APIGroups: []string{"networking.k8s.io"}, APIVersions: []string{"v1"}, Resources: []string{"ingresses"}},
		}},
	}
	config := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "sallyport"}, Webhooks: []admissionv1.ValidatingWebhook{hook}}
	ctx := context.Background()
	old, err := all.Get(ctx, config.Name, metav1.GetOptions{})
	if err == nil {
		config.ResourceVersion = old.ResourceVersion
		_, err = all.Update(ctx, config, metav1.UpdateOptions{})
	} else {
		_, err = all.Create(ctx, config, metav1.CreateOptions{})
		t.Cleanup(func() { h.unregister(t) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// unregister ends with an API server that asks nobody any more.
func (h *webhook) unregister(t *testing.T) {
	if err := h.w.cluster().Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(context.Background(), "sallyport", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	cluster.Eventually(t, "the API server asks no webhook", func() error { return h.dry(t, wrongSize) })
}

// dry creates an Ingress without storing it.
func (h *webhook) dry(t *testing.T, i ingress) error {
	t.Helper()
	_, err := h.create(t, i, []string{metav1.DryRunAll})
	return err
}

// create gives the API server's warnings.
func (h *webhook) create(t *testing.T, i ingress, dry []string) ([]string, error) {
	t.Helper()
	config := rest.CopyConfig(h.w.cluster().Config)
	var heard warnings
	config.WarningHandler = &heard
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	all, err := cluster.Objects(i.String())
	if err != nil {
		t.Fatal(err)
	}
	body, err := all[0].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	q := client.NetworkingV1().RESTClient().Post().Namespace(all[0].GetNamespace()).Resource("ingresses").Body(body).SetHeader("Content-Type", "application/json")
	for _, d := range dry {
		q = q.Param("dryRun", d)
	}
	err = q.Do(context.Background()).Error()
	return heard.all, err
}

type warnings struct{ all []string }

func (w *warnings) HandleWarningHeader(_ int, _, text string) { w.all = append(w.all, text) }

// live waits until the API server asks the webhook, and gets answers.
func (h *webhook) live(t *testing.T) {
	t.Helper()
	cluster.Eventually(t, "the webhook refuses", func() error {
		if err := h.dry(t, wrongSize); err == nil || !strings.Contains(err.Error(), "denied the request") {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
}

var wrongSize = ingress{
	name: "probe", rules: []string{rule("Prefix", "probe.example.org", "/", "web")},
	annotations: map[string]string{"nginx.ingress.kubernetes.io/proxy-body-size": "8 elephants"},
}

func refuses(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("stored, want it refused for %q", words)
		return
	}
	for _, w := range append(words, `admission webhook "validate.nginx.ingress.kubernetes.io" denied the request: `) {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("refused with %q, want %q in it", err, w)
		}
	}
}

func TestAdmission(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 1, "web")
	h := newWebhook(t, w)
	h.certify(t)
	h.unready(t)
	s := w.launch(t, h.args()...)
	h.live(t)

	// Refused, with what is wrong where and why; and nothing of it is stored.
	_, err := h.create(t, wrongSize, nil)
	refuses(t, err, `Ingress default/probe: nginx.ingress.kubernetes.io/proxy-body-size: "8 elephants"`)
	web := ingress{name: "web", rules: []string{rule("Prefix", "a.example.org", "/", "web")}}
	old := s.Workers()
	if heard, err := h.create(t, web, nil); err != nil || len(heard) > 0 {
		t.Fatalf("%v %q", err, heard)
	}
	becomes(t, s, "http://a.example.org/", "web")
	gone(t, s, old)
	twin := web
	twin.name = "twin"
	_, err = h.create(t, twin, nil)
	refuses(t, err, `path "/" of host "a.example.org" belongs to Ingress default/web already`)
	_, err = h.create(t, ingress{name: "regex", rules: []string{rule("Prefix", "b.example.org", "/v(/|$)(.*)", "web")}}, nil)
	refuses(t, err, "spec.rules[0].http.paths[0].path", "can't be used with pathType Prefix")
	refuses(t, w.cluster().TryApply(strings.Replace(web.String(), "test: e2e", `nginx.ingress.kubernetes.io/ssl-redirect: "perhaps"`, 1)), "ssl-redirect", "perhaps")
	expect(t, s, "http://a.example.org/", "web")

	// Taken: a canary, another class, and with a warning what has no effect.
	canary := twin
	canary.annotations = map[string]string{"nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": "0"}
	if heard, err := h.create(t, canary, nil); err != nil || len(heard) > 0 {
		t.Errorf("a canary: %v %q", err, heard)
	}
	other := wrongSize
	other.name, other.class = "other", "other"
	if _, err := h.create(t, other, nil); err != nil {
		t.Errorf("another class: %v", err)
	}
	heard, err := h.create(t, ingress{name: "typo", rules: []string{rule("Prefix", "c.example.org", "/", "wbe")}}, nil)
	if err != nil || !strings.Contains(strings.Join(heard, ""), "Service default/wbe does not exist") {
		t.Errorf("a warning: %v %q", err, heard)
	}
	w.Delete(t, "Ingress", "default", "typo")

	// A new certificate of a new authority, while it runs.
	h.certify(t)
	h.live(t)
	text := metricsOf(t, s)
	for name, value := range map[string]string{
		"admission_listening": "1", "admission_tested_ingresses": "[1-9]", "admission_tested_duration": ".*[1-9]", "admission_render_ingresses": "[1-9]",
		"admission_render_duration": ".*[1-9]", "admission_config_size": "[1-9]", "admission_roundtrip_duration": ".*[1-9]", "check_success": "[1-9]", "check_errors": "[1-9]",
	} {
		if !regexp.MustCompile(`(?m)^nginx_ingress_controller_` + name + `\{.*\} ` + value).MatchString(text) {
			t.Errorf("metric %s is not %s", name, value)
		}
	}
}

// unready: while nobody listens, failurePolicy decides.
func (h *webhook) unready(t *testing.T) {
	t.Helper()
	cluster.Eventually(t, "the API server asks in vain", func() error {
		if err := h.dry(t, wrongSize); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
}

func metricsOf(t *testing.T, s *cluster.Sallyport) string {
	t.Helper()
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.Health))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// CVE-2025-1974: the webhook ran nginx for whoever asked, from the pods' network.
func TestAdmissionAnswersTheAPIServerAlone(t *testing.T) {
	w := inCluster(t)
	h := newWebhook(t, w)
	h.certify(t)
	w.launch(t, h.args()...)
	h.live(t)
	stranger := cluster.Issue(t, cluster.ECDSA, "kube-apiserver")
	pair, err := tls.X509KeyPair([]byte(stranger.Chain), []byte(stranger.Key))
	if err != nil {
		t.Fatal(err)
	}
	for name, certificates := range map[string][]tls.Certificate{"nobody": nil, "a stranger of that name": {pair}} {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certificates}}}
		r, err := client.Post(fmt.Sprintf("https://localhost:%d/", h.port), "application/json", strings.NewReader("{}"))
		if err == nil {
			r.Body.Close()
			t.Errorf("%s: answered with %d", name, r.StatusCode)
		} else if !strings.Contains(err.Error(), "tls: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	conn, err := tls.Dial("tcp", fmt.Sprintf("localhost:%d", h.port), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// A webhook that can't have its port stops nothing, and gets it once it is free.
func TestAdmissionPortTaken(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 1, "web")
	w.Apply(t, ingress{name: "web", rules: []string{rule("Prefix", "a.example.org", "/", "web")}}.String())
	h := newWebhook(t, w)
	taken, err := net.Listen("tcp", fmt.Sprintf(":%d", h.port))
	if err != nil {
		t.Fatal(err)
	}
	s := w.launch(t, h.args()...)
	expect(t, s, "http://a.example.org/", "web")
	logged(t, s, "level=ERROR", "the admission webhook does not listen", "address already in use")
	taken.Close()
	logged(t, s, "the admission webhook listens")
	logged(t, s, "level=INFO", "callers verified")
	h.certify(t)
	h.live(t)
}

// A thousand bodies of 100 MB at once from anybody: traffic goes on, in a
// bounded memory, and whoever asks afterwards is answered.
// CVE-2026-24514: its memory was as large as what it was sent.
func TestAdmissionFlood(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 1, "web")
	w.Apply(t, ingress{name: "web", rules: []string{rule("Prefix", "a.example.org", "/", "web")}}.String())
	h := newWebhook(t, w)
	h.certify(t)
	s := w.launch(t, h.args()[:3]...) // callers are not verified
	h.live(t)
	load := s.StartLoad(t, "http://a.example.org/", 4)
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() { h.flood(i%20 == 0) })
	}
	all.Wait()
	if n, failures := load.Stop(); n == 0 || len(failures) > 0 {
		t.Errorf("%d requests, failures: %v", n, failures)
	}
	if kb := highest(t, s.Pid()); kb > 700<<10 {
		t.Errorf("the controller has taken %d MB", kb>>10)
	} else {
		t.Logf("the controller has taken %d MB at most", kb>>10)
	}
	h.live(t)
}

// flood sends one large body as far as it is taken.
func (h *webhook) flood(chunked bool) {
	body := io.LimitReader(endless{}, 100<<20)
	q, err := http.NewRequest(http.MethodPost, fmt.Sprintf("https://localhost:%d/", h.port), body)
	if err != nil {
		return
	}
	q.Header.Set("Content-Type", "application/json")
	if q.ContentLength = 100 << 20; chunked {
		q.ContentLength = -1
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	if r, err := client.Do(q); err == nil {
		r.Body.Close()
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// highest is the most memory that a process had, in kB.
func highest(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	kb := 0
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, _ = fmt.Sscan(rest, &kb)
		}
	}
	if kb == 0 {
		t.Fatal("no VmHWM")
	}
	return kb
}
