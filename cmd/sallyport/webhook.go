package main

import (
	"log/slog"
	"net"

	"github.com/spf13/pflag"

	"github.com/sallyport-ingress/sallyport/controller/admission"
	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/metrics"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/template"
)

// webhookOptions are the flags of the admission webhook.
type webhookOptions struct{ Address, Certificate, Key, ClientCA string }

func (o *webhookOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.Address, "validating-webhook", "", "address of the admission webhook, such as :8443; none without it. An address that can't be had is an error of the log and the metric admission_listening, and tried again")
	f.StringVar(&o.Certificate, "validating-webhook-certificate", "", "path of the webhook's certificate in PEM; read again when it has changed")
	f.StringVar(&o.Key, "validating-webhook-key", "", "path of its key in PEM")
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
	if o.Certificate == "" || o.Key == "" {
		return usagef("--validating-webhook needs --validating-webhook-certificate and --validating-webhook-key")
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
func (o *options) webhook(b build.Options, e template.Environment, counters *metrics.Metrics, log *slog.Logger) (*admission.Server, func(*store.Snapshot, store.Changes, bool)) {
	if o.Webhook.Address == "" {
		return nil, nil
	}
	judge := admission.NewJudge(b, e)
	return admission.New(admission.Options{
		Address: o.Webhook.Address, Certificate: o.Webhook.Certificate, Key: o.Webhook.Key, ClientCA: o.Webhook.ClientCA,
		Namespace: o.WatchNamespace, Judge: judge, Observer: judged{counters}, Log: log,
	}), judge.Follow
}

// judged tells the metrics what the webhook did.
type judged struct{ *metrics.Metrics }

func (m judged) Judged(namespace, name string, j admission.Judgement) {
	m.Metrics.Judged(metrics.Admission{
		Namespace: namespace, Name: name, Refused: len(j.Refused) > 0,
		Built: j.Built, Building: j.Building, Rendered: j.Rendered, Render: j.Render,
	})
}
