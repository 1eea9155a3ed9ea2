package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// oldNginx is this machine's nginx, which says that it is an older one.
func oldNginx(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nginx")
	const script = "#!/bin/sh\nif [ \"$1\" = -V ]; then nginx -V 2>&1 | sed 's|nginx version: nginx/[0-9.]*|nginx version: nginx/1.22.0|' >&2; else exec nginx \"$@\"; fi\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKnownVulnerabilitiesAreTold(t *testing.T) {
	w := inCluster(t)
	apps(t, w, 66, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	w.Apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: sallyport}\n")
	s := w.launch(t, "--nginx-binary="+oldNginx(t), "--publish-status-address=192.0.2.1")
	expect(t, s, "http://a.example.org/", "web")
	logged(t, s, "nginx has known vulnerabilities", "1.22.0", "CVE-2026-123007")
	told := 0
	for line := range strings.Lines(scrape(t, s)) {
		if strings.HasPrefix(line, "nginx_ingress_controller_nginx_known_vulnerabilities{") && !strings.HasSuffix(line, " 0\n") {
			told++
		}
	}
	if told != 1 {
		t.Error("no metric counts them")
	}
	cluster.Eventually(t, "an Event on the pod names them", func() error {
		events, err := w.cluster().Client.CoreV1().Events("sallyport").List(context.Background(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.InvolvedObject.Kind == "Pod" && e.InvolvedObject.Name == "sallyport-0" && strings.Contains(e.Message, "CVE-2026-123007") && e.Type == "Warning" {
				return nil
			}
		}
		return fmt.Errorf("%d Events, none of them that", len(events.Items))
	})
}
