package main

import (
	"errors"
	"log/slog"
	"net"
	"os"

	"github.com/spf13/pflag"

	"github.com/sallyport-ingress/sallyport/controller/admission"
	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/metrics"
	"github.com/sallyport-ingress/sallyport/controller/status"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/template"
)

// webhookOptions are the flags of the admission webhook.
type webhookOptions struct{ Address, Certificate, Key, ClientCA, Configuration string }

func (o *webhookOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.Address, "validating-webhook", "", "address of the admission webhook, such as :8443; none without it. An address that can't be had is an error of the log and the metric admission_listening, and tried again")
	f.StringVar(&o.Certificate, "validating-webhook-certificate", "", "path of the webhook's certificate in PEM; read again when it has changed")
	f.StringVar(&o.Key, "validating-webhook-key", "", "path of its key in PEM")
	f.StringVar(&o.Configuration, "validating-webhook-configuration", "", "name of the ValidatingWebhookConfiguration whose caBundle gets the certificate that this replica makes for itself, in the place of one from a file; "+
		"it takes the verbs get and update on that one object, and the verb get on pods of the own namespace")
	f.StringVar(&o.ClientCA, "validating-webhook-client-ca", "", "path of the authorities in PEM by one of which a caller's certificate must be; without it anybody who reaches the webhook is answered. "+
		"The API server shows the certificate that its --admission-control-config-file names for ValidatingAdmissionWebhook")
}

func (o *webhookOptions) check() error {
	if o.Address == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(o.Address); err != nil {
		return usagef("--validating-webhook %q: %v", o.Address, err)
	}
	files := o.Certificate != "" || o.Key != ""
	switch {
	case o.Configuration != "" && files:
		return usagef("--validating-webhook-configuration excludes --validating-webhook-certificate and --validating-webhook-key")
	case o.Configuration == "" && (o.Certificate == "" || o.Key == ""):
		return usagef("--validating-webhook needs --validating-webhook-certificate and --validating-webhook-key, or --validating-webhook-configuration")
	}
	return nil
}

// port is that of the address, 0 without one.
func (o *webhookOptions) port() int {
	_, text, _ := net.SplitHostPort(o.Address) // its check held
	number, _ := net.LookupPort("tcp", text)
	return number
}

// webhook is the admission webhook, and what it follows the cluster by. Both are
// nil without its flag.
func (o *options) webhook(b build.Options, e template.Environment, keeper *admission.Keeper, counters *metrics.Metrics, log *slog.Logger) (*admission.Server, func(*store.Snapshot, store.Changes, bool)) {
	if o.Webhook.Address == "" {
		return nil, nil
	}
	judge := admission.NewJudge(b, e)
	return admission.New(admission.Options{
		Address: o.Webhook.Address, Certificate: o.Webhook.Certificate, Key: o.Webhook.Key, ClientCA: o.Webhook.ClientCA, Keeper: keeper,
		Listening: o.listening(),
		Namespace: o.WatchNamespace, Judge: judge, Observer: judged{counters}, Log: log,
	}), judge.Follow
}

// keeper makes the webhook's certificates; nil where they come from files.
func (o *options) keeper(writer *status.Writer, log *slog.Logger) (*admission.Keeper, error) {
	if o.Webhook.Address == "" || o.Webhook.Configuration == "" {
		return nil, nil
	}
	namespace, pod := os.Getenv("POD_NAMESPACE"), os.Getenv("POD_NAME")
	if writer == nil || namespace == "" || pod == "" {
		return nil, errors.New("--validating-webhook-configuration wants a cluster, and POD_NAMESPACE and POD_NAME in the environment")
	}
	owner := admission.Owner(namespace, pod)
	return admission.NewKeeper(owner, writer.Trust(o.Webhook.Configuration, owner), log), nil
}

// judged tells the metrics what the webhook did.
type judged struct{ *metrics.Metrics }

func (m judged) Judged(namespace, name string, j admission.Judgement) {
	m.Metrics.Judged(metrics.Admission{
		Namespace: namespace, Name: name, Refused: len(j.Refused) > 0,
		Built: j.Built, Building: j.Building, Rendered: j.Rendered, Render: j.Render,
	})
}
