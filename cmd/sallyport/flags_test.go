package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// ingressNginxFlags are those of ingress-nginx v1.15.1.
const ingressNginxFlags = `annotations-prefix apiserver-host bucket-factor certificate-authority configmap controller-class deep-inspect
	default-backend-service default-server-port default-ssl-certificate disable-catch-all disable-full-test disable-leader-election
	disable-svc-external-name disable-sync-events dynamic-configuration-retries election-id election-ttl enable-annotation-validation
	enable-metrics enable-ssl-chain-completion enable-ssl-passthrough enable-topology-aware-routing exclude-socket-metrics health-check-path
	health-check-timeout healthz-host healthz-port http-port https-port ingress-class-by-name ingress-class internal-logger-address kubeconfig
	length-buckets max-buckets maxmind-edition-ids maxmind-license-key maxmind-mirror maxmind-retries-count maxmind-retries-timeout
	metrics-per-host metrics-per-undefined-host monitor-max-batch-size post-shutdown-grace-period profiler-address profiler-port profiling
	publish-service publish-status-address report-node-internal-ip-address report-status-classes shutdown-grace-period size-buckets
	ssl-passthrough-proxy-port status-port status-update-interval stream-port sync-period sync-rate-limit tcp-services-configmap time-buckets
	udp-services-configmap update-status-on-shutdown update-status validating-webhook-certificate validating-webhook-key validating-webhook
	version watch-ingress-without-class watch-namespace-selector watch-namespace`

func TestFlagsOfIngressNginxAreTaken(t *testing.T) {
	var o options
	f := o.flagSet()
	names := strings.Fields(ingressNginxFlags)
	if len(names) != 72 {
		t.Fatalf("%d names", len(names))
	}
	for _, name := range names {
		if f.Lookup(name) == nil {
			t.Errorf("--%s is not taken", name)
		}
	}
	for name := range ignored {
		if f.Lookup(name) == nil {
			t.Errorf("--%s is in the list of ignored flags and not declared", name)
		}
	}
}

// A wrong command line ends with status 2 and a line that names the flag.
func TestWrongCommandLines(t *testing.T) {
	for line, want := range map[string]string{
		"--http-port 0":                                            "--http-port",
		"--http-port 99999":                                        "--http-port",
		"--http-port x":                                            "http-port",
		"--http-port 80 --https-port 80":                           "both 80",
		"--configmap nons":                                         "--configmap",
		"--default-ssl-certificate a/b/c":                          "--default-ssl-certificate",
		"--watch-namespace a --watch-namespace-selector b=c":       "exclude each other",
		"--watch-namespace-selector a=b=c":                         "--watch-namespace-selector",
		"--publish-service a/b --publish-status-address 192.0.2.1": "exclude each other",
		"--manifests x --kubeconfig y":                             "--manifests",
		"--log-format xml":                                         "--log-format",
		"--secrets list":                                           "--secrets",
		"--validating-webhook :1 --validating-webhook-key k":       "--validating-webhook-configuration",
		"--validating-webhook :1 --validating-webhook-key k --validating-webhook-certificate c --validating-webhook-configuration x": "excludes",
		"--status-update-interval 1": "--status-update-interval",
		"--no-such-flag":             "no-such-flag",
		"--version extra":            "extra",
		"nonsense":                   "nonsense",
		"render":                     "name the files",
		"render --http-port 0 x":     "--http-port",
	} {
		var stdout, stderr bytes.Buffer
		status := dispatch(context.Background(), strings.Fields(line), &stdout, &stderr)
		if status != 2 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: status %d, %q", line, status, stderr.String())
		}
	}
}

// Asking for help is no error.
func TestHelp(t *testing.T) {
	for _, line := range []string{"--help", "-h", "render --help", "echo --help"} {
		var stdout, stderr bytes.Buffer
		if status := dispatch(context.Background(), strings.Fields(line), &stdout, &stderr); status != 0 || stderr.Len() == 0 {
			t.Errorf("%s: status %d, %q", line, status, stderr.String())
		}
	}
}
