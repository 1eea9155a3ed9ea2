package main

import (
	"log/slog"
	"time"

	"github.com/spf13/pflag"
)

// ignored are flags of ingress-nginx that are taken and do nothing, with the
// reason that is logged where one is given.
var ignored = map[string]string{
	"bucket-factor":                 "native histograms need each value, and nginx counts by fixed bounds",
	"deep-inspect":                  "every text is checked before it can reach nginx.conf",
	"disable-full-test":             "a change is judged without nginx",
	"dynamic-configuration-retries": "pushes are acknowledged and tried again until they arrive",
	"enable-annotation-validation":  "annotations are always checked, and one that is wrong is never in force",
	"enable-ssl-chain-completion":   "chains are served as the Secret has them",
	"enable-topology-aware-routing": "topology is not supported by this version",
	"internal-logger-address":       "nginx logs to standard error",
	"max-buckets":                   "native histograms need each value, and nginx counts by fixed bounds",
	"monitor-max-batch-size":        "metrics are not sent in batches",
	"post-shutdown-grace-period":    "the controller ends when nginx has finished its last request",
	"ssl-passthrough-proxy-port":    "passed connections take a unix socket, not a port",
	"status-port":                   "nginx's status is on a unix socket",
	"stream-port":                   "stream backends need no port",
	"sync-period":                   "watches need no resync",
	"sync-rate-limit":               "the first change is applied at once and later ones together",
	"add_dir_header":                "the log goes to standard error, as --log-format says",
	"alsologtostderr":               "the log goes to standard error, as --log-format says",
	"log_backtrace_at":              "the log goes to standard error, as --log-format says",
	"log_dir":                       "the log goes to standard error, as --log-format says",
	"log_file":                      "the log goes to standard error, as --log-format says",
	"log_file_max_size":             "the log goes to standard error, as --log-format says",
	"logtostderr":                   "the log goes to standard error, as --log-format says",
	"one_output":                    "the log goes to standard error, as --log-format says",
	"skip_headers":                  "the log goes to standard error, as --log-format says",
	"skip_log_headers":              "the log goes to standard error, as --log-format says",
	"stderrthreshold":               "the log goes to standard error, as --log-format says",
	"vmodule":                       "the log goes to standard error, as --log-format says",
}

// ignoredFlags declares them with their types, so that a command line written
// for ingress-nginx parses.
func ignoredFlags(f *pflag.FlagSet) {
	text := func(names ...string) {
		for _, n := range names {
			f.String(n, "", "taken and ignored: "+ignored[n])
		}
	}
	number := func(names ...string) {
		for _, n := range names {
			f.Float64(n, 0, "taken and ignored: "+ignored[n])
		}
	}
	toggle := func(names ...string) {
		for _, n := range names {
			f.Bool(n, false, "taken and ignored: "+ignored[n])
		}
	}
	span := func(names ...string) {
		for _, n := range names {
			f.Duration(n, time.Duration(0), "taken and ignored: "+ignored[n])
		}
	}
	text("internal-logger-address")
	number("bucket-factor", "dynamic-configuration-retries", "max-buckets",
		"monitor-max-batch-size", "post-shutdown-grace-period", "ssl-passthrough-proxy-port", "status-port", "stream-port", "sync-rate-limit")
	f.Bool("enable-annotation-validation", true, "taken, and always as if true: "+ignored["enable-annotation-validation"])
	toggle("deep-inspect", "disable-full-test", "enable-ssl-chain-completion",
		"enable-topology-aware-routing")
	span("sync-period")
	// klog's, which ingress-nginx took as well.
	text("log_backtrace_at", "log_dir", "log_file", "vmodule")
	number("log_file_max_size")
	toggle("add_dir_header", "alsologtostderr", "logtostderr", "one_output", "skip_headers", "skip_log_headers")
	text("stderrthreshold")
}

// tellIgnored says of each ignored flag that was given why it does nothing,
// unless what it asks for is so anyway.
func tellIgnored(f *pflag.FlagSet, log *slog.Logger) {
	f.Visit(func(flag *pflag.Flag) {
		if reason, ok := ignored[flag.Name]; ok && flag.Value.String() != flag.DefValue {
			log.Warn("flag has no effect", "flag", "--"+flag.Name, "because", reason)
		}
	})
}
