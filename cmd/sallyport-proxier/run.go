package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/proxier"
	"github.com/sallyport-ingress/sallyport/controller/proxier/iptables"
	"github.com/sallyport-ingress/sallyport/controller/proxier/metrics"
	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
	"github.com/sallyport-ingress/sallyport/controller/proxier/planner"
	"github.com/sallyport-ingress/sallyport/controller/proxier/userspace"
	"github.com/sallyport-ingress/sallyport/controller/status"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// proxierCommand runs the proxier until ctx ends, or cleans up.
func proxierCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags, err := o.parse(args, stderr)
	if err != nil {
		return err
	}
	if o.Version {
		return printVersion(ctx, nil, stdout, stderr)
	}
	log := newLog(o, stderr)
	if o.Cleanup {
		if err := cleanup(ctx); err != nil {
			return err
		}
		log.Info("cleaned up")
		return nil
	}
	tellIgnored(flags, log)
	klog.SetSlogLogger(log) // what client-go says goes where we say it
	return run(ctx, &o, flags, log)
}

// run is the whole wiring, in the order of dependence.
func run(ctx context.Context, o *options, flags *pflag.FlagSet, log *slog.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	thrifty()

	// Where objects come from. A folder that isn't there is told before the
	// kernel is touched.
	if o.Manifests != "" {
		if err := store.CheckFolder(o.Manifests); err != nil {
			return fmt.Errorf("--manifests: %w", err)
		}
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	objects := o.store(client, log)

	// What the kernel is told, and in which way.
	mode, because, err := choose(ctx, o.Mode)
	if ctx.Err() != nil {
		return nil // what was asked was cut off, and says nothing about this machine
	}
	if err != nil {
		return err
	}
	kernel, err := modes()[mode].open(o, log)
	if err != nil {
		return fmt.Errorf("--proxy-mode %s: %w", mode, err)
	}
	backend := &both{kernel, userspace.NewLoopback(log)}
	options, err := o.planner()
	if err != nil {
		return err
	}
	plans := planner.New(options)

	// What is told to the outside.
	counters := metrics.New(metrics.Options{
		Mode: mode, Wanted: o.Mode, Version: version, Families: families(), Connections: backend.Connections,
	})
	watcher := newWatcher(o, mode, plans.Eligible, counters, log)
	if t, ok := kernel.(*iptables.Backend); ok {
		watcher.rules = t.Rules
	}
	// Traffic goes the new way before the old one is taken out.
	watcher.first = func() {
		if err := cleanupOthers(ctx, mode, o.ServiceProxyName); err != nil && ctx.Err() == nil {
			log.Warn("what another mode left behind could not all be removed", "error", err)
		}
		settle()
	}
	tasks := newTasks()
	problems := &problems{metrics: counters, publish: func([]model.Problem) {}}
	if client != nil {
		writer := o.events(client, log)
		problems.publish = func(all []model.Problem) { writer.Publish(status.State{Problems: all}) }
		tasks.start("writing Events", func() error { return writer.Run(ctx) })
	}
	if because != nil {
		log.Error("this machine can't do the mode that was asked for", "wanted", o.Mode, "using", mode, "because", because)
		problems.own = []model.Problem{{
			Object: model.Object{Kind: "Node", Name: o.nodeName()}, Field: "--proxy-mode",
			Reason: fmt.Sprintf("%s is not possible here, using %s in its place: %v", o.Mode, mode, because),
		}}
		problems.report(nil)
	}
	log.Info("starting", "version", version, "mode", mode, "node", o.nodeName(),
		"healthz", o.HealthzAddress, "metrics", o.MetricsAddress)

	loop := proxier.New(proxier.Options{
		Store: objects, Planner: plans, Backend: backend,
		MinSync: o.MinSyncPeriod, SyncPeriod: o.SyncPeriod,
		Observer: watcher, Report: problems.report,
		More: func() []model.Problem { return append(backend.problems(), watcher.problems()...) },
		Log:  log,
	})
	tasks.start("reading objects", func() error { return objects.Run(ctx) })
	tasks.start("the proxier", func() error { return loop.Run(ctx) })
	watcher.start(ctx, o, metrics.Pages{Mode: mode, Flags: values(flags), Profiling: o.Profiling}, tasks, log)

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-tasks.failed:
	}
	stop()
	tasks.wait()
	watcher.ports.Close()
	failed = errors.Join(failed, backend.Close())
	if mode == "userspace" {
		log.Info("ended")
	} else {
		log.Info("ended; the kernel goes on with what it was told")
	}
	return failed
}

// thrifty keeps what is read at the start and stays close together: where more
// garbage is made between two collections, it leaves holes in all pages, which
// no later collection closes (12 MB at 10,000 Services with Go's own 100). settle
// is for the time after the first round, and gives back what the start took
// beyond what it left. Who sets GOGC knows better.
func thrifty() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

func settle() {
	if os.Getenv("GOGC") == "" {
		// A change makes little garbage, and what the process holds is mostly what
		// the cluster is: so it is cheap to let it grow less than Go would.
		debug.SetGCPercent(60)
	}
	time.AfterFunc(time.Second, debug.FreeOSMemory)
}

// values are the flags in use.
func values(flags *pflag.FlagSet) map[string]any {
	all := map[string]any{}
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			all[f.Name] = f.Value.String()
		}
	})
	return all
}

// families are those of this machine.
func families() []plan.Family {
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		return []plan.Family{plan.IPv4}
	}
	return []plan.Family{plan.IPv4, plan.IPv6}
}
