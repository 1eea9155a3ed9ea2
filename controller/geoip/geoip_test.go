package geoip

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
)

// database is the bytes of one that has nothing in it but its type.
func database(t *testing.T, edition string) []byte {
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: edition})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t *testing.T, dir, edition string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, edition+".mmdb"), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFolder(t *testing.T) {
	o := Options{Folder: t.TempDir(), Into: filepath.Join(t.TempDir(), "geoip")}
	if f := Find(t.Context(), o); len(f.Editions)+len(f.Problems) != 0 {
		t.Errorf("in an empty folder: %+v", f)
	}
	city := database(t, "GeoLite2-City")
	write(t, o.Folder, "GeoLite2-City", city)
	write(t, o.Folder, "GeoLite2-ASN", city[:len(city)/2])
	write(t, o.Folder, "GeoIP2-Country", nil)
	write(t, o.Folder, "unknown", city)
	f := Find(t.Context(), o)
	if !slices.Equal(f.Editions, []string{"GeoLite2-City"}) || len(f.Problems) != 2 || !strings.Contains(f.Problems[1], "GeoLite2-ASN.mmdb: is cut off") {
		t.Errorf("%+v", f)
	}
	// One that is cut off later leaves the copy.
	write(t, o.Folder, "GeoLite2-City", city[:10])
	f = Find(t.Context(), o)
	if !slices.Equal(f.Editions, []string{"GeoLite2-City"}) || len(f.Problems) != 3 {
		t.Errorf("%+v", f)
	}
	if left, _ := filepath.Glob(filepath.Join(o.Into, "*")); len(left) != 1 {
		t.Errorf("files are left: %v", left)
	}
}

func archive(t *testing.T, name string, content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, entry := range []struct {
		name    string
		content []byte
	}{{"x/LICENSE.txt", []byte("x")}, {name, content}} {
		if err := w.WriteHeader(&tar.Header{Name: entry.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(entry.content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(entry.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDownload(t *testing.T) {
	const edition = "GeoLite2-City"
	good := archive(t, "GeoLite2-City_20260101/"+edition+".mmdb", database(t, edition))
	var answers [][]byte // nil is a 500
	asked := 0
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/m/"+edition+".tar.gz" {
			t.Errorf("asked for %s", r.URL)
		}
		answer := answers[min(asked, len(answers)-1)]
		asked++
		if answer == nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write(answer) // the client's side is looked at
	}))
	defer mirror.Close()
	for name, c := range map[string]struct {
		answers  [][]byte
		attempts int
		wait     time.Duration
		asked    int
		problem  string
	}{
		"good":           {[][]byte{good}, 1, 0, 1, ""},
		"none":           {[][]byte{nil}, 3, time.Millisecond, 3, "500"},
		"no wait":        {[][]byte{nil, good}, 3, 0, 1, "500"},
		"at last":        {[][]byte{nil, []byte("x"), good}, 3, time.Millisecond, 3, ""},
		"cut off":        {[][]byte{good[:len(good)/2]}, 1, 0, 1, "EOF"},
		"no archive":     {[][]byte{[]byte(strings.Repeat("<html>", 20))}, 1, 0, 1, "gzip"},
		"another":        {[][]byte{archive(t, "x/GeoLite2-ASN.mmdb", database(t, "x"))}, 1, 0, 1, "no GeoLite2-City.mmdb"},
		"no database":    {[][]byte{archive(t, "x/"+edition+".mmdb", []byte("x"))}, 1, 0, 1, "is cut off"},
		"out of its way": {[][]byte{archive(t, "../../../"+edition+".mmdb", database(t, edition))}, 1, 0, 1, ""},
	} {
		answers, asked = c.answers, 0
		o := Options{Folder: t.TempDir(), Into: t.TempDir(), Editions: []string{edition}, Mirror: mirror.URL + "/m/", Attempts: c.attempts, Wait: c.wait}
		f := Find(t.Context(), o)
		if asked != c.asked || (c.problem == "") != (len(f.Problems) == 0) || c.problem != "" && !strings.Contains(f.Problems[0], c.problem) || (c.problem == "") != slices.Equal(f.Editions, []string{edition}) {
			t.Errorf("%s: asked %d times, %+v", name, asked, f)
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The key is sent, and told nobody else.
func TestLicenseKey(t *testing.T) {
	address := ""
	o := Options{Into: t.TempDir(), Editions: []string{"GeoLite2-ASN"}, LicenseKey: "sec&ret", Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		address = r.URL.String()
		return nil, io.ErrUnexpectedEOF
	})}}
	f := Find(t.Context(), o)
	if want := maxMind + "?edition_id=GeoLite2-ASN&license_key=sec%26ret&suffix=tar.gz"; address != want {
		t.Errorf("asked %s", address)
	}
	if len(f.Problems) != 1 || strings.Contains(f.Problems[0], "sec") {
		t.Errorf("%+v", f)
	}
}
