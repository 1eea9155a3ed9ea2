package build

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport-ingress/sallyport/controller/store"
)

// What would keep nginx, or ourselves, from listening costs its entry alone.
func TestPortsThatStreamsCannotHave(t *testing.T) {
	tcp, conf := store.Key{Namespace: "default", Name: "tcp"}, store.Key{Namespace: "default", Name: "conf"}
	o := Options{TCPServices: tcp, ConfigMap: conf, HealthPort: 10254, WebhookPort: 8443, OpenFiles: 64}
	o.Listen.HTTPPort, o.Listen.HTTPSPort, o.Listen.DefaultPort = 80, 443, 8181
	for _, test := range []struct {
		connections, processes string
		ipv6                   bool
		ports                  []int
		want                   string
	}{
		{"1024", "1", false, []int{80, 443, 8181, 8443, 9000, 10254}, "9000"},
		{"1024", "1", false, []int{9000, 9007}, "9000"}, // another process has 9007
		{"16", "1", false, []int{9000, 9001, 9002, 9003, 9004, 9005, 9006, 9008, 9009}, "9000 9001 9002 9003 9004 9005 9006 9008"},
		{"16", "1", true, []int{9000, 9001, 9002, 9003, 9004}, "9000 9001 9002 9003"},
		{"1024", "8", true, []int{9000, 9001, 9002}, "9000 9001"}, // 32 sockets, 2 for each port and worker
	} {
		o.Listen.IPv6 = test.ipv6
		o.Taken = func(port int, _ bool) string { return map[int]string{9007: "in use"}[port] }
		entries := &corev1.ConfigMap{Data: map[string]string{}}
		for _, port := range test.ports {
			entries.Data[fmt.Sprint(port)] = "default/web:80"
		}
		settings := &corev1.ConfigMap{Data: map[string]string{"max-worker-connections": test.connections, "worker-processes": test.processes}}
		r := New(o).Build(&store.Snapshot{
			ConfigMaps: map[store.Key]*corev1.ConfigMap{tcp: entries, conf: settings},
			Services:   map[store.Key]*corev1.Service{web: service(nil, corev1.ServicePort{Port: 80})},
		})
		var got []string
		for _, s := range r.Config.Settings.Streams {
			got = append(got, fmt.Sprint(s.Port))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("of %v there are %v, want %s", test.ports, got, test.want)
		}
		told := 0
		for _, p := range r.Problems {
			if p.Object.Name == tcp.Name {
				told++
			}
		}
		if told != len(test.ports)-len(got) {
			t.Errorf("of %v %d problems are told, want %d: %v", test.ports, told, len(test.ports)-len(got), r.Problems)
		}
	}
}
