package e2e

import (
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// Two pods of one Service that call the same container port by one name and
// different numbers: each slice says its own.
const named = `apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports:
  - {name: main, port: 80, targetPort: http}
  - {name: side, port: 81, targetPort: 9999}
  - {name: udp, port: 80, targetPort: 7777, protocol: UDP}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: udp, port: 7777, protocol: UDP}, {name: main, port: 1001}, {name: side, port: 9999}]
endpoints: [{addresses: [10.244.24.1]}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-2, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: main, port: 2002}, {name: side, port: 9999}]
endpoints: [{addresses: [10.244.24.2]}]
`

func TestPorts(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		mains := cluster.Echo(t, "main", "10.244.24.1:1001", "10.244.24.2:2002")
		cluster.Echo(t, "side", "10.244.24.1:9999", "10.244.24.2:9999")
		w.Apply(t, named)
		w.Apply(t, ingress{name: "web", rules: []string{
			rule("Prefix", "number.example.org", "/", "web:80"),
			rule("Prefix", "name.example.org", "/", "web:main"),
			rule("Prefix", "side.example.org", "/", "web:81"),
			rule("Prefix", "none.example.org", "/", "web:82"),
			rule("Prefix", "noname.example.org", "/", "web:nope"),
			rule("Prefix", "target.example.org", "/", "web:1001"),
		}}.String())
		s := w.launch(t)
		for range 8 {
			requests(t, s, "http://number.example.org/", "main", "http://name.example.org/", "main", "http://side.example.org/", "side")
		}
		if got := mains.Served(); got["10.244.24.1:1001"] == 0 || got["10.244.24.2:2002"] == 0 {
			t.Errorf("each slice has its own number for the port; requests went to %v", got)
		}
		requests(t, s, "http://none.example.org/", "503", "http://noname.example.org/", "503", "http://target.example.org/", "503")
		logged(t, s, "default/web", "82")
	})
}
