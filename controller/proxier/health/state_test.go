package health

import (
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

func TestState(t *testing.T) {
	type is struct{ Live, Healthy, Ready bool }
	all, none := is{true, true, true}, is{}
	for name, test := range map[string]struct {
		told func(*State)
		want is
	}{
		"nothing yet":                 {func(*State) {}, is{Live: true}},
		"queued, never programmed":    {func(s *State) { s.Queued(at(90)) }, is{Live: true}},
		"stuck before the first time": {func(s *State) { s.Queued(at(10)) }, none},
		"programmed":                  {func(s *State) { s.Programmed(at(0), at(1)) }, all},
		"nothing to do for long":      {func(s *State) { s.Queued(at(-9000)); s.Programmed(at(-8999), at(-8998)) }, all},
		"waits":                       {func(s *State) { s.Programmed(at(0), at(1)); s.Queued(at(41)) }, all},
		"late":                        {func(s *State) { s.Programmed(at(0), at(1)); s.Queued(at(40)) }, none},
		"late, with newer ones":       {func(s *State) { s.Programmed(at(0), at(1)); s.Queued(at(40)); s.Queued(at(99)) }, none},
		"late, then done":             {func(s *State) { s.Queued(at(0)); s.Programmed(at(98), at(99)) }, all},
		"queued while programming":    {func(s *State) { s.Queued(at(0)); s.Queued(at(39)); s.Programmed(at(38), at(45)) }, none},
		"queued then, and not late":   {func(s *State) { s.Queued(at(0)); s.Queued(at(99)); s.Programmed(at(98), at(100)) }, all},
		"queued later than that":      {func(s *State) { s.Queued(at(39)); s.Programmed(at(38), at(45)) }, none},
		"not eligible":                {func(s *State) { s.Programmed(at(0), at(1)); s.Eligible(false) }, is{Live: true, Healthy: true}},
		"eligible again":              {func(s *State) { s.Programmed(at(0), at(1)); s.Eligible(false); s.Eligible(true) }, all},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewState(60 * time.Second)
			test.told(s)
			now := at(100)
			if diff := cmp.Diff(test.want, is{s.Live(now), s.Healthy(now), s.Ready(now)}); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestHandler(t *testing.T) {
	s := NewState(60 * time.Second)
	now := at(10)
	codes := map[string][]int{}
	h := Handler(s, func() time.Time { return now }, Counts{
		Healthz: func(code int) { codes["/healthz"] = append(codes["/healthz"], code) },
		Livez:   func(code int) { codes["/livez"] = append(codes["/livez"], code) },
	})
	get := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, w.Header())
		}
		b, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	expect := func(path, want string) {
		t.Helper()
		if diff := cmp.Diff(want, get(path)); diff != "" {
			t.Errorf("%s: -want +got\n%s", path, diff)
		}
	}
	expect("/healthz", `{"lastUpdated":"0001-01-01T00:00:00Z","currentTime":"2026-01-02T03:04:15Z","nodeEligible":true,"healthy":false,"status":{"IPv4":{"lastUpdated":"0001-01-01T00:00:00Z","healthy":false},"IPv6":{"lastUpdated":"0001-01-01T00:00:00Z","healthy":false}}}`)
	expect("/livez", `{"lastUpdated":"2026-01-02T03:04:15Z","currentTime":"2026-01-02T03:04:15Z","healthy":true,"status":{"IPv4":{"lastUpdated":"2026-01-02T03:04:15Z","healthy":true},"IPv6":{"lastUpdated":"2026-01-02T03:04:15Z","healthy":true}}}`)
	s.Programmed(at(10), at(11))
	now = at(12)
	expect("/healthz", `{"lastUpdated":"2026-01-02T03:04:17Z","currentTime":"2026-01-02T03:04:17Z","nodeEligible":true,"healthy":true,"status":{"IPv4":{"lastUpdated":"2026-01-02T03:04:17Z","healthy":true},"IPv6":{"lastUpdated":"2026-01-02T03:04:17Z","healthy":true}}}`)
	s.Eligible(false)
	expect("/healthz", `{"lastUpdated":"2026-01-02T03:04:17Z","currentTime":"2026-01-02T03:04:17Z","nodeEligible":false,"healthy":true,"status":{"IPv4":{"lastUpdated":"2026-01-02T03:04:17Z","healthy":true},"IPv6":{"lastUpdated":"2026-01-02T03:04:17Z","healthy":true}}}`)
	expect("/livez", `{"lastUpdated":"2026-01-02T03:04:17Z","currentTime":"2026-01-02T03:04:17Z","healthy":true,"status":{"IPv4":{"lastUpdated":"2026-01-02T03:04:17Z","healthy":true},"IPv6":{"lastUpdated":"2026-01-02T03:04:17Z","healthy":true}}}`)
	s.Queued(at(13))
	now = at(73)
	expect("/livez", `{"lastUpdated":"2026-01-02T03:04:16Z","currentTime":"2026-01-02T03:05:18Z","healthy":false,"status":{"IPv4":{"lastUpdated":"2026-01-02T03:04:16Z","healthy":false},"IPv6":{"lastUpdated":"2026-01-02T03:04:16Z","healthy":false}}}`)
	if diff := cmp.Diff(map[string][]int{"/healthz": {503, 200, 503}, "/livez": {200, 200, 503}}, codes); diff != "" {
		t.Errorf("counted: -want +got\n%s", diff)
	}
	for method, path := range map[string]string{"POST": "/healthz", "DELETE": "/livez", "GET": "/"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != 405 && w.Code != 404 {
			t.Errorf("%s %s: %d", method, path, w.Code)
		}
	}
}
