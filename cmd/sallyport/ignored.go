package main

import (
	"log/slog"
	"maps"
	"slices"

	"github.com/spf13/pflag"
)

// always are flags of ingress-nginx that ask for what is so in any case: what
// they would turn off stays.
var always = map[string]string{
	"deep-inspect":                 "every text is checked before it can reach nginx.conf",
	"disable-full-test":            "a change is judged with those that share its hosts, and never by nginx",
	"enable-annotation-validation": "annotations are always checked, and one that is wrong is never in force",
}

// ignored are flags of ingress-nginx that are taken and do nothing, with the
// reason that is logged where one is given.
var ignored = map[string]string{
	"enable-ssl-chain-completion": "chains are served as the Secret has them",
	"ssl-passthrough-proxy-port":  "passed connections take a unix socket, not a port",
	"stream-port":                 "stream backends need no port",
	"add_dir_header":              "the log goes to standard error, as --log-format says",
	"alsologtostderr":             "the log goes to standard error, as --log-format says",
	"log_backtrace_at":            "the log goes to standard error, as --log-format says",
	"log_dir":                     "the log goes to standard error, as --log-format says",
	"log_file":                    "the log goes to standard error, as --log-format says",
	"log_file_max_size":           "the log goes to standard error, as --log-format says",
	"logtostderr":                 "the log goes to standard error, as --log-format says",
	"one_output":                  "the log goes to standard error, as --log-format says",
	"skip_headers":                "the log goes to standard error, as --log-format says",
	"skip_log_headers":            "the log goes to standard error, as --log-format says",
	"stderrthreshold":             "the log goes to standard error, as --log-format says",
	"vmodule":                     "the log goes to standard error, as --log-format says",
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
	number("ssl-passthrough-proxy-port", "stream-port")
	toggle("enable-ssl-chain-completion")
	for _, name := range slices.Sorted(maps.Keys(always)) {
		f.Bool(name, true, "taken, and always as if true: "+always[name])
	}
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
		reason, ok := ignored[flag.Name]
		if !ok {
			reason, ok = always[flag.Name]
		}
		if ok && flag.Value.String() != flag.DefValue {
			log.Warn("flag has no effect", "flag", "--"+flag.Name, "because", reason)
		}
	})
}
