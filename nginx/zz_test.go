package nginx

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	for _, c := range []struct{ slow, idle time.Duration }{{150, 0}, {0, 110}, {0, 250}, {20, 600}, {0, 0}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(c.slow * time.Millisecond)
				fmt.Fprint(w, "x")
			}))
			defer s.Close()
			l := newLab(t)
			l.start(simple(s.Listener.Addr().String()))
			h := newHammer(t, 100, c.idle*time.Millisecond, fmt.Sprintf("127.0.0.1:%d", l.http), "/a/")
			h.until(t, 100)
			for i := range 60 {
				l.extra = fmt.Sprintf("# %d", i)
				if err := l.Reload(limit(t), l.conf()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(37*i%100) * time.Millisecond)
			}
			h.end()
			h.check(t)
			t.Log(len(session(l.Pid())))
		})
	}
}
