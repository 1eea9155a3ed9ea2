package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/sallyport-ingress/sallyport/controller"
	"github.com/sallyport-ingress/sallyport/controller/geoip"
	"github.com/sallyport-ingress/sallyport/controller/metrics"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/spans"
	"github.com/sallyport-ingress/sallyport/controller/status"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// controllerCommand runs the controller until ctx ends, and then ends what it
// started.
func controllerCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags, err := o.parse(args, stderr)
	if err != nil {
		return err
	}
	if o.Version {
		return printVersion(ctx, nil, stdout, stderr)
	}
	log := newLog(o, stderr)
	tellIgnored(flags, log)
	klog.SetSlogLogger(log) // what client-go says goes where we say it
	useBindService(log)
	return run(ctx, o, log)
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

// run is the whole wiring, in the order of dependence.
func run(ctx context.Context, o options, log *slog.Logger) error {
	// Where objects come from.
	client, err := o.client()
	if err != nil {
		return err
	}
	objects := o.store(client, log)

	// nginx, its folder and ports.
	build, err := nginx.Inspect(ctx, o.NginxBinary)
	if ctx.Err() != nil {
		return nil // ended before it began
	}
	if err != nil {
		return err
	}
	if _, ok := build.Modules["stream"]; o.Passthrough && !ok {
		return fmt.Errorf("--enable-ssl-passthrough wants nginx's stream module, which is missing in %s; install the package libnginx-mod-stream", build.ModulesPath)
	}
	proxy, err := o.nginx(ctx, log)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer proxy.Close()
	listen, err := o.claimPorts(proxy, log)
	if err != nil {
		return err
	}
	if err := writeFakeCertificate(proxy.Paths().DefaultCert, proxy.Paths().DefaultKey, time.Now()); err != nil {
		return err
	}

	rules, usable, err := modSecurityRules(build, proxy.Paths())
	if err != nil {
		return err
	}

	// What is told to the outside.
	pkg := nginx.Package("/", o.NginxBinary)
	flaws := tellFlaws(build, pkg, log)
	counters := o.metrics(proxy)
	counters.Flaws(len(flaws))
	exporter := spans.New(proxy.Spans, log)
	counters.Spans(&exporter.Counts)
	report := func([]*networkingv1.Ingress, []model.Problem) {}
	var writer *status.Writer
	if client != nil {
		writer = o.writer(client, counters, log)
		report = func(ingresses []*networkingv1.Ingress, problems []model.Problem) {
			writer.Publish(status.State{Ingresses: ingresses, Problems: append(flawed(build, flaws), problems...)})
		}
	}

	// The loop.
	buildOptions := o.buildOptions()
	buildOptions.Listen = listen
	_, buildOptions.Brotli = build.Modules["brotli"]
	buildOptions.GeoIP = o.geoIP(ctx, build, proxy.Paths(), log)
	buildOptions.ModSecurity, buildOptions.CoreRules = usable, rules.Core != nil
	buildOptions.Taken, buildOptions.Absent = o.taken(proxy), absent
	buildOptions.OpenFiles = openFiles()
	_, streams := build.Modules["stream"]
	buildOptions.NoStreams = !streams
	if !build.HTTP3 {
		buildOptions.NoHTTP3 = "nginx " + build.VersionText + " is built without HTTP/3, which there is from 1.25 on"
	}
	nginxConf := environment(o, build, rules, proxy.Paths())
	keeper, err := o.keeper(writer, log)
	if err != nil {
		return err
	}
	webhook, follow := o.webhook(buildOptions, nginxConf, keeper, counters, log)
	loop, err := controller.New(controller.Options{
		Store:       objects,
		Proxy:       proxy,
		Build:       buildOptions,
		Environment: nginxConf,
		Observer:    &observer{Metrics: counters, spans: exporter},
		Log:         log,
		Report:      report,
		ReloadPause: o.reloadPause(),
		QuietTries:  o.PushRetries,
		Follow:      follow,
	})
	if err != nil {
		return err
	}
	serves := func(ctx context.Context) error {
		if !loop.Ready() {
			return errors.New("nginx does not serve yet")
		}
		_, err := proxy.Status(ctx)
		return err
	}
	health, err := listenHealth(o, serves, counters.Handler(), log)
	if err != nil {
		return err
	}
	defer health.close()
	asked, err := o.listenDebug(proxy, loop, build, pkg, log)
	if err != nil {
		return err
	}
	defer asked.Close()
	defer o.Profiler.start(log)()
	defer o.takeLogs(os.Stdout, log)()
	log.Info("starting", "version", version, "nginx", build.VersionText, "http", o.HTTPPort, "https", o.HTTPSPort,
		"healthz", o.HealthzPort, "folder", proxy.Paths().Dir)

	// The tasks go on after ctx ends, until the grace period is over.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	tasks := newTasks()
	tasks.start("reaping orphans", func() error { reapOrphans(work); return nil })
	tasks.start("reading objects", func() error { return objects.Run(work) })
	tasks.start("exporting spans", func() error { return exporter.Run(work) })
	if o.Topology {
		tasks.start("learning the node's zone", func() error { learnZone(work, client, objects.SetZone, log); return nil })
	}
	tasks.start("the controller", func() error { return loop.Run(work) })
	if buildOptions.GeoIP.Module {
		tasks.start("watching databases of addresses", func() error { return geoip.Watch(work, o.Geo.source(proxy.Paths()), tellGeo(log)) })
	}
	if webhook != nil {
		tasks.start("the admission webhook", func() error { webhook.Run(work); return nil })
	}
	if keeper != nil {
		tasks.start("keeping the webhook's certificate", func() error { keeper.Run(work); return nil })
	}
	if writer != nil {
		tasks.start("writing status", func() error { return writer.Run(work) })
	}

	var failed error
	select {
	case <-ctx.Done():
		log.Info("shutting down", "grace", time.Duration(o.ShutdownGrace)*time.Second)
		health.drain()
		select {
		case <-time.After(time.Duration(o.ShutdownGrace) * time.Second):
		case failed = <-tasks.failed:
		}
	case failed = <-tasks.failed:
	}
	stop()
	tasks.wait()
	failed = errors.Join(failed, quit(proxy, log))
	<-time.After(time.Duration(o.PostShutdownGrace) * time.Second)
	return failed
}

// quitTimeout is how long nginx may take to finish its requests; its own
// worker-shutdown-timeout is shorter unless the ConfigMap says otherwise.
const quitTimeout = 300 * time.Second

func quit(proxy dataPlane, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), quitTimeout)
	defer cancel()
	start := time.Now()
	if err := proxy.Quit(ctx); err != nil {
		return fmt.Errorf("ending nginx: %w", err)
	}
	log.Info("ended", "nginx took", time.Since(start).Round(time.Millisecond))
	return nil
}

// store is where objects come from: the folder, or the cluster of client.
func (o *options) store(client kubernetes.Interface, log *slog.Logger) *store.Store {
	if client == nil {
		return store.NewFolder(o.Manifests, store.FolderOptions{Log: log})
	}
	return store.NewCluster(client, store.ClusterOptions{
		Namespace:         o.WatchNamespace,
		NamespaceSelector: o.buildOptions().NamespaceSelector,
		GetSecrets:        o.Secrets == "get",
		Resync:            o.SyncPeriod,
		Log:               log,
	})
}

// writer is what writes to the cluster of client.
func (o *options) writer(client kubernetes.Interface, counters *metrics.Metrics, log *slog.Logger) *status.Writer {
	return status.New(status.Options{
		Client:           client,
		Namespace:        os.Getenv("POD_NAMESPACE"),
		PodName:          os.Getenv("POD_NAME"),
		PublishService:   o.PublishService,
		PublishAddresses: o.publishAddresses(),
		NodeInternalIP:   o.NodeInternalIP,
		ElectionID:       o.ElectionID,
		ElectionTTL:      o.ElectionTTL,
		DisableElection:  o.DisableElection,
		UpdateStatus:     o.UpdateStatus,
		UpdateOnShutdown: o.UpdateStatusOnShutdown,
		SyncEvents:       !o.DisableEvents,
		Interval:         time.Duration(o.StatusInterval) * time.Second,
		Log:              log,
		OnLeader:         func(leads bool) { counters.Leader(o.ElectionID, leads) },
	})
}
