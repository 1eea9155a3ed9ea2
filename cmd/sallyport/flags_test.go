package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
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

// At least 68 of the 72 do what they ask for; each that does not says so.
func TestFlagsOfIngressNginxWork(t *testing.T) {
	var works, asked, without []string
	for _, name := range strings.Fields(ingressNginxFlags) {
		var o options
		value := o.flagSet().Lookup(name).DefValue
		if _, err := (&options{}).parse([]string{"--" + name + "=" + strings.Trim(value, "[]")}, io.Discard); err != nil {
			t.Errorf("--%s with its default: %v", name, err)
		}
		switch {
		case ignored[name] != "":
			without = append(without, name)
		case always[name] != "":
			asked = append(asked, name)
		default:
			works = append(works, name)
		}
	}
	t.Logf("%d work; %d ask for what is so in any case: %v; %d have no effect: %v", len(works), len(asked), asked, len(without), without)
	if n := len(works) + len(asked); n < 68 {
		t.Errorf("%d do what they ask for", n)
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
		"--status-update-interval 1":                   "--status-update-interval",
		"--profiler-port 70000":                        "--profiler-port",
		"--profiler-address x":                         "profiler-address",
		"--health-check-timeout 0":                     "--health-check-timeout",
		"--exclude-socket-metrics requests,build_info": "build_info",
		"--status-port 70000":                          "--status-port",
		"--status-port 80":                             "both 80",
		"--sync-rate-limit -1":                         "--sync-rate-limit",
		"--sync-rate-limit NaN":                        "--sync-rate-limit",
		"--sync-rate-limit 1e-9":                       "--sync-rate-limit",
		"--dynamic-configuration-retries -1":           "--dynamic-configuration-retries",
		"--monitor-max-batch-size 0":                   "--monitor-max-batch-size",
		"--post-shutdown-grace-period -1":              "--post-shutdown-grace-period",
		"--sync-period 1ms":                            "--sync-period",
		"--internal-logger-address localhost":          "--internal-logger-address",
		"--internal-logger-address example.org:514":    "--internal-logger-address",
		"--bucket-factor NaN":                          "--bucket-factor",
		"--no-such-flag":                               "no-such-flag",
		"--version extra":                              "extra",
		"nonsense":                                     "nonsense",
		"render":                                       "name the files",
		"render --http-port 0 x":                       "--http-port",
	} {
		var stdout, stderr bytes.Buffer
		status := dispatch(context.Background(), strings.Fields(line), &stdout, &stderr)
		if status != 2 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: status %d, %q", line, status, stderr.String())
		}
	}
}

// Each flag is under one heading, and each heading has some.
func TestFlagsAreGrouped(t *testing.T) {
	var o options
	groups := o.flagGroups()
	count := 0
	for _, g := range groups {
		own := 0
		g.flags.VisitAll(func(*pflag.Flag) { own++ })
		if own == 0 {
			t.Errorf("%s: no flags", g.title)
		}
		count += own
	}
	joined(groups).VisitAll(func(*pflag.Flag) { count-- })
	if count != 0 {
		t.Errorf("%d flags are in two groups", count)
	}
}

// An ignored flag that is set is named once, with the reason; the others and
// those that work are not.
func TestIgnoredFlagsAreTold(t *testing.T) {
	told := slices.Concat(slices.Collect(maps.Keys(ignored)), slices.Collect(maps.Keys(always)))
	for _, name := range told {
		var o options
		f := o.flagSet()
		value := map[string]string{"bool": "true", "duration": "7s", "float64": "7", "string": "x"}[f.Lookup(name).Value.Type()]
		if f.Lookup(name).DefValue == "true" {
			value = "false"
		}
		if err := f.Parse([]string{"--" + name + "=" + value, "--enable-metrics"}); err != nil {
			t.Errorf("--%s: %v", name, err)
			continue
		}
		var out bytes.Buffer
		tellIgnored(f, slog.New(slog.NewTextHandler(&out, nil)))
		if strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "--"+name+" ") {
			t.Errorf("--%s: %q", name, out.String())
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
