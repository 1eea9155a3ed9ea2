package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEchoRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no address":        {[]string{"--listen", ""}, "names no address"},
		"no port":           {[]string{"--listen", "127.0.0.1"}, "missing port"},
		"empty replica":     {[]string{"--listen", "127.0.0.1:0,127.0.0.1"}, "missing port"},
		"taken":             {[]string{"--listen", taken.Addr().String()}, "address already in use"},
		"unknown flag":      {[]string{"--lisen", "127.0.0.1:0"}, "lisen"},
		"a bare word":       {[]string{"127.0.0.1:0"}, "unexpected argument"},
		"one of two is bad": {[]string{"--listen", "127.0.0.1:0," + taken.Addr().String()}, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := echo(t.Context(), c.args, &out, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if out.Len() > 0 {
				t.Errorf("says that it listens: %s", out.String())
			}
		})
	}
}

func TestEchoHelpIsNoError(t *testing.T) {
	var usage bytes.Buffer
	if err := echo(t.Context(), []string{"--help"}, io.Discard, &usage); err != nil {
		t.Error(err)
	}
	if !strings.Contains(usage.String(), "--listen") {
		t.Errorf("no usage: %q", usage.String())
	}
}

func TestEchoReplicasTellWhoTheyAre(t *testing.T) {
	e := startEcho(t, "--name", "web", "--listen", "127.0.0.1:0,127.0.0.1:0")
	for i, want := range []string{"web-1", "web-2"} {
		if got := e.addresses[i].name; got != want {
			t.Errorf("replica %d announces itself as %q, want %q", i, got, want)
		}
		if body := e.get(t, i, "/", nil); !strings.HasPrefix(body, want+"\n") {
			t.Errorf("replica %d answers %q", i, body)
		}
	}
	alone := startEcho(t, "--name", "web", "--listen", "127.0.0.1:0")
	if got := alone.addresses[0].name; got != "web" {
		t.Errorf("a single replica is called %q", got)
	}
}

func TestEchoShowsTheRequestAsItCame(t *testing.T) {
	e := startEcho(t, "--listen", "127.0.0.1:0")
	const uri = "/a%2Fb//c/../d?x=%20&y=<script>"
	header := http.Header{"Accept": {"application/json"}, "X-Many": {"1", "2"}}
	var reply echoReply
	if err := json.Unmarshal([]byte(e.get(t, 0, uri, header)), &reply); err != nil {
		t.Fatal(err)
	}
	reply.Headers.Del("Accept-Encoding")
	reply.Headers.Del("User-Agent")
	reply.Remote = ""
	want := echoReply{
		Name: "echo", Method: "GET", URI: uri, Proto: "HTTP/1.1", Host: "shop.example.org",
		Headers: http.Header{"Accept": {"application/json"}, "X-Many": {"1", "2"}},
	}
	if diff := cmp.Diff(want, reply); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	header.Del("Accept")
	text := e.get(t, 0, uri, header)
	for _, line := range []string{"GET " + uri + " HTTP/1.1\n", "Host: shop.example.org\n", "X-Many: 1\nX-Many: 2\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in %q", line, text)
		}
	}
}

func TestEchoEndsWithItsContext(t *testing.T) {
	e := startEcho(t, "--listen", "127.0.0.1:0,127.0.0.1:0")
	e.get(t, 0, "/", nil) // leaves an idle connection, which must not hold it up
	e.cancel()
	if err := <-e.ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	for _, a := range e.addresses {
		if c, err := net.Dial("tcp", a.address); err == nil {
			c.Close()
			t.Errorf("%s still listens", a.address)
		}
	}
	e.ended <- nil // for the clean-up
}

// A runningEcho is an echo with its announced addresses.
type runningEcho struct {
	addresses []struct{ name, address string }
	cancel    context.CancelFunc
	ended     chan error
}

func startEcho(t *testing.T, args ...string) *runningEcho {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	e := &runningEcho{cancel: cancel, ended: make(chan error, 1)}
	go func() {
		err := echo(ctx, args, write, io.Discard)
		write.CloseWithError(errors.Join(err, io.EOF))
		e.ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		<-e.ended
	})
	lines := bufio.NewReader(read)
	for range strings.Count(strings.Join(args, " "), ":") {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		name, address, _ := strings.Cut(strings.TrimSpace(line), " listens on ")
		e.addresses = append(e.addresses, struct{ name, address string }{name, address})
	}
	return e
}

// get makes one request for the host shop.example.org.
func (e *runningEcho) get(t *testing.T, replica int, uri string, header http.Header) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.addresses[replica].address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = uri // kept as it is
	r.Host = "shop.example.org"
	if header != nil {
		r.Header = header.Clone()
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
	return string(body)
}
