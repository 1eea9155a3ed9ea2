package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// A requestError is one of whoever called, with the HTTP status that says so.
type requestError struct {
	status int
	text   string
}

func (e *requestError) Error() string { return e.text }

// review answers the body of one request. Its error is one of HTTP: there is no
// answer, and the webhook's failurePolicy decides.
func (s *Server) review(body []byte) ([]byte, error) {
	var r admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, &requestError{http.StatusBadRequest, fmt.Sprintf("no AdmissionReview: %.200s", err)}
	}
	if r.Kind != "AdmissionReview" || r.APIVersion != admissionv1.SchemeGroupVersion.String() {
		return nil, &requestError{http.StatusBadRequest, fmt.Sprintf("%.80q of %.80q is not AdmissionReview of %q", r.Kind, r.APIVersion, admissionv1.SchemeGroupVersion)}
	}
	if r.Request == nil || r.Request.UID == "" || len(r.Request.UID) > 128 {
		return nil, &requestError{http.StatusBadRequest, "the AdmissionReview has no request with a uid"}
	}
	response, err := s.answer(r.Request)
	if err != nil {
		return nil, err
	}
	response.UID = r.Request.UID
	r.Request, r.Response = nil, response
	return json.Marshal(&r)
}

var ingressKind = metav1.GroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("Ingress"))

// answer decides what is judged at all.
func (s *Server) answer(q *admissionv1.AdmissionRequest) (*admissionv1.AdmissionResponse, error) {
	allowed := &admissionv1.AdmissionResponse{Allowed: true}
	switch {
	case q.Kind != ingressKind:
		allowed.Warnings = []string{fmt.Sprintf("sallyport judges %s of %s alone, and %.80q of %.80q passes", ingressKind.Kind, networkingv1.SchemeGroupVersion, q.Kind.Kind, q.Kind.Group+"/"+q.Kind.Version)}
		return allowed, nil
	case q.Operation != admissionv1.Create && q.Operation != admissionv1.Update, q.SubResource != "":
		return allowed, nil
	}
	ing, err := decode(q.Object.Raw)
	if err != nil {
		return refused(fmt.Sprintf("no Ingress: %.200s", err)), nil
	}
	if ing.DeletionTimestamp != nil || s.o.Namespace != "" && q.Namespace != s.o.Namespace {
		return allowed, nil
	}
	if q.Name != "" { // not yet known where one is generated
		ing.Name = q.Name
	}
	ing.Namespace = q.Namespace
	var old *networkingv1.Ingress
	if q.Operation == admissionv1.Update {
		if old, err = decode(q.OldObject.Raw); err != nil {
			old = nil // then nothing of it excuses anything
		} else {
			old.Namespace, old.Name = ing.Namespace, ing.Name
		}
	}
	return s.judge(ing, old)
}

func (s *Server) judge(ing, old *networkingv1.Ingress) (*admissionv1.AdmissionResponse, error) {
	j, err := s.o.Judge.Judge(ing, old)
	if errors.Is(err, errUnready) {
		return nil, &requestError{http.StatusServiceUnavailable, err.Error()}
	}
	if err != nil {
		return nil, err
	}
	if !j.Ours {
		return &admissionv1.AdmissionResponse{Allowed: true}, nil
	}
	s.o.Observer.Judged(ing.Namespace, ing.Name, j)
	if len(j.Refused) > 0 {
		s.o.Log.Info("refused an Ingress", "ingress", ing.Namespace+"/"+ing.Name, "problem", told(j.Refused[0]), "problems", len(j.Refused))
		r := refused(strings.Join(tell(j.Refused), "; "))
		r.Warnings = tell(j.Warned)
		return r, nil
	}
	return &admissionv1.AdmissionResponse{Allowed: true, Warnings: tell(j.Warned)}, nil
}

// refused is the answer with the status that ingress-nginx had.
func refused(text string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusBadRequest, Reason: metav1.StatusReasonBadRequest, Message: text,
	}}
}

// tell words problems, each with its object and field.
func tell(problems []model.Problem) []string {
	var all []string
	for i, p := range problems {
		if i == maxTold {
			return append(all, fmt.Sprintf("and %d more", len(problems)-maxTold))
		}
		all = append(all, told(p))
	}
	return all
}

// told is one problem in a line. A header may have to carry it.
func told(p model.Problem) string {
	text := p.Object.String() + ": "
	if p.Field != "" {
		text += p.Field + ": "
	}
	text += p.Reason
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	quoted := strconv.QuoteToGraphic(text)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}

// timeout is how long whoever asks waits, less what the way back takes.
func timeout(q *http.Request) time.Duration {
	d, err := time.ParseDuration(q.URL.Query().Get("timeout"))
	if err != nil || d <= 0 {
		return usualTimeout
	}
	return min(d, mostTimeout) * 9 / 10
}
