package main

import (
	"log/slog"

	"github.com/spf13/pflag"
)

// ignored are flags of kube-proxy that people have in their manifests and that
// have nothing to do here, with the reason.
var ignored = map[string]string{
	"bind-address":                      "node ports answer at --nodeport-addresses",
	"bind-address-hard-fail":            "a port that is taken is tried again and logged",
	"cleanup-ipvs":                      "--cleanup removes all",
	"config-sync-period":                "changes are watched",
	"conntrack-max-per-core":            "the machine's conntrack settings are left alone",
	"conntrack-min":                     "the machine's conntrack settings are left alone",
	"conntrack-tcp-be-liberal":          "the machine's conntrack settings are left alone",
	"conntrack-tcp-timeout-close-wait":  "the machine's conntrack settings are left alone",
	"conntrack-tcp-timeout-established": "the machine's conntrack settings are left alone",
	"conntrack-udp-timeout":             "the machine's conntrack settings are left alone",
	"conntrack-udp-timeout-stream":      "the machine's conntrack settings are left alone",
	"feature-gates":                     "there are none",
	"iptables-localhost-nodeports":      "127.0.0.1 is served where --nodeport-addresses has it, without route_localnet",
	"kube-api-burst":                    "there is no limit of ours",
	"kube-api-content-type":             "it is protobuf",
	"kube-api-qps":                      "there is no limit of ours",
	"log-flush-frequency":               "a line is written at once",
	"log-json-info-buffer-size":         "a line is written at once",
	"log-json-split-stream":             "the log goes to stderr",
	"log-text-info-buffer-size":         "a line is written at once",
	"log-text-split-stream":             "the log goes to stderr",
	"oom-score-adj":                     "it is for the kubelet or systemd to set",
	"show-hidden-metrics-for-version":   "no metric is hidden",
	"vmodule":                           "-v is for all",
}

// switches are those of them that kube-proxy takes without a value.
var switches = []string{"bind-address-hard-fail", "cleanup-ipvs", "conntrack-tcp-be-liberal", "iptables-localhost-nodeports", "log-json-split-stream", "log-text-split-stream"}

// ignoredFlags declares them. They take any value.
func ignoredFlags(f *pflag.FlagSet) {
	for name, why := range ignored {
		f.String(name, "", "taken without effect: "+why)
		f.Lookup(name).Hidden = true
	}
	for _, name := range switches {
		f.Lookup(name).NoOptDefVal = "true"
	}
}

// tellIgnored says which flags of the command line have no effect.
func tellIgnored(f *pflag.FlagSet, log *slog.Logger) {
	f.Visit(func(one *pflag.Flag) {
		if why, ok := ignored[one.Name]; ok {
			log.Info("flag without effect here", "flag", "--"+one.Name, "because", why)
		}
	})
}
