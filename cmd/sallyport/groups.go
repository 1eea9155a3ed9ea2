package main

import (
	"strings"

	"github.com/spf13/pflag"
)

// A flagGroup is a heading of --help and the flags under it.
type flagGroup struct {
	title string
	flags *pflag.FlagSet
}

// flagGroups declares the flags, under ingress-nginx's names where it has one.
func (o *options) flagGroups() []flagGroup {
	var groups []flagGroup
	group := func(title string, declare ...func(*pflag.FlagSet)) {
		f := pflag.NewFlagSet(title, pflag.ContinueOnError)
		f.SortFlags = false
		for _, d := range declare {
			d(f)
		}
		groups = append(groups, flagGroup{title, f})
	}
	group("Where objects come from", o.sourceFlags)
	group("Ingresses and the objects beside them", o.ingressFlags)
	group("nginx, its ports, and health", o.nginxFlags)
	group("GeoIP", o.Geo.flags)
	group("Status, Events and election", o.statusFlags)
	group("Admission", o.Webhook.flags)
	group("Metrics, logs and profiles", o.metricsFlags, o.Profiler.flags)
	group("Taken and of no effect, each said at the start where it is given", ignoredFlags)
	return groups
}

// flagSet is all groups in one.
func (o *options) flagSet() *pflag.FlagSet { return joined(o.flagGroups()) }

func joined(groups []flagGroup) *pflag.FlagSet {
	f := pflag.NewFlagSet("sallyport", pflag.ContinueOnError)
	f.SortFlags = false
	for _, g := range groups {
		f.AddFlagSet(g.flags)
	}
	return f
}

// usages are the flags as --help shows them.
func usages(groups []flagGroup) string {
	var b strings.Builder
	for i, g := range groups {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(g.title + ":\n" + g.flags.FlagUsagesWrapped(110))
	}
	return b.String()
}
