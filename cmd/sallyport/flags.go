package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/metrics"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// options are the controller's flags as they were given.
type options struct {
	// Where objects come from.
	Manifests, Kubeconfig, APIServer, CertificateAuthority string
	WatchNamespace, WatchNamespaceSelector                 string
	Secrets                                                string
	SyncPeriod                                             time.Duration
	Topology                                               bool

	// Which Ingresses are ours, and what they may say.
	IngressClass, ControllerClass, AnnotationsPrefix string
	WithoutClass, ClassByName, DisableCatchAll       bool
	DisableExternalName, StrictPaths, Passthrough    bool

	// Objects with a part to play.
	ConfigMap, DefaultBackend, DefaultCertificate, PublishService string
	TCPServices, UDPServices                                      string

	// nginx and its ports.
	NginxBinary, WorkDir             string
	ExternalDataPlane                bool
	HTTPPort, HTTPSPort, DefaultPort int
	StatusPort                       int
	HealthzHost, HealthPath          string
	HealthzPort                      int
	ShutdownGrace, PostShutdownGrace int
	SharePorts                       bool
	HealthzSocket                    string
	HealthTimeout                    int
	ReloadRate                       float32 // a second; 0: as many as there are
	PushRetries                      int
	Syslog                           string // where the controller takes log lines

	// Status, Events, election.
	PublishAddress                                 string
	UpdateStatus, UpdateStatusOnShutdown           bool
	NodeInternalIP, DisableElection, DisableEvents bool
	StatusInterval                                 int
	ElectionID                                     string
	ElectionTTL                                    time.Duration

	Geo     geoOptions
	Webhook webhookOptions

	// Metrics and logs.
	Metrics, MetricsPerHost, MetricsPerUndefinedHost bool
	StatusClasses                                    bool
	ExcludedMetrics                                  []string
	CounterRows                                      int
	BucketFactor                                     float64
	MaxBuckets                                       uint32
	TimeBuckets, LengthBuckets, SizeBuckets          []float64
	Profiler                                         profiler
	LogFormat                                        string
	Verbosity                                        int
	Version                                          bool
}

func (o *options) sourceFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Manifests, "manifests", "", "read objects from this folder of YAML and JSON manifests, not from a cluster")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "path of a kubeconfig; without it, and without --apiserver-host, the pod's own service account")
	f.StringVar(&o.APIServer, "apiserver-host", "", "URL of the API server; overrides the kubeconfig's")
	f.StringVar(&o.CertificateAuthority, "certificate-authority", "", "path of the API server's CA certificate, with --apiserver-host")
	f.StringVar(&o.WatchNamespace, "watch-namespace", "", "read Ingresses, Services and endpoints of this namespace only")
	f.StringVar(&o.WatchNamespaceSelector, "watch-namespace-selector", "", "read Ingresses only of namespaces with these labels")
	f.StringVar(&o.Secrets, "secrets", "watch", "how the Secrets that are referred to are read, each by its name: watch, which takes the verbs list and watch and sees a change at once; or get, which takes that verb alone, "+
		"and sees one that is awaited within 2 seconds and a change within 10, as long as they are 1,600 at most")
	f.DurationVar(&o.SyncPeriod, "sync-period", 0, "how often to go through all objects that were read once more, though watches tell of each change; 0 for never")
	f.BoolVar(&o.Topology, "enable-topology-aware-routing", false, "of a Service whose EndpointSlices have hints, use the endpoints for the zone of the pod's node; reads the pod and the node")
}

func (o *options) ingressFlags(f *pflag.FlagSet) {
	f.StringVar(&o.IngressClass, "ingress-class", "nginx", "name of the class that is ours in the old annotation kubernetes.io/ingress.class")
	f.StringVar(&o.ControllerClass, "controller-class", "k8s.io/ingress-nginx", "spec.controller of the IngressClasses that are ours")
	f.BoolVar(&o.WithoutClass, "watch-ingress-without-class", false, "serve Ingresses that name no class")
	f.BoolVar(&o.ClassByName, "ingress-class-by-name", false, "serve the IngressClass named by --ingress-class whatever its controller")
	f.StringVar(&o.AnnotationsPrefix, "annotations-prefix", annotation.DefaultPrefix, "what the names of annotations start with")
	f.StringVar(&o.ConfigMap, "configmap", "", "namespace/name of the ConfigMap with the settings")
	f.StringVar(&o.DefaultBackend, "default-backend-service", "", "namespace/name of the Service for requests that no Ingress takes; its first port is asked")
	f.StringVar(&o.DefaultCertificate, "default-ssl-certificate", "", "namespace/name of the Secret for hosts that have no certificate of their own")
	f.BoolVar(&o.DisableCatchAll, "disable-catch-all", false, "refuse Ingresses with a rule for all hosts")
	f.BoolVar(&o.DisableExternalName, "disable-svc-external-name", false, "serve no Services of type ExternalName")
	f.StringVar(&o.TCPServices, "tcp-services-configmap", "", "namespace/name of the ConfigMap of TCP services; each entry is PORT: namespace/name:port, with :PROXY after it to take the PROXY protocol, and one more to send it")
	f.StringVar(&o.UDPServices, "udp-services-configmap", "", "namespace/name of the ConfigMap of UDP services; each entry is PORT: namespace/name:port")
	f.BoolVar(&o.Passthrough, "enable-ssl-passthrough", false, "hand TLS of hosts with the annotation ssl-passthrough to their Services unopened; wants nginx's stream module")
	f.BoolVar(&o.StrictPaths, "strict-paths", false, "match paths as the Ingress specification says to the letter: no redirect to a missing slash, no merging of slashes (percent-encoding and dots are resolved all the same)")
}

func (o *options) nginxFlags(f *pflag.FlagSet) {
	f.StringVar(&o.NginxBinary, "nginx-binary", "nginx", "the nginx to run")
	f.StringVar(&o.WorkDir, "work-dir", "", "folder for nginx.conf, sockets and temporary files; without it a fresh private one")
	f.BoolVar(&o.ExternalDataPlane, "external-data-plane", false, "nginx is run by the command data-plane in another container, which has the folder of --work-dir too")
	f.IntVar(&o.HTTPPort, "http-port", 80, "port for HTTP")
	f.IntVar(&o.HTTPSPort, "https-port", 443, "port for HTTPS")
	f.IntVar(&o.DefaultPort, "default-server-port", 8181, "port of the server that answers 404 to everything; 0 for none")
	f.StringVar(&o.HealthzHost, "healthz-host", "", "address of /healthz and /metrics; all where empty")
	f.IntVar(&o.HealthzPort, "healthz-port", 10254, "port of /healthz and /metrics")
	f.StringVar(&o.HealthzSocket, "healthz-socket", "", "path of a unix socket that answers /healthz as well, for the command healthy: the probe of one of two that share ports")
	f.BoolVar(&o.SharePorts, "share-ports", false, "let another controller of the same user that has this flag listen on the same ports, as an old pod and its successor on the host network")
	f.StringVar(&o.HealthPath, "health-check-path", "/healthz", "path that tells whether nginx serves")
	f.IntVar(&o.HealthTimeout, "health-check-timeout", 4, "seconds that nginx may take to say that it serves, less than a probe's own")
	f.IntVar(&o.StatusPort, "status-port", 0, "port at 127.0.0.1 where nginx answers /nginx_status, /healthz and /is-dynamic-lb-initialized; 0 for none, as nginx's status is on a unix socket too")
	f.Float32Var(&o.ReloadRate, "sync-rate-limit", 0, "most reloads of nginx in a second, such as 0.3; 0 for no limit. Endpoints, certificates and what else is data never wait")
	f.IntVar(&o.PushRetries, "dynamic-configuration-retries", 15, "how often data that nginx did not take is tried again before the log calls it an error; it is tried on")
	f.IntVar(&o.PostShutdownGrace, "post-shutdown-grace-period", 0, "seconds between the end of nginx, after its last request, and the controller's")
	f.StringVar(&o.Syslog, "internal-logger-address", "", "address and UDP port, such as 127.0.0.1:11514, where lines come in by syslog that go to standard output; for the ConfigMap's syslog-host and syslog-port")
	f.IntVar(&o.ShutdownGrace, "shutdown-grace-period", 0, "seconds to go on serving after SIGTERM, not ready, before nginx is told to quit")
}

func (o *options) statusFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.UpdateStatus, "update-status", true, "write addresses into the status of Ingresses")
	f.BoolVar(&o.UpdateStatusOnShutdown, "update-status-on-shutdown", true, "take them out when the last replica ends")
	f.IntVar(&o.StatusInterval, "status-update-interval", 60, "seconds between two looks at the addresses, at least 5")
	f.StringVar(&o.PublishService, "publish-service", "", "namespace/name of the Service whose addresses Ingresses get")
	f.StringVar(&o.PublishAddress, "publish-status-address", "", "addresses that Ingresses get, parted by commas")
	f.BoolVar(&o.NodeInternalIP, "report-node-internal-ip-address", false, "give Ingresses the internal addresses of nodes, not the external ones")
	f.StringVar(&o.ElectionID, "election-id", "ingress-controller-leader", "name of the Lease by which replicas agree on who writes")
	f.DurationVar(&o.ElectionTTL, "election-ttl", 30*time.Second, "how long a leader that is gone holds the Lease")
	f.BoolVar(&o.DisableElection, "disable-leader-election", false, "write without asking other replicas")
	f.BoolVar(&o.DisableEvents, "disable-sync-events", false, "write no Sync Events")
}

func (o *options) metricsFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.Metrics, "enable-metrics", false, "count requests in nginx")
	f.BoolVar(&o.MetricsPerHost, "metrics-per-host", true, "give request metrics a host label")
	f.BoolVar(&o.MetricsPerUndefinedHost, "metrics-per-undefined-host", false, "count requests for hosts that no Ingress names")
	f.BoolVar(&o.StatusClasses, "report-status-classes", false, "give request metrics the class of a status, as 2xx, not the status")
	f.StringSliceVar(&o.ExcludedMetrics, "exclude-socket-metrics", nil, "request metrics not to show, with or without nginx_ingress_controller_ before the name")
	f.IntVar(&o.CounterRows, "monitor-max-batch-size", 10000, "series of requests that one of nginx's workers counts; what comes beyond is counted as the Ingress _folded")
	f.Float64SliceVar(&o.TimeBuckets, "time-buckets", metrics.DefaultTimeBuckets(), "bounds of the histograms of durations, in seconds")
	f.Float64SliceVar(&o.LengthBuckets, "length-buckets", metrics.DefaultLengthBuckets(), "bounds of the histograms of request and response sizes, in bytes")
	f.Float64SliceVar(&o.SizeBuckets, "size-buckets", metrics.DefaultSizeBuckets(), "bounds of the histogram of bytes sent")
	f.Float64Var(&o.BucketFactor, "bucket-factor", 0, "by how much buckets of native histograms of requests may grow, such as 1.1; 1.09 is the least. Up to 1 there are none. A series takes 10 kB more")
	f.Uint32Var(&o.MaxBuckets, "max-buckets", 100, "most buckets of a native histogram: one with more is shown with coarser ones; 0 for no limit")
	f.StringVar(&o.LogFormat, "log-format", "text", "format of the controller's log: text or json")
	f.IntVarP(&o.Verbosity, "v", "v", 2, "detail of the controller's log; from 3 on, debug")
	f.BoolVar(&o.Version, "version", false, "print the version and exit")
}

// parse reads the command line and checks what can be checked without a
// cluster.
func (o *options) parse(args []string, stderr io.Writer) (*pflag.FlagSet, error) {
	groups := o.flagGroups()
	f := joined(groups)
	f.Usage = func() {
		fmt.Fprintf(stderr, "usage: sallyport [flags]\n       sallyport data-plane|healthy|render|dbg|echo|docs|version …\n\nRuns the Ingress controller.\n\n%s", usages(groups))
	}
	if err := f.Parse(args); err != nil {
		return f, &usageError{err}
	}
	if f.NArg() > 0 {
		return f, usagef("unexpected argument %q", f.Arg(0))
	}
	return f, o.check()
}

func (o *options) check() error {
	for name, port := range map[string]int{"http-port": o.HTTPPort, "https-port": o.HTTPSPort, "healthz-port": o.HealthzPort} {
		if port < 1 || port > 65535 {
			return usagef("--%s %d is not a port", name, port)
		}
	}
	if o.StatusPort < 0 || o.StatusPort > 65535 {
		return usagef("--status-port %d is not a port", o.StatusPort)
	}
	if o.DefaultPort < 0 || o.DefaultPort > 65535 {
		return usagef("--default-server-port %d is not a port", o.DefaultPort)
	}
	if err := o.pace(); err != nil {
		return err
	}
	if err := o.distinctPorts(); err != nil {
		return err
	}
	if err := o.Profiler.check(); err != nil {
		return err
	}
	if o.HealthTimeout < 1 {
		return usagef("--health-check-timeout %d is less than a second", o.HealthTimeout)
	}
	if name := metrics.NoRequestMetric(o.ExcludedMetrics); name != "" {
		return usagef("--exclude-socket-metrics: %q is no metric of requests", name)
	}
	if err := o.Webhook.check(); err != nil {
		return err
	}
	if o.MetricsPerUndefinedHost && !o.MetricsPerHost {
		return usagef("--metrics-per-undefined-host needs --metrics-per-host")
	}
	for name, value := range map[string]string{
		"configmap": o.ConfigMap, "default-backend-service": o.DefaultBackend,
		"default-ssl-certificate": o.DefaultCertificate, "publish-service": o.PublishService,
		"tcp-services-configmap": o.TCPServices, "udp-services-configmap": o.UDPServices,
	} {
		if _, err := parseKey(value); err != nil {
			return usagef("--%s: %v", name, err)
		}
	}
	if errs := validation.IsDNS1123Subdomain(o.AnnotationsPrefix); len(errs) > 0 {
		return usagef("--annotations-prefix %q: %s", o.AnnotationsPrefix, errs[0])
	}
	if o.WatchNamespace != "" && o.WatchNamespaceSelector != "" {
		return usagef("--watch-namespace and --watch-namespace-selector exclude each other")
	}
	if _, err := labels.Parse(o.WatchNamespaceSelector); err != nil {
		return usagef("--watch-namespace-selector: %v", err)
	}
	if o.PublishService != "" && o.PublishAddress != "" {
		return usagef("--publish-service and --publish-status-address exclude each other")
	}
	if o.Manifests != "" && (o.Kubeconfig != "" || o.APIServer != "") {
		return usagef("--manifests excludes --kubeconfig and --apiserver-host")
	}
	if o.ExternalDataPlane && o.WorkDir == "" {
		return usagef("--external-data-plane needs --work-dir, the folder that both containers have")
	}
	if err := o.Geo.check(); err != nil {
		return err
	}
	if o.Secrets != "get" && o.Secrets != "watch" {
		return usagef("--secrets %q is neither get nor watch", o.Secrets)
	}
	if o.LogFormat != "text" && o.LogFormat != "json" {
		return usagef("--log-format %q is neither text nor json", o.LogFormat)
	}
	if o.StatusInterval < 5 {
		return usagef("--status-update-interval %d is less than 5", o.StatusInterval)
	}
	return nil
}

// distinctPorts refuses a port that is given to two listeners.
func (o *options) distinctPorts() error {
	names := []string{"http-port", "https-port", "default-server-port", "healthz-port", "status-port"}
	ports := []int{o.HTTPPort, o.HTTPSPort, o.DefaultPort, o.HealthzPort, o.StatusPort}
	for i, port := range ports {
		if j := slices.Index(ports, port); j < i && port != 0 {
			return usagef("--%s and --%s are both %d", names[j], names[i], port)
		}
	}
	return nil
}

// parseKey reads namespace/name; "" is the zero Key.
func parseKey(text string) (store.Key, error) {
	if text == "" {
		return store.Key{}, nil
	}
	namespace, name, ok := strings.Cut(text, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return store.Key{}, fmt.Errorf("%q is not namespace/name", text)
	}
	return store.Key{Namespace: namespace, Name: name}, nil
}

// buildOptions are the flags that the build needs. parse has checked them.
func (o *options) buildOptions() build.Options {
	key := func(text string) store.Key {
		k, _ := parseKey(text)
		return k
	}
	b := build.Options{
		Classes: build.Classes{
			Controller: o.ControllerClass, Name: o.IngressClass,
			WithoutClass: o.WithoutClass, ByName: o.ClassByName,
		},
		AnnotationsPrefix:  o.AnnotationsPrefix,
		ConfigMap:          key(o.ConfigMap),
		DefaultBackend:     key(o.DefaultBackend),
		DefaultCertificate: key(o.DefaultCertificate),
		DisableCatchAll:    o.DisableCatchAll,
		DisableExternal:    o.DisableExternalName,
		AllowLoopback:      o.Manifests != "",
		StrictPaths:        o.StrictPaths,
		Passthrough:        o.Passthrough,
		TCPServices:        key(o.TCPServices),
		UDPServices:        key(o.UDPServices),
		HealthPort:         o.HealthzPort,
		WebhookPort:        o.Webhook.port(),
		Metrics:            o.Metrics,
	}
	b.Listen.HTTPPort, b.Listen.HTTPSPort, b.Listen.DefaultPort = o.HTTPPort, o.HTTPSPort, o.DefaultPort
	b.Listen.StatusPort = o.StatusPort
	if o.WatchNamespaceSelector != "" {
		b.NamespaceSelector, _ = labels.Parse(o.WatchNamespaceSelector)
	}
	return b
}

// healthAddress is where /healthz and /metrics are.
func (o *options) healthAddress() string {
	return net.JoinHostPort(o.HealthzHost, strconv.Itoa(o.HealthzPort))
}
