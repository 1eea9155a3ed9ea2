package compat

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// shakes says what a handshake with that configuration comes to.
func shakes(config *tls.Config, f func(tls.ConnectionState) string) func(client) string {
	return func(c client) string {
		config := config.Clone()
		config.InsecureSkipVerify = true
		r, err := c.site.Try(cluster.Request{URL: "https://" + c.host + "/", TLS: config})
		if err != nil {
			return "refused"
		}
		return f(*r.TLS)
	}
}

// goesOn says whether a second connection takes up the session of the first one.
func goesOn(c client) string {
	config := &tls.Config{ClientSessionCache: &anySession{}}
	again := func(s tls.ConnectionState) string { return fmt.Sprint(s.DidResume) }
	shakes(config, again)(c)
	return shakes(config, again)(c)
}

// lasts says whether a session can still be taken up some seconds later. That it
// can't any more is seen soon; to wait in vain only hides that a key is not proven.
func lasts(c client) string {
	sessions := &anySession{}
	shakes(&tls.Config{ClientSessionCache: sessions}, func(tls.ConnectionState) string { return "" })(c)
	first := sessions.last
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); {
		config := &tls.Config{ClientSessionCache: &anySession{last: first}} // a session is taken up more than once
		if shakes(config, func(s tls.ConnectionState) string { return fmt.Sprint(s.DidResume) })(c) == "false" {
			return "ended"
		}
	}
	return "lasts"
}

// records notes the longest record of TLS that comes.
type records struct {
	net.Conn
	head    []byte
	left    int
	longest int
}

func (r *records) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	for rest := b[:n]; len(rest) > 0; {
		if r.left > 0 {
			skip := min(r.left, len(rest))
			r.left, rest = r.left-skip, rest[skip:]
			continue
		}
		take := min(5-len(r.head), len(rest))
		r.head, rest = append(r.head, rest[:take]...), rest[take:]
		if len(r.head) == 5 { // type, version, length
			r.left = int(binary.BigEndian.Uint16(r.head[3:]))
			r.longest, r.head = max(r.longest, r.left), nil
		}
	}
	return n, err
}

// recordsOf says how long the records are by which a large response comes.
func recordsOf(c client) string {
	plain, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.site.HTTPS))
	if err != nil {
		c.t.Fatal(err)
	}
	counted := &records{Conn: plain}
	conn := tls.Client(counted, &tls.Config{ServerName: c.host, InsecureSkipVerify: true})
	defer conn.Close()
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	counted.longest = 0
	if _, err := fmt.Fprintf(conn, "GET /large HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", c.host); err != nil {
		c.t.Fatal(err)
	}
	buffer := make([]byte, 1<<16)
	for err == nil {
		_, err = conn.Read(buffer)
	}
	return fmt.Sprint(counted.longest > 8<<10)
}

// speaks is what OpenSSL's own client says, with such options; a line of it that
// has the text.
func speaks(text string, options ...string) func(client) string {
	return func(c client) string {
		c.t.Helper()
		command := exec.Command("openssl", append([]string{"s_client", "-connect", fmt.Sprintf("127.0.0.1:%d", c.site.HTTPS), "-servername", c.host}, options...)...)
		out, _ := command.CombinedOutput() // a refused handshake is an answer
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, text) {
				return strings.TrimSpace(line)
			}
		}
		return "nothing of it"
	}
}

// early sends a request as early data of a session that goes on, and says what
// the endpoint saw of that.
func early(c client) string {
	folder := c.t.TempDir()
	session, data := filepath.Join(folder, "session"), filepath.Join(folder, "data")
	if err := os.WriteFile(data, []byte("GET / HTTP/1.1\r\nHost: "+c.host+"\r\nConnection: close\r\n\r\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	talk := func(options ...string) string {
		command := exec.Command("openssl", append([]string{"s_client", "-tls1_3", "-ign_eof", "-connect", fmt.Sprintf("127.0.0.1:%d", c.site.HTTPS), "-servername", c.host}, options...)...)
		command.Stdin = strings.NewReader("GET / HTTP/1.1\r\nHost: " + c.host + "\r\nConnection: close\r\n\r\n")
		out, _ := command.CombinedOutput() // what is missing in it fails the test
		return string(out)
	}
	talk("-sess_out", session)
	said := talk("-sess_in", session, "-early_data", data)
	return fmt.Sprint(strings.Contains(said, "Early data was accepted"), strings.Contains(said, `"Early-Data":["1"]`))
}

// tlsKeys are about the TLS of clients.
func tlsKeys() map[string]keyProof {
	version := func(s tls.ConnectionState) string { return tls.VersionName(s.Version) }
	cipher := func(s tls.ConnectionState) string { return tls.CipherSuiteName(s.CipherSuite) }
	curve := func(s tls.ConnectionState) string { return s.CurveID.String() }
	old := &tls.Config{MaxVersion: tls.VersionTLS12}
	large := one("ssl-buffer-size", "16k", "true", recordsOf)
	large.service, large.prepare, large.settings = "answers", answering, with(large.settings, "proxy-buffer-size", "64k")
	strange := func(c client) string {
		c.host = "strange.example.com"
		return shakes(&tls.Config{}, version)(c)
	}
	dh := one("ssl-dh-param", "sallyport/dh", "New, TLSv1.2, Cipher is DHE-RSA-AES128-GCM-SHA256", speaks("Cipher is", "-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"))
	dh.flags, dh.prepare = []string{"--default-ssl-certificate=sallyport/pair"}, func(t *testing.T, p *keyProof, _ *site) {
		p.more = dhParameters + "---\n" + cluster.Issue(t, cluster.RSA, "a.example.org").SecretYAML("sallyport", "pair")
	}
	return numbered(
		one("ssl-protocols", "TLSv1.3", "refused", shakes(old, version)),
		one("ssl-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", shakes(old, cipher)),
		one("ssl-ecdh-curve", "secp384r1", "CurveP384", shakes(&tls.Config{}, curve)),
		one("ssl-session-cache", "false", "false", goesOn), one("ssl-session-timeout", "1s", "ended", lasts), large,
		one("ssl-reject-handshake", "true", "refused", strange),
		one("ssl-session-tickets", "true", "another's", func(c client) string { said, _ := ticketName(c); return said }),
		keyProof{keys: []string{"ssl-session-cache-size"}, settings: map[string]string{"ssl-session-cache-size": "64k"}, inner: true, ask: plainly(answer(secure("/"), short)), want: "web"},
		keyProof{keys: []string{"ssl-early-data"}, settings: map[string]string{"ssl-early-data": "true", "ssl-session-tickets": "true"}, ask: plainly(early), want: "true true"},
		dh,
	)
}

// dhParameters are ffdhe2048 of RFC 7919.
const dhParameters = `apiVersion: v1
kind: Secret
metadata: {name: dh, namespace: sallyport}
stringData:
  dhparam.pem: |
    -----BEGIN DH PARAMETERS-----
    MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
    +8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
    87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
    YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
    7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
    ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
    -----END DH PARAMETERS-----
`
