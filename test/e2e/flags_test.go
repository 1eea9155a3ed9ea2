package e2e

import (
	"os"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// In a pod neither a kubeconfig nor an address is named.
func TestInsideACluster(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("covering /run with a pod's takes root, which CI has")
		}
		t.Skip("covering /run with a pod's takes root")
	}
	w := inCluster(t)
	apps(t, w, 104, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	pod, err := w.cluster().Pod(cluster.Controller)
	if err != nil {
		t.Fatal(err)
	}
	s := cluster.Launch(t, cluster.Options{Env: pod})
	requests(t, s, "http://a.example.org/", "web")
	// The API server at an address of one's choice.
	other := cluster.Launch(t, cluster.Options{Args: append(w.args(t), "--apiserver-host="+w.cluster().URL())})
	requests(t, other, "http://a.example.org/", "web")
}

// Without any right the controller says what it may not do, serves nothing as
// if it knew, and ends when it is told to.
func TestWithoutRights(t *testing.T) {
	w := inCluster(t)
	path, err := w.cluster().Kubeconfig(cluster.Stranger)
	if err != nil {
		t.Fatal(err)
	}
	s := cluster.Launch(t, cluster.Options{Args: []string{"--kubeconfig=" + path}, Unready: true})
	logged(t, s, "forbidden", "ingresses")
	logged(t, s, "forbidden", "endpointslices")
	if got := s.Healthz(); got == 200 {
		t.Error("it is ready, and has read nothing")
	}
	s.Stop(t)
}

func TestAnnotationsPrefix(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 105, "web")
		ours, theirs := web("ours", "ours.example.org", "web"), web("theirs", "theirs.example.org", "web")
		ours.annotations = map[string]string{"edge.example.org/force-ssl-redirect": "true"}
		theirs.annotations = map[string]string{"nginx.ingress.kubernetes.io/force-ssl-redirect": "true"}
		w.Apply(t, ours.String()+theirs.String())
		s := w.launch(t, "--annotations-prefix=edge.example.org")
		requests(t, s, "http://ours.example.org/x", "308 https://ours.example.org/x", "http://theirs.example.org/x", "web")
	})
}

func TestDisableCatchAll(t *testing.T) {
	eachSource(t, func(t *testing.T, w *world) {
		apps(t, w, 106, "web")
		w.Apply(t, web("web", "a.example.org", "web").String()+ingress{name: "greedy", fallback: "web"}.String()+web("any", "", "web").String())
		s := w.launch(t, "--disable-catch-all")
		requests(t, s, "http://a.example.org/", "web", "http://nobody.example.org/", "404")
		logged(t, s, "default/greedy")
		logged(t, s, "default/any")
	})
}

// A command line that was written for ingress-nginx works as it is.
func TestTheFlagsOfIngressNginx(t *testing.T) {
	w := inFolder(t)
	apps(t, w, 107, "web")
	w.Apply(t, web("web", "a.example.org", "web").String())
	s := w.launch(t,
		"--annotations-prefix=nginx.ingress.kubernetes.io", "--apiserver-host=", "--bucket-factor=0", "--certificate-authority=", "--configmap=",
		"--controller-class=k8s.io/ingress-nginx", "--deep-inspect=true", "--default-backend-service=", "--default-ssl-certificate=",
		"--disable-catch-all=false", "--disable-full-test=false", "--disable-leader-election=false", "--disable-svc-external-name=false",
		"--disable-sync-events=false", "--dynamic-configuration-retries=15", "--election-id=ingress-controller-leader", "--election-ttl=30s",
		"--enable-annotation-validation=true", "--enable-metrics=false", "--enable-ssl-chain-completion=false", "--enable-ssl-passthrough=false",
		"--enable-topology-aware-routing=false", "--exclude-socket-metrics=", "--health-check-path=/healthz", "--health-check-timeout=10",
		"--healthz-host=", "--ingress-class-by-name=false", "--ingress-class=nginx", "--internal-logger-address=127.0.0.1:11514", "--kubeconfig=",
		"--length-buckets=10,20,30", "--max-buckets=100", "--maxmind-edition-ids=GeoLite2-City,GeoLite2-ASN", "--maxmind-license-key=",
		"--maxmind-mirror=", "--maxmind-retries-count=1", "--maxmind-retries-timeout=0s", "--metrics-per-host=true", "--metrics-per-undefined-host=false",
		"--monitor-max-batch-size=10000", "--post-shutdown-grace-period=1", "--profiler-address=127.0.0.1", "--profiler-port=10245", "--profiling=true",
		"--publish-service=", "--publish-status-address=", "--report-node-internal-ip-address=false", "--report-status-classes=false",
		"--shutdown-grace-period=0", "--size-buckets=10,100", "--ssl-passthrough-proxy-port=442", "--status-port=10246", "--status-update-interval=60",
		"--stream-port=10247", "--sync-period=0s", "--sync-rate-limit=0.3", "--tcp-services-configmap=", "--time-buckets=0.005,0.01",
		"--udp-services-configmap=", "--update-status-on-shutdown=true", "--update-status=true", "--validating-webhook-certificate=",
		"--validating-webhook-key=", "--validating-webhook=", "--watch-ingress-without-class=false", "--watch-namespace-selector=", "--watch-namespace=", "-v=2",
	)
	requests(t, s, "http://a.example.org/", "web")
}
