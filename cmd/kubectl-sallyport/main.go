// Kubectl-sallyport shows what a Sallyport in a cluster does: kubectl finds it by
// its name, as `kubectl sallyport`.
//
// What only the controller knows is asked of it, by `sallyport dbg` in its pod.
// Ingresses and what is wrong with them are read from the API, or from files.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
)

// version is set by the build.
var version = "dev"

const usage = `usage: kubectl sallyport COMMAND [flags]

Of the controller's pod:
  backends [list|all|get NAME]  backends, their endpoints and who sends requests there
  certs HOST                    the certificates that a host's clients are shown; _ for all other hosts
  conf [HOST]                   the nginx.conf that nginx runs with, or one host's part of it
  general                       versions and counts
  generation                    what nginx runs with, and whether a change is on its way
  problems                      what the controller says is wrong
  logs                          the log of the controller and its nginx
  info                          the pod, and the addresses of the Services before it
  version                       the versions of this program, of the controller and of nginx

Of the API alone:
  ingresses                     hosts, paths, Services and endpoints
  lint [FILE|FOLDER|-]…         what the controller would say of all Ingresses of the cluster, or of
                                files; the status is 1 where something is wrong

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(dispatch(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// A usageError is a command line that asks for something impossible.
type usageError struct{ error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// errFound is a lint that found something, which it has said.
var errFound = errors.New("")

// dispatch is the exit status of the command line: 2 where it is wrong, 1
// where what it asked for failed.
func dispatch(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := plugin{stdout: stdout, stderr: stderr, exec: overTheAPI}
	err := p.run(ctx, args)
	var wrong *usageError
	switch {
	case err == nil || errors.Is(err, pflag.ErrHelp):
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "kubectl sallyport: %v\n", err)
		return 2
	case errors.Is(err, errFound):
		return 1
	}
	fmt.Fprintf(stderr, "kubectl sallyport: %v\n", err)
	return 1
}

func (p *plugin) run(ctx context.Context, args []string) error {
	f := p.o.flagSet()
	f.SetOutput(p.stderr)
	f.Usage = func() { fmt.Fprint(p.stderr, usage+f.FlagUsagesWrapped(110)) }
	if err := f.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return &usageError{err}
	}
	p.o.namespaceGiven = f.Changed("namespace")
	if f.NArg() == 0 {
		f.Usage()
		return usagef("name a command")
	}
	name, rest := f.Arg(0), f.Args()[1:]
	if name == "lint" {
		return p.lint(ctx, rest)
	}
	if name == "conf" && len(rest) == 1 {
		return p.confOf(ctx, rest[0])
	}
	words, inPod := dbgWords(name, rest)
	plain := map[string]func(context.Context) error{"ingresses": p.ingresses, "logs": p.logs, "info": p.info, "version": p.versions}[name]
	switch {
	case inPod:
		return p.dbg(ctx, words, p.stdout)
	case plain != nil && len(rest) > 0:
		return usagef("%s: unexpected argument %q", name, rest[0])
	case plain != nil:
		return plain(ctx)
	}
	return usagef("there is no command %q; --help lists them", name)
}

// dbgWords are what `sallyport dbg` is asked; it judges them itself.
func dbgWords(name string, rest []string) (words []string, ok bool) {
	switch name {
	case "certs":
		if len(rest) == 1 { // "get" goes without saying
			return []string{"certs", "get", rest[0]}, true
		}
		return append([]string{name}, rest...), true
	case "backends", "conf", "general", "generation", "problems":
		return append([]string{name}, rest...), true
	}
	return nil, false
}

// options are the flags.
type options struct {
	Kubeconfig, Context, Namespace               string
	Deployment, Pod, Selector, Container         string
	AllNamespaces, Follow                        bool
	Tail                                         int64
	namespaceGiven                               bool
	Class, Controller, Prefix                    string
	WithoutClass, ClassByName                    bool
	ConfigMap, DefaultBackend, DefaultCert       string
	TCPServices, UDPServices, Host               string
	DisableCatchAll, StrictPaths, SSLPassthrough bool
}

func (o *options) flagSet() *pflag.FlagSet {
	f := pflag.NewFlagSet("kubectl sallyport", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "path of a kubeconfig; kubectl's own without it")
	f.StringVar(&o.Context, "context", "", "the kubeconfig's context")
	f.StringVarP(&o.Namespace, "namespace", "n", "", "the namespace: of the controller, or of the Ingresses that are shown; the context's without it")
	f.BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "ingresses: of all namespaces")
	f.StringVar(&o.Deployment, "deployment", "", "the controller's Deployment or DaemonSet")
	f.StringVar(&o.Pod, "pod", "", "the controller's pod")
	f.StringVarP(&o.Selector, "selector", "l", "", "labels of the controller's pods (default \""+usualLabels+"\")")
	f.StringVar(&o.Container, "container", "", "the container (default: the one called controller, or the first)")
	f.StringVar(&o.Host, "host", "", "ingresses: with this host alone")
	f.BoolVarP(&o.Follow, "follow", "f", false, "logs: go on")
	f.Int64Var(&o.Tail, "tail", -1, "logs: so many lines; -1 for all")
	f.StringVar(&o.Class, "ingress-class", "nginx", "lint: as the controller's flag, and those below")
	f.StringVar(&o.Controller, "controller-class", "k8s.io/ingress-nginx", "lint")
	f.StringVar(&o.Prefix, "annotations-prefix", "", "lint (default \"nginx.ingress.kubernetes.io\")")
	f.BoolVar(&o.WithoutClass, "watch-ingress-without-class", false, "lint")
	f.BoolVar(&o.ClassByName, "ingress-class-by-name", false, "lint")
	f.StringVar(&o.ConfigMap, "configmap", "", "lint")
	f.StringVar(&o.DefaultBackend, "default-backend-service", "", "lint")
	f.StringVar(&o.DefaultCert, "default-ssl-certificate", "", "lint")
	f.StringVar(&o.TCPServices, "tcp-services-configmap", "", "lint")
	f.StringVar(&o.UDPServices, "udp-services-configmap", "", "lint")
	f.BoolVar(&o.DisableCatchAll, "disable-catch-all", false, "lint")
	f.BoolVar(&o.StrictPaths, "strict-paths", false, "lint")
	f.BoolVar(&o.SSLPassthrough, "enable-ssl-passthrough", false, "lint")
	return f
}
