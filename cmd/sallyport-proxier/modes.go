package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/sallyport-ingress/sallyport/controller/proxier"
	"github.com/sallyport-ingress/sallyport/controller/proxier/iptables"
	"github.com/sallyport-ingress/sallyport/controller/proxier/ipvs"
	"github.com/sallyport-ingress/sallyport/controller/proxier/nftables"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/proxier/userspace"
)

// A mode is one way to tell the kernel.
type mode struct {
	supported func(context.Context) error
	open      func(o *options, log *slog.Logger) (proxier.Backend, error)
	cleanup   func(context.Context) error
	render    func(w io.Writer, p *plan.Plan, o *options) error
	// fallback is the mode in whose place this one can't be; "" is none.
	fallback string
}

func modes() map[string]mode {
	return map[string]mode{
		"nftables": {
			supported: nftables.Supported, cleanup: nftables.Cleanup,
			open: func(o *options, log *slog.Logger) (proxier.Backend, error) {
				return backend(nftables.New(nftables.Options{Log: log, Name: o.ServiceProxyName}))
			},
			render: func(w io.Writer, p *plan.Plan, o *options) error {
				return nftables.Render(w, p, nftables.Options{Name: o.ServiceProxyName})
			},
		},
		"iptables": {
			supported: iptables.Supported, cleanup: iptables.Cleanup,
			open: func(_ *options, log *slog.Logger) (proxier.Backend, error) {
				return backend(iptables.New(iptables.Options{Log: log}))
			},
			render: func(w io.Writer, p *plan.Plan, _ *options) error { return iptables.Render(w, p) },
		},
		"ipvs": {
			supported: ipvs.Supported, cleanup: ipvs.Cleanup, fallback: "iptables",
			open:   func(o *options, log *slog.Logger) (proxier.Backend, error) { return backend(ipvs.New(o.ipvs(log))) },
			render: func(w io.Writer, p *plan.Plan, o *options) error { return ipvs.Render(w, p, o.ipvs(nil)) },
		},
		"userspace": {
			supported: userspace.Supported, cleanup: userspace.Cleanup,
			open: func(_ *options, log *slog.Logger) (proxier.Backend, error) {
				return backend(userspace.New(userspace.Options{Log: log}))
			},
			render: func(w io.Writer, p *plan.Plan, _ *options) error { return userspace.Render(w, p) },
		},
	}
}

// backend keeps a nil pointer from becoming a Backend that is not nil.
func backend[B proxier.Backend](b B, err error) (proxier.Backend, error) {
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (o *options) ipvs(log *slog.Logger) ipvs.Options {
	exclude, _ := prefixes(o.ExcludeCIDRs) // parse has checked them
	return ipvs.Options{
		Log: log, Scheduler: o.Scheduler, StrictARP: o.StrictARP, ExcludeCIDRs: exclude,
		TCPTimeout: o.TCPTimeout, TCPFinTimeout: o.TCPFinTimeout, UDPTimeout: o.UDPTimeout,
	}
}

// choose gives the mode that is used, and why it is not the one that was asked
// for.
func choose(ctx context.Context, wanted string) (name string, because, err error) {
	all := modes()
	if wanted == "auto" {
		if all["nftables"].supported(ctx) == nil {
			return "nftables", nil, nil
		}
		wanted = "iptables"
	}
	err = all[wanted].supported(ctx)
	if err == nil {
		return wanted, nil, nil
	}
	instead := all[wanted].fallback
	if instead == "" {
		return "", nil, fmt.Errorf("--proxy-mode %s is not possible here: %w", wanted, err)
	}
	if also := all[instead].supported(ctx); also != nil {
		return "", nil, fmt.Errorf("--proxy-mode %s is not possible here: %w; nor is %s: %w", wanted, err, instead, also)
	}
	return instead, err, nil
}

// cleanup removes all that any mode put into the kernel.
func cleanup(ctx context.Context) error {
	return cleanupAll(ctx, modes())
}

// cleanupOthers removes what modes but the one in use have left of the
// proxier of a name. The tables of other names are of proxiers that may be at
// work beside it; in the modes without such names all is of the one proxier that
// has none.
func cleanupOthers(ctx context.Context, inUse, name string) error {
	all := modes()
	nft := all["nftables"]
	nft.cleanup = func(ctx context.Context) error { return nftables.CleanupOne(ctx, name) }
	if name != "" {
		all = map[string]mode{}
	}
	all["nftables"] = nft
	delete(all, inUse)
	return cleanupAll(ctx, all)
}

func cleanupAll(ctx context.Context, all map[string]mode) error {
	var failed []error
	for name, m := range all {
		if err := m.cleanup(ctx); err != nil {
			failed = append(failed, fmt.Errorf("cleaning up %s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}
