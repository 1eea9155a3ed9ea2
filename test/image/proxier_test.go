package image

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

func TestProxierSaysHowItIsUsed(t *testing.T) {
	out, err := inside(cluster.ProxierInRoot, "--help")
	if err != nil || !strings.Contains(out, "--proxy-mode") {
		t.Errorf("%v: %s", err, out)
	}
}

// The proxier and the tools of the tree understand each other and this kernel.
func TestProxierPrograms(t *testing.T) {
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: ClusterIP, clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7], ports: [{port: 80}]}\n" +
		"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web, labels: {kubernetes.io/service-name: web}}\n" +
		"addressType: IPv4\nendpoints: [{addresses: [10.244.1.1]}]\nports: [{port: 8080}]\n"
	cluster.Echo(t, "web", "10.244.1.1:8080")
	for mode, list := range map[string][]string{
		"nftables": {"/usr/sbin/nft", "list", "ruleset"},
		"iptables": {"/usr/sbin/iptables-save"},
	} {
		t.Run(mode, func(t *testing.T) {
			var log strings.Builder
			// Root, and no more than NET_ADMIN of what root may.
			c, err := cluster.Confinement{Capabilities: []int{unix.CAP_NET_ADMIN}, NoNewPrivs: true}.Command(
				cluster.ProxierInRoot, "--proxy-mode="+mode, "--manifests="+manifests(t, service), "--hostname-override=node",
				"--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249")
			if err != nil {
				t.Fatal(err)
			}
			c.Stdout, c.Stderr = &log, &log
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			t.Cleanup(func() {
				_ = c.Process.Signal(os.Interrupt)
				if err := <-ended; err != nil || t.Failed() {
					t.Errorf("%v:\n%s", err, log.String())
				}
				if out, err := inside(cluster.ProxierInRoot, "--cleanup"); err != nil {
					t.Errorf("--cleanup: %v: %s", err, out)
				}
				if out, err := inside(list...); err != nil || strings.Contains(out, "10.96.0.7") {
					t.Errorf("after --cleanup: %v: %s", err, out)
				}
			})
			cluster.Eventually(t, "the kernel has the Service", func() error {
				out, err := inside(list...)
				if err == nil && !(strings.Contains(out, "10.96.0.7") && strings.Contains(out, "10.244.1.1")) {
					err = fmt.Errorf("not in: %s", out)
				}
				return err
			})
		})
	}
}
