package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// secrets are objects with a secret in each way that one gets in, and the texts
// that must not come out.
func secrets(t *testing.T) (objects string, never []string) {
	t.Helper()
	cert := cluster.Issue(t, cluster.ECDSA, "a.example.org")
	lines := strings.Split(strings.TrimSpace(string(cert.Key)), "\n")
	ticket := strings.Repeat("PLANTED-", 6) // 48 bytes
	objects = cert.SecretYAML("default", "cert") + `---
apiVersion: v1
kind: Secret
metadata: {name: users, namespace: default}
stringData: {auth: "joe:{PLAIN}PLANTED-PASSWORD\nPLANTED-BAD-LINE\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: digest, namespace: default}
stringData: {auth: "joe:r:0123456789abcdef0123456789abcdef\nPLANTED-BAD-LINE\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: broken, namespace: default}
stringData: {tls.crt: "PLANTED-CERT", tls.key: "PLANTED-KEY"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: system}
data: {ssl-session-ticket-key: "` + base64.StdEncoding.EncodeToString([]byte(ticket)) + `", ssl-session-tickets: "true"}
`
	i := web("a", "a.example.org", "web")
	i.tls = []string{"cert=a.example.org"}
	i.annotations = map[string]string{"nginx.ingress.kubernetes.io/auth-type": "basic", "nginx.ingress.kubernetes.io/auth-secret": "users"}
	d := web("d", "d.example.org", "web")
	d.tls = []string{"broken=d.example.org"}
	d.annotations = map[string]string{"nginx.ingress.kubernetes.io/auth-type": "digest", "nginx.ingress.kubernetes.io/auth-secret": "digest", "nginx.ingress.kubernetes.io/auth-realm": "r"}
	never = append(lines[1:len(lines)-1], "PLANTED", "PRIVATE KEY", "0123456789abcdef0123456789abcdef", base64.StdEncoding.EncodeToString([]byte(ticket)))
	return objects + i.String() + d.String(), never
}

// Whatever is asked, no key and no value of a Secret comes out.
func TestDbg(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 60, "web")
	objects, never := secrets(t)
	w.Apply(t, objects)
	s := w.launch(t, "--configmap=system/settings")
	temp := os.TempDir()
	t.Setenv("TMPDIR", s.Temp)
	ask := func(words ...string) (out, errs string, code int) {
		out, errs, code = cluster.Command(t, "", append([]string{"dbg"}, words...)...)
		for _, text := range never {
			if strings.Contains(out+errs, text) {
				t.Errorf("%v gives %q out:\n%s%s", words, text, out, errs)
			}
		}
		return out, errs, code
	}
	for line, want := range map[string]string{
		"backends list":                    "default-web-80\n",
		"backends":                         `"address": "10.244.60.1"`,
		"backends all":                     `"ingress": "default/a"`,
		"backends get default-web-80":      `"port": "8080"`,
		"backends get default/web/80":      `"host": "d.example.org"`,
		"certs get a.example.org":          "-----BEGIN CERTIFICATE-----",
		"conf":                             "server_name d.example.org",
		"general":                          `"ready": true`,
		"generation":                       `"pending": false`,
		"problems":                         "broken",
		"backends get nobody":              "1 sallyport: there is no backend",
		"certs get nobody.example.org":     "1 sallyport: no Ingress has the host",
		"certs get d.example.org":          "1 sallyport: d.example.org, by default has no certificate of its own",
		"":                                 "2 sallyport: dbg: the commands are",
		"certs":                            "2 sallyport: dbg certs: get and a host",
		"backends get":                     "2 sallyport: dbg backends:",
		"conf now":                         `2 sallyport: dbg conf: unexpected argument "now"`,
		"secrets":                          `2 sallyport: dbg: there is no command "secrets"`,
		"conf --work-dir=/nowhere":         "1 sallyport: no controller runs in /nowhere",
		"conf --no-such-flag":              "2 sallyport: unknown flag",
		"conf --work-dir=" + workDir(t, s): "server_name d.example.org",
	} {
		out, errs, code := ask(strings.Fields(line)...)
		status, words, fails := strings.Cut(want, " sallyport: ")
		switch {
		case fails && (!strings.Contains(errs, words) || out != "" || (code == 2) != (status == "2")):
			t.Errorf("dbg %s: status %d, %q, %q; want %s", line, code, out, errs, want)
		case !fails && (code != 0 || errs != "" || !strings.Contains(out, want)):
			t.Errorf("dbg %s: status %d, %q, %s; want %s", line, code, errs, out, want)
		}
	}
	socket := filepath.Join(workDir(t, s), "private", "debug.sock")
	for path, want := range map[string]os.FileMode{socket: 0o600, filepath.Dir(socket): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %o", path, info.Mode(), err, want)
		}
	}

	// The next controller takes over the folder of one that was killed, and its socket.
	s.Kill()
	<-s.Ended()
	if _, errs, code := ask("general"); code != 1 || !strings.Contains(errs, "no controller of this user is found") {
		t.Errorf("without a controller: status %d, %q", code, errs)
	}
	t.Setenv("TMPDIR", temp)
	again := w.launchWith(t, cluster.Options{Args: []string{"--configmap=system/settings"}, Before: s})
	t.Setenv("TMPDIR", s.Temp)
	if out, errs, code := ask("general"); code != 0 || !strings.Contains(out, workDir(t, again)) {
		t.Errorf("after a takeover: status %d, %q, %s", code, errs, out)
	}
}

// workDir is the folder that a controller chose.
func workDir(t *testing.T, s *cluster.Sallyport) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.Temp, "sallyport-*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("work folders: %v, %v", found, err)
	}
	return found[0]
}
