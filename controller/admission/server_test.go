package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
)

// deaf is an Observer that counts.
type deaf struct {
	judged, listens atomic.Int32
}

func (d *deaf) Judged(string, string, Judgement) { d.judged.Add(1) }
func (*deaf) Answered(time.Duration)             {}
func (d *deaf) Listening(yes bool) {
	if yes {
		d.listens.Add(1)
	}
}

func newServer(w *world) *Server {
	return New(Options{Judge: w.j, Observer: &deaf{}, Log: slog.New(slog.DiscardHandler)})
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// question is an AdmissionReview of an Ingress.
func question(t testing.TB, op admissionv1.Operation, ing *networkingv1.Ingress, change func(*admissionv1.AdmissionRequest)) []byte {
	t.Helper()
	r := admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{Kind: "AdmissionReview", APIVersion: "admission.k8s.io/v1"}}
	r.Request = &admissionv1.AdmissionRequest{UID: "u-1", Kind: ingressKind, Operation: op, Namespace: ing.Namespace, Name: ing.Name, Object: apiruntime.RawExtension{Raw: encode(t, ing)}}
	if change != nil {
		change(r.Request)
	}
	return encode(t, r)
}

func post(s *Server, body io.Reader) *httptest.ResponseRecorder {
	q := httptest.NewRequest(http.MethodPost, "/networking/v1/ingresses?timeout=10s", body)
	q.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, q)
	return w
}

func answered(t *testing.T, w *httptest.ResponseRecorder) *admissionv1.AdmissionResponse {
	t.Helper()
	var r admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != 200 || r.Response == nil || r.Response.UID != "u-1" || r.Request != nil ||
		r.Kind != "AdmissionReview" || r.APIVersion != "admission.k8s.io/v1" {
		t.Fatalf("answer %d %s (%v)", w.Code, w.Body, err)
	}
	return r.Response
}

func TestAnswers(t *testing.T) {
	first := want{name: "first", host: "a.example.org", path: "/"}
	bad := want{name: "bad", host: "a.example.org", path: "/", annotations: map[string]string{"frobnicate": "1"}}.ingress()
	dry := true
	for _, test := range []struct {
		name    string
		op      admissionv1.Operation
		change  func(*admissionv1.AdmissionRequest)
		refused string
		warned  string
	}{
		{"create", admissionv1.Create, nil, `Ingress default/bad: spec.rules[0].http.paths[0]: path "/" of host "a.example.org" belongs to Ingress default/first already`, "frobnicate"},
		{"create, dry", admissionv1.Create, func(r *admissionv1.AdmissionRequest) { r.DryRun = &dry }, "belongs to", "frobnicate"},
		{"update", admissionv1.Update, func(r *admissionv1.AdmissionRequest) {
			r.OldObject.Raw = encode(t, want{name: "bad", host: "b.example.org", path: "/"}.ingress())
		}, "belongs to", "frobnicate"},
		{"update that changes nothing", admissionv1.Update, func(r *admissionv1.AdmissionRequest) { r.OldObject = r.Object }, "", "belongs to"},
		{"update without what was", admissionv1.Update, nil, "belongs to", "frobnicate"},
		{"delete", admissionv1.Delete, func(r *admissionv1.AdmissionRequest) { r.Object.Raw = nil }, "", ""},
		{"connect", admissionv1.Connect, nil, "", ""},
		{"status", admissionv1.Update, func(r *admissionv1.AdmissionRequest) { r.SubResource = "status" }, "", ""},
		{"one that is being deleted", admissionv1.Update, func(r *admissionv1.AdmissionRequest) {
			gone := bad.DeepCopy()
			gone.DeletionTimestamp = &metav1.Time{Time: birth}
			r.Object.Raw = encode(t, gone)
		}, "", ""},
		{"another kind", admissionv1.Create, func(r *admissionv1.AdmissionRequest) { r.Kind = metav1.GroupVersionKind{Version: "v1", Kind: "Pod"} }, "", `"Pod"`},
		{"another version", admissionv1.Create, func(r *admissionv1.AdmissionRequest) { r.Kind.Version = "v1beta1" }, "", "v1beta1"},
		{"no object", admissionv1.Create, func(r *admissionv1.AdmissionRequest) { r.Object.Raw = nil }, "no Ingress", ""},
		{"null", admissionv1.Create, func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte("null") }, "no Ingress", ""},
		{"an array", admissionv1.Create, func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte("[]") }, "no Ingress", ""},
		{"numbers for texts", admissionv1.Create, func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte(`{"spec":{"rules":[{"host":3}]}}`) }, "no Ingress", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := answered(t, post(newServer(newWorld(options(), nil, first)), bytes.NewReader(question(t, test.op, bad, test.change))))
			refused := ""
			if r.Result != nil {
				refused = r.Result.Message
			}
			warned := strings.Join(r.Warnings, "\n")
			if r.Allowed != (test.refused == "") || !strings.Contains(refused, test.refused) || (test.warned == "") != (warned == "") || !strings.Contains(warned, test.warned) {
				t.Errorf("allowed %v, refused %q, warned %q; want %q and %q", r.Allowed, refused, warned, test.refused, test.warned)
			}
		})
	}
}

func TestWatchedNamespaceAlone(t *testing.T) {
	s := newServer(newWorld(options(), nil))
	s.o.Namespace = "shop"
	if r := answered(t, post(s, bytes.NewReader(question(t, admissionv1.Create, want{name: "x", path: "/("}.ingress(), nil)))); !r.Allowed {
		t.Error("an Ingress of a namespace that is not watched is refused")
	}
}

// What is no question has a status that says so, and the next one is answered.
func TestGarbage(t *testing.T) {
	s := newServer(newWorld(options(), nil))
	good := string(question(t, admissionv1.Create, want{name: "x", host: "a.example.org", path: "/"}.ingress(), nil))
	for name, test := range map[string]struct {
		body string
		want int
	}{
		"nothing":           {"", 400},
		"no JSON":           {"\x00\xff{", 400},
		"half":              {good[:len(good)/2], 400},
		"an array":          {"[]", 400},
		"null":              {"null", 400},
		"deep":              {strings.Repeat("[", 1<<20), 400},
		"deep in an object": {`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1","object":` + strings.Repeat(`{"a":`, 200000) + "1" + strings.Repeat("}", 200000) + "}}", 400},
		"v1beta1":           {strings.Replace(good, "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1), 400},
		"another kind":      {strings.Replace(good, `"AdmissionReview"`, `"ConversionReview"`, 1), 400},
		"no request":        {`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, 400},
		"no uid":            {strings.Replace(good, `"uid":"u-1"`, `"uid":""`, 1), 400},
		"a long uid":        {strings.Replace(good, `"uid":"u-1"`, `"uid":"`+strings.Repeat("u", 1<<20)+`"`, 1), 400},
		"two of them":       {good + good, 400},
	} {
		if w := post(s, strings.NewReader(test.body)); w.Code != test.want {
			t.Errorf("%s: %d %.200s, want %d", name, w.Code, w.Body, test.want)
		}
	}
	for name, change := range map[string]func(*http.Request){
		"GET":          func(q *http.Request) { q.Method = http.MethodGet },
		"another type": func(q *http.Request) { q.Header.Set("Content-Type", "text/yaml") },
		"no type":      func(q *http.Request) { q.Header.Del("Content-Type") },
	} {
		q := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(good))
		q.Header.Set("Content-Type", "application/json")
		change(q)
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, q); w.Code != 405 && w.Code != 415 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if r := answered(t, post(s, strings.NewReader(good))); !r.Allowed {
		t.Errorf("the one after it: %v", r.Result)
	}
}

// zeros is a body without end, and counts what is read of it.
type zeros struct{ read atomic.Int64 }

func (z *zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	z.read.Add(int64(len(p)))
	return len(p), nil
}

// A thousand bodies of 100 MB at once, half of which don't say how long they
// are: the memory for them is a constant.
func TestLargeBodies(t *testing.T) {
	s := newServer(newWorld(options(), nil))
	var all sync.WaitGroup
	var peak atomic.Uint64
	var source zeros
	var base runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&base)
	for i := range 1000 {
		all.Go(func() {
			q := httptest.NewRequest(http.MethodPost, "/?timeout=30s", io.LimitReader(&source, 100<<20))
			q.Header.Set("Content-Type", "application/json")
			if q.ContentLength = 100 << 20; i%2 == 0 {
				q.ContentLength = -1
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, q)
			if w.Code != http.StatusRequestEntityTooLarge && w.Code != http.StatusServiceUnavailable {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if i%50 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				for old := peak.Load(); m.HeapInuse > old && !peak.CompareAndSwap(old, m.HeapInuse); old = peak.Load() {
				}
			}
		})
	}
	all.Wait()
	t.Logf("read %d MB, heap at most %d MB", source.read.Load()>>20, peak.Load()>>20)
	if most := int64(500 * (maxBody + 1<<20)); source.read.Load() > most {
		t.Errorf("%d bytes were read, more than %d", source.read.Load(), most)
	}
	if grown := int64(peak.Load()) - int64(base.HeapInuse); grown > 8*bodies {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	if r := answered(t, post(s, bytes.NewReader(question(t, admissionv1.Create, want{name: "x", host: "a.example.org", path: "/"}.ingress(), nil)))); !r.Allowed {
		t.Errorf("the one after it: %v", r.Result)
	}
}

// A thousand right questions at once all get their answers.
func TestManyAtOnce(t *testing.T) {
	s := newServer(newWorld(options(), nil))
	var all sync.WaitGroup
	for i := range 1000 {
		body := question(t, admissionv1.Create, want{name: fmt.Sprint("i", i), host: fmt.Sprintf("h%d.example.org", i), path: "/"}.ingress(), nil)
		all.Go(func() {
			q := httptest.NewRequest(http.MethodPost, "/?timeout=30s", bytes.NewReader(body))
			q.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			if s.ServeHTTP(w, q); w.Code != 200 || !strings.Contains(w.Body.String(), `"allowed":true`) {
				t.Errorf("%d %.200s", w.Code, w.Body)
			}
		})
	}
	all.Wait()
}

// Objects that are small as text and large as values.
func TestHugeObjects(t *testing.T) {
	s := newServer(newWorld(options(), nil))
	list := func(open, one, end string, n int) string {
		return open + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + end
	}
	long := strings.Repeat("(a|b)*", 30000)
	for name, object := range map[string]string{
		"empty paths":  list(`{"spec":{"rules":[{"http":{"paths":[`, "{}", `]}}]}}`, 900_000),
		"null rules":   list(`{"spec":{"rules":[`, "null", `]}}`, 500_000),
		"many paths":   list(`{"spec":{"ingressClassName":"nginx","rules":[{"http":{"paths":[`, `{"path":"/a"}`, `]}}]}}`, 21_000),
		"many hosts":   list(`{"spec":{"ingressClassName":"nginx","rules":[`, `{"host":"a.b"}`, `]}}`, 21_000),
		"annotations":  `{"metadata":{"annotations":{"x":"` + strings.Repeat("x", 300<<10) + `"}},"spec":{"ingressClassName":"nginx"}}`,
		"beyond 3 MiB": `{"metadata":{"name":"` + strings.Repeat("x", 3<<20) + `"}}`,
	} {
		body := question(t, admissionv1.Create, want{name: "x"}.ingress(), func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte(object) })
		if r := answered(t, post(s, bytes.NewReader(body))); r.Allowed || !strings.Contains(r.Result.Message, "the object") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for _, key := range []string{"rewrite-target", "server-alias", "configuration-snippet", "whitelist-source-range", "auth-url", "canary-by-header-pattern", "server-snippet", "cors-allow-origin"} {
		ing := want{name: "x", host: "a.example.org", path: "/", annotations: map[string]string{key: long}}.ingress()
		start := time.Now()
		r := answered(t, post(s, bytes.NewReader(question(t, admissionv1.Create, ing, nil))))
		t.Logf("%s: %v, allowed %v", key, time.Since(start).Round(time.Millisecond), r.Allowed)
		if r.Result != nil && len(r.Result.Message) > 2*maxTold*maxLine {
			t.Errorf("%s: the answer has %d bytes", key, len(r.Result.Message))
		}
	}
}

// What holds all places answers others in time that they are too many.
func TestBusy(t *testing.T) {
	s := newServer(newWorld(options(), nil))
	if err := s.work.Acquire(context.Background(), judges()); err != nil {
		t.Fatal(err)
	}
	body := question(t, admissionv1.Create, want{name: "x", host: "a.example.org", path: "/"}.ingress(), nil)
	q := httptest.NewRequest(http.MethodPost, "/?timeout=10ms", bytes.NewReader(body))
	q.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, q); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	s.work.Release(judges())
	if r := answered(t, post(s, bytes.NewReader(body))); !r.Allowed {
		t.Error("the one after it is refused")
	}
	if !s.memory.TryAcquire(bodies) {
		t.Error("memory is still taken")
	}
}

// A panic of the build is one answer's, and not the process's.
func TestPanic(t *testing.T) {
	s := newServer(newWorld(options(), nil))
	s.o.Judge = nil
	body := question(t, admissionv1.Create, want{name: "x"}.ingress(), nil)
	if w := post(s, bytes.NewReader(body)); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !s.work.TryAcquire(judges()) {
		t.Error("the place is still taken")
	}
}

func FuzzReview(f *testing.F) {
	s := newServer(newWorld(options(), nil, want{name: "first", host: "a.example.org", path: "/"}))
	f.Add(question(f, admissionv1.Create, want{name: "x", host: "a.example.org", path: "/"}.ingress(), nil))
	f.Add([]byte(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if w := post(s, bytes.NewReader(body)); w.Code == http.StatusInternalServerError {
			t.Errorf("%s", w.Body)
		}
	})
}
