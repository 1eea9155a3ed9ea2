package metrics

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestAdmission(t *testing.T) {
	m := New(options(&fakeNginx{}))
	m.Listening(true)
	m.Ingresses([]Ingress{{Namespace: "a", Name: "stored", Changed: true}}, 0, 0)
	m.Judged(Admission{Namespace: "a", Name: "right", Built: 3, Building: 2 * time.Millisecond, Rendered: 1000, Render: time.Millisecond})
	m.Judged(Admission{Namespace: "a", Name: "wrong", Refused: true, Built: 2, Building: 4 * time.Millisecond, Rendered: 2000, Render: 3 * time.Millisecond})
	m.Answered(5 * time.Millisecond)
	text := scrape(t, m)
	for name, value := range map[string]string{
		"tested_ingresses": "2", "tested_duration": "0.004", "render_ingresses": "2", "render_duration": "0.003",
		"config_size": "2000", "roundtrip_duration": "0.005", "listening": "1",
	} {
		if !regexp.MustCompile(`(?m)^nginx_ingress_controller_admission_` + name + `\{.*\} ` + value + `$`).MatchString(text) {
			t.Errorf("admission_%s is not %s", name, value)
		}
	}
	for name, ingress := range map[string]string{"check_success": "right", "check_errors": "wrong"} {
		all := regexp.MustCompile(`(?m)^nginx_ingress_controller_`+name+`\{.*ingress="([^"]*)".*\} 1$`).FindAllStringSubmatch(text, -1)
		if len(all) != 1 || all[0][1] != ingress {
			t.Errorf("%s is of %v, want %s alone", name, all, ingress)
		}
	}
	if m.Listening(false); !strings.Contains(scrape(t, m), "} 0\n") {
		t.Error("admission_listening is not 0 again")
	}
}

// Whoever may create Ingresses has as many names as they like.
func TestJudgedNamesAreBounded(t *testing.T) {
	m := New(options(&fakeNginx{}))
	for i := range maxJudged + 100 {
		m.Judged(Admission{Namespace: "a", Name: fmt.Sprint("i", i), Refused: true})
	}
	text := scrape(t, m)
	if n := strings.Count(text, "\nnginx_ingress_controller_check_errors{"); n != maxJudged+1 {
		t.Errorf("%d series, want %d", n, maxJudged+1)
	}
	if !regexp.MustCompile(`check_errors\{.*ingress="\(other\)".*\} 100\n`).MatchString(text) {
		t.Error("the others are not counted")
	}
}
