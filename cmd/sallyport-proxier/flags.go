package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sallyport-ingress/sallyport/controller/proxier/health/httpd"
	"github.com/sallyport-ingress/sallyport/controller/proxier/ipvs"
	"github.com/sallyport-ingress/sallyport/controller/proxier/planner"
)

// options are the flags as they were given.
type options struct {
	// Where objects come from, and for which node.
	Manifests, Kubeconfig, APIServer string
	Hostname, ServiceProxyName       string

	// What is done with traffic.
	Mode              string
	ClusterCIDR       string
	DetectLocalMode   string
	Bridge, Interface string
	MasqueradeAll     bool
	MasqueradeBit     int
	NodePortAddresses []string

	// How.
	SyncPeriod    time.Duration
	MinSyncPeriod time.Duration
	Scheduler     string
	StrictARP     bool
	ExcludeCIDRs  []string
	TCPTimeout    time.Duration
	TCPFinTimeout time.Duration
	UDPTimeout    time.Duration

	// What is told.
	HealthzAddress, MetricsAddress string
	Profiling                      bool
	LogFormat                      string
	Verbosity                      int

	Cleanup, Version bool
}

// The ports where an address is given without one.
const (
	healthzPort = 10256
	metricsPort = 10249
)

// flagSet declares the flags, in groups, under kube-proxy's names where it has
// one.
func (o *options) flagSet() *pflag.FlagSet {
	f := pflag.NewFlagSet("sallyport-proxier", pflag.ContinueOnError)
	f.SortFlags = false
	o.sourceFlags(f)
	o.trafficFlags(f)
	o.modeFlags(f)
	o.reportFlags(f)
	ignoredFlags(f)
	return f
}

func (o *options) sourceFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Manifests, "manifests", "", "read objects from this folder of YAML and JSON manifests, not from a cluster")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "path of a kubeconfig; without it, and without --master, the pod's own service account")
	f.StringVar(&o.APIServer, "master", "", "URL of the API server; overrides the kubeconfig's")
	f.StringVar(&o.Hostname, "hostname-override", "", "name of this machine's Node object; without it the NODE_NAME of the environment, else the host name in lower case")
	f.StringVar(&o.ServiceProxyName, "service-proxy-name", "", "serve the Services whose label service.kubernetes.io/service-proxy-name has this value; without it those that don't have the label")
}

func (o *options) trafficFlags(f *pflag.FlagSet) {
	f.StringVar(&o.ClusterCIDR, "cluster-cidr", "", "addresses of all pods, one CIDR for each family, parted by a comma; used to tell local pods by --detect-local-mode=ClusterCIDR")
	f.StringVar(&o.DetectLocalMode, "detect-local-mode", "ClusterCIDR", "how traffic of local pods is told from other: ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix")
	f.StringVar(&o.Bridge, "pod-bridge-interface", "", "name of the pods' bridge, for --detect-local-mode=BridgeInterface")
	f.StringVar(&o.Interface, "pod-interface-name-prefix", "", "how the names of the pods' interfaces begin, for --detect-local-mode=InterfaceNamePrefix")
	f.BoolVar(&o.MasqueradeAll, "masquerade-all", false, "hide the source of all that goes to a cluster IP")
	f.IntVar(&o.MasqueradeBit, "iptables-masquerade-bit", 14, "bit of the packet mark that says what is to be masqueraded, 0 to 31; in all modes")
	f.StringSliceVar(&o.NodePortAddresses, "nodeport-addresses", nil, "CIDRs of the addresses at which node ports answer, parted by commas, or the word primary for the Node's own; without it all of this machine")
}

func (o *options) modeFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Mode, "proxy-mode", "nftables", "nftables, iptables, ipvs, userspace, or auto: nftables where the kernel has it, else iptables")
	f.DurationVar(&o.SyncPeriod, "iptables-sync-period", 30*time.Second, "how long what the kernel refused waits to be tried again; in all modes")
	f.DurationVar(&o.MinSyncPeriod, "min-sync-period", 0, "least time between two rounds of changes: the first comes at once, what follows within it comes together")
	for _, name := range []string{"iptables-min-sync-period", "ipvs-min-sync-period", "nftables-min-sync-period"} {
		f.DurationVar(&o.MinSyncPeriod, name, 0, "the same as --min-sync-period")
	}
	for _, name := range []string{"ipvs-sync-period", "nftables-sync-period"} {
		f.DurationVar(&o.SyncPeriod, name, 30*time.Second, "the same as --iptables-sync-period")
	}
	f.StringVar(&o.Scheduler, "ipvs-scheduler", "rr", "how ipvs chooses: rr, wrr, lc, wlc, dh, sh, sed, nq, mh")
	f.BoolVar(&o.StrictARP, "ipvs-strict-arp", false, "answer ARP for no address of the ipvs device (arp_ignore 1, arp_announce 2)")
	f.StringSliceVar(&o.ExcludeCIDRs, "ipvs-exclude-cidrs", nil, "CIDRs whose virtual servers are somebody else's and left alone, parted by commas")
	f.DurationVar(&o.TCPTimeout, "ipvs-tcp-timeout", 0, "how long ipvs keeps an idle TCP connection; 0 leaves it as it is")
	f.DurationVar(&o.TCPFinTimeout, "ipvs-tcpfin-timeout", 0, "how long ipvs keeps a TCP connection after a FIN; 0 leaves it as it is")
	f.DurationVar(&o.UDPTimeout, "ipvs-udp-timeout", 0, "how long ipvs keeps an idle UDP flow; 0 leaves it as it is")
	f.BoolVar(&o.Cleanup, "cleanup", false, "remove all that any mode ever put into this kernel, and end")
}

func (o *options) reportFlags(f *pflag.FlagSet) {
	f.StringVar(&o.HealthzAddress, "healthz-bind-address", "0.0.0.0:10256", "address and port of /healthz and /livez; empty for none")
	f.StringVar(&o.MetricsAddress, "metrics-bind-address", "127.0.0.1:10249", "address and port of /metrics; empty for none")
	f.BoolVar(&o.Profiling, "profiling", false, "serve /debug/pprof at the metrics address")
	f.StringVar(&o.LogFormat, "log-format", "text", "text or json")
	f.StringVar(&o.LogFormat, "logging-format", "text", "the same as --log-format")
	f.IntVarP(&o.Verbosity, "v", "v", 2, "how much is logged: 3 and more is all")
	f.BoolVar(&o.Version, "version", false, "print the version and end")
}

// parse reads the command line and checks what one flag alone, or two
// together, can't mean.
func (o *options) parse(args []string, stderr io.Writer) (*pflag.FlagSet, error) {
	f := o.flagSet()
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintf(stderr, "usage: sallyport-proxier [plan|version] [flags]\n\n%s", f.FlagUsages())
	}
	if err := f.Parse(args); err != nil {
		if err == pflag.ErrHelp {
			return nil, err
		}
		return nil, &usageError{err}
	}
	if f.NArg() > 0 {
		return nil, usagef("%q is not a flag", f.Arg(0))
	}
	if o.Version {
		return f, nil
	}
	return f, o.check()
}

func (o *options) check() error {
	if _, ok := modes()[o.Mode]; !ok && o.Mode != "auto" {
		return usagef("--proxy-mode %q is none of nftables, iptables, ipvs, userspace, auto", o.Mode)
	}
	if err := ipvs.CheckScheduler(o.Scheduler); err != nil {
		return usagef("--ipvs-scheduler: %v", err)
	}
	if o.Manifests != "" && (o.Kubeconfig != "" || o.APIServer != "") {
		return usagef("--manifests excludes --kubeconfig and --master")
	}
	if o.LogFormat != "text" && o.LogFormat != "json" {
		return usagef("--log-format %q is neither text nor json", o.LogFormat)
	}
	if o.MasqueradeBit < 0 || o.MasqueradeBit > 31 {
		return usagef("--iptables-masquerade-bit %d is not 0 to 31", o.MasqueradeBit)
	}
	for name, d := range map[string]time.Duration{
		"min-sync-period": o.MinSyncPeriod, "iptables-sync-period": o.SyncPeriod - 1,
		"ipvs-tcp-timeout": o.TCPTimeout, "ipvs-tcpfin-timeout": o.TCPFinTimeout, "ipvs-udp-timeout": o.UDPTimeout,
	} {
		if d < 0 {
			return usagef("--%s is too short", name)
		}
	}
	var err error
	if o.HealthzAddress, err = httpd.Address(o.HealthzAddress, healthzPort); err != nil {
		return usagef("--healthz-bind-address: %v", err)
	}
	if o.MetricsAddress, err = httpd.Address(o.MetricsAddress, metricsPort); err != nil {
		return usagef("--metrics-bind-address: %v", err)
	}
	if _, err := prefixes(o.ExcludeCIDRs); err != nil {
		return usagef("--ipvs-exclude-cidrs: %v", err)
	}
	p, err := o.planner()
	if err != nil {
		return err
	}
	if err := p.Check(); err != nil {
		return &usageError{err}
	}
	return nil
}

// prefixes reads CIDRs.
func prefixes(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%q is not a CIDR", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// planner are the flags that the plan depends on.
func (o *options) planner() (planner.Options, error) {
	p := planner.Options{
		NodeName:          o.nodeName(),
		ServiceProxyName:  o.ServiceProxyName,
		MasqueradeAll:     o.MasqueradeAll,
		MasqueradeMark:    1 << o.MasqueradeBit,
		NodePortAddresses: o.NodePortAddresses,
		Detect: planner.DetectOptions{
			Mode: o.DetectLocalMode, Bridge: o.Bridge, InterfacePrefix: o.Interface,
		},
	}
	if o.ClusterCIDR != "" {
		cidrs, err := prefixes(strings.Split(o.ClusterCIDR, ","))
		if err != nil {
			return p, usagef("--cluster-cidr: %v", err)
		}
		p.Detect.ClusterCIDRs = cidrs
	}
	return p, nil
}

// nodeName is the name of this machine's Node.
func (o *options) nodeName() string {
	name := o.Hostname
	if name == "" {
		name = os.Getenv("NODE_NAME")
	}
	if name == "" {
		name, _ = os.Hostname() // without one there is no Node either, which is told
	}
	return strings.ToLower(strings.TrimSpace(name))
}

func newLog(o options, w io.Writer) *slog.Logger {
	h := &slog.HandlerOptions{Level: slog.LevelInfo}
	if o.Verbosity >= 3 {
		h.Level = slog.LevelDebug
	}
	if o.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, h))
	}
	return slog.New(slog.NewTextHandler(w, h))
}
