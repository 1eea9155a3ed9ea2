package nginx

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStartHoldsAllDataFromTheFirstRequest(t *testing.T) {
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	for range 20 {
		if status, body := get(t, newClient(), l.url("/a/")); status != 200 || body != "one" {
			t.Fatalf("answer %d %q", status, body)
		}
	}
	for name, mode := range map[string]os.FileMode{l.paths.Control: 0o600, l.paths.Conf: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want mode %o", name, info.Mode(), err, mode)
		}
	}
	if _, err := os.Stat(l.paths.data); err == nil {
		t.Error("the file with private keys is still there")
	}
	s, err := l.Status(limit(t))
	if err != nil || s.Generation != Generation(l.conf()) || s.Workers == 0 || s.Capacity != 8<<20 {
		t.Errorf("status %+v %v", s, err)
	}
}

func TestNoEndpointIs503(t *testing.T) {
	l := newLab(t)
	l.extra = "proxy_next_upstream error timeout http_503;"
	data := simple()
	data["r:b"] = "not json"
	l.start(data)
	check := func(what, path string) {
		t.Helper()
		for range 6 {
			if status, _ := get(t, newClient(), l.url(path)); status != 503 {
				t.Errorf("%s: status %d, want 503", what, status)
			}
		}
	}
	check("no endpoints", "/a/")
	check("malformed route", "/b/")
	for what, value := range map[string]string{
		"malformed backend":   `{"endpoints":`,
		"backend is a number": `7`,
		"endpoints missing":   `{}`,
		"endpoints null":      `{"endpoints":null}`,
		"endpoint malformed":  `{"endpoints":[null,7,[],["10.0.0.1"],[8080,"10.0.0.1",1]]}`,
		"address malformed":   `{"endpoints":[["not an address",8080,1]]}`,
		"two are malformed":   `{"endpoints":[["not an address",8080,1],["",8080,1]]}`,
	} {
		l.push(set("b:default/web/80", value))
		check(what, "/a/")
	}
	l.push(nil, "b:default/web/80")
	check("backend gone", "/a/")
	l.push(nil, "r:a")
	check("route gone", "/a/")
}

func TestPushIsSeenByAllWorkersOnTheNextRequest(t *testing.T) {
	l := newLab(t)
	one, two := echo(t, "one"), echo(t, "two")
	l.start(simple(one))
	key, toOne := backend("default/web/80", one)
	_, toTwo := backend("default/web/80", two)
	for i := range 100 {
		want, value := "one", toOne
		if i%2 == 0 {
			want, value = "two", toTwo
		}
		l.push(set(key, value))
		for range 5 {
			if _, body := get(t, newClient(), l.url("/a/")); body != want {
				t.Fatalf("push %d: answer %q, want %q", i, body, want)
			}
		}
	}
}

func TestFullDataEvictsNothing(t *testing.T) {
	l := newLab(t)
	l.dict = "1m"
	l.start(simple(echo(t, "one")))
	before, err := l.Digests(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 100<<10)
	filled := 0
	for ; filled < 100; filled++ {
		if err = l.Push(limit(t), set(fmt.Sprintf("b:big%d", filled), big), nil); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) || filled == 0 {
		t.Fatalf("after %d big items: %v, want ErrFull", filled, err)
	}
	for size := 1 << 16; size > 8; size /= 2 { // fill the last hole too
		for i := 0; l.Push(limit(t), set(fmt.Sprintf("b:s%d-%d", size, i), big[:size]), nil) == nil; i++ {
		}
	}
	// An item that grows must not lose what it was.
	if err := l.Push(limit(t), set("b:big0", big+big), nil); !errors.Is(err, ErrFull) {
		t.Errorf("growing item: %v, want ErrFull", err)
	}
	after, err := l.Digests(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	before["b:big0"] = fmt.Sprintf("%x", md5.Sum([]byte(big)))
	for key, digest := range before {
		if after[key] != digest {
			t.Errorf("item %s: digest %q, want %q", key, after[key], digest)
		}
	}
	if err := l.Reload(limit(t), l.conf()); err != nil {
		t.Errorf("reload with full memory: %v", err)
	}
	if status, body := get(t, newClient(), l.url("/a/")); status != 200 || body != "one" {
		t.Errorf("answer %d %q", status, body)
	}
}

func TestStartSaysWhatDidNotFit(t *testing.T) {
	l := newLab(t)
	l.dict = "64k"
	data := simple(echo(t, "one"))
	data["b:huge"] = strings.Repeat("x", 1<<20)
	if err := l.Start(limit(t), l.conf(), data); !errors.Is(err, ErrFull) {
		t.Errorf("start: %v, want ErrFull", err)
	}
	if status, _ := get(t, newClient(), l.url("/a/")); status != 200 {
		t.Errorf("status %d", status)
	}
}

func TestDigestsAreOfWhatWasPushed(t *testing.T) {
	l := newLab(t)
	l.start(nil)
	if got, err := l.Digests(limit(t)); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v %v", got, err)
	}
	data := map[string]string{}
	want := map[string]string{}
	for i := range 3000 { // several chunks, one item larger than a chunk
		key, value := fmt.Sprintf("b:%d/é<&>\"\\", i), strings.Repeat("\"\\\n<é", i%200)
		if i == 7 {
			value = strings.Repeat("y", 2*maxPush)
		}
		data[key], want[key] = value, fmt.Sprintf("%x", md5.Sum([]byte(value)))
	}
	l.push(data)
	got, err := l.Digests(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	del := []string{}
	for key := range data {
		del = append(del, key)
	}
	l.push(nil, del...)
	if got, err := l.Digests(limit(t)); err != nil || len(got) != 0 {
		t.Errorf("after deletion: %d items, %v", len(got), err)
	}
}

func TestControlRefusesWhatItDoesNotKnow(t *testing.T) {
	l := newLab(t)
	l.start(simple(echo(t, "one")))
	before, _ := l.Status(limit(t))
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/data", "", 400},
		{"POST", "/data", "{", 400},
		{"POST", "/data", "7", 400},
		{"POST", "/data", "null", 400},
		{"POST", "/data", `{"set":7}`, 400},
		{"POST", "/data", `{"set":["b:x"]}`, 400},
		{"POST", "/data", `{"set":{"b:x":7}}`, 400},
		{"POST", "/data", `{"set":{"b:x":null}}`, 400},
		{"POST", "/data", `{"set":{"version":"1"}}`, 400},
		{"POST", "/data", `{"set":{"b:x":"1","worker:0":"1"}}`, 400},
		{"POST", "/data", `{"delete":["generation"]}`, 400},
		{"POST", "/data", `{"delete":[7]}`, 400},
		{"POST", "/data", strings.Repeat("[", 5000), 400},
		{"POST", "/data", `{"set":{"b:x":"` + strings.Repeat("x", 3<<20) + `"`, 400},
		{"PUT", "/data", "{}", 405},
		{"DELETE", "/data", "", 405},
		{"POST", "/status", "{}", 405},
		{"GET", "/requests", "", 404},
		{"GET", "/data/c:1", "", 404},
		{"GET", "/", "", 404},
	} {
		req, err := http.NewRequest(c.method, "http://nginx"+c.path, bytes.NewBufferString(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := l.control.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var answer bytes.Buffer
		_, _ = answer.ReadFrom(resp.Body)
		resp.Body.Close()
		name := c.method + " " + c.path + " " + c.body[:min(len(c.body), 40)]
		if resp.StatusCode != c.want || !strings.HasPrefix(answer.String(), `{"error":`) {
			t.Errorf("%s: %d %s, want %d", name, resp.StatusCode, answer.String(), c.want)
		}
	}
	after, err := l.Status(limit(t))
	if err != nil || after.Version != before.Version {
		t.Errorf("version went from %d to %d by refused pushes, %v", before.Version, after.Version, err)
	}
}
