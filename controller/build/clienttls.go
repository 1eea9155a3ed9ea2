package build

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
)

// An asker is an Ingress that has the host ask for client certificates.
type asker struct {
	ingress *networkingv1.Ingress
	values  annotation.ClientTLS
	err     error // why it can't
}

// clientTLS gives a host that asks for client certificates a TLS context of its
// own. It holds for all locations of the host, whoever owns them: a certificate
// is asked for before there is a path. The oldest Ingress that can be followed
// decides; the locations of one that asks for something else are closed.
func (t *task) clientTLS(h *host, server *model.Server) {
	askers := askersOf(h)
	if len(askers) == 0 {
		return
	}
	var first *asker
	for i := range askers {
		a := &askers[i]
		context, err := t.context(a)
		switch {
		case err != nil:
			a.err = err
		case h.name == "":
			a.err = errors.New("can't hold for the requests of all hosts")
		case first == nil:
			first, server.ClientTLS = a, context
		case context != server.ClientTLS:
			a.err = fmt.Errorf("is not as in Ingress %s, which is older and decides for host %q", name(first.ingress), h.name)
		}
	}
	for i := range server.Locations {
		l := &server.Locations[i]
		if l.Route == "" {
			continue
		}
		at := slices.IndexFunc(askers, func(a asker) bool { return name(a.ingress) == l.Owner })
		if at >= 0 && askers[at].err != nil {
			t.shut(l, askers[at])
			continue
		}
		from := first
		if at >= 0 {
			from = &askers[at]
		}
		if from == nil {
			continue
		}
		route := t.result.Config.Routes[l.Route]
		route.ClientTLS = model.ClientTLS{Verify: from.values.Verify, Pass: from.values.Pass, CN: from.values.CN}
		t.result.Config.Routes[l.Route] = route
		l.Phases.Rewrite = true
		l.ClientTLS = true
	}
	if server.ClientTLS.Verify == "off" {
		server.ClientTLS = model.ServerTLS{}
	}
}

// shut closes a location that was made already.
func (t *task) shut(l *model.Location, a asker) {
	t.elsewhere(objectOf(a.ingress), t.o.AnnotationsPrefix+"/auth-tls-secret", a.err, "; its locations answer 503")
	delete(t.result.Config.Routes, l.Route)
	*l = model.Location{
		Path: l.Path, Match: l.Match, Owner: l.Owner, Return: 503,
		RedirectHTTPS: l.RedirectHTTPS, KeepTrailingSlash: l.KeepTrailingSlash,
	}
}

// askersOf are the host's, oldest first.
func askersOf(h *host) []asker {
	var all []asker
	for _, c := range h.slots {
		if c.ingress == nil || c.values.ClientTLS.Secret == "" ||
			slices.ContainsFunc(all, func(a asker) bool { return a.ingress == c.ingress }) {
			continue
		}
		all = append(all, asker{ingress: c.ingress, values: c.values.ClientTLS})
	}
	slices.SortFunc(all, func(a, b asker) int {
		return cmp.Compare(slices.Index(h.owners, keyOf(a.ingress)), slices.Index(h.owners, keyOf(b.ingress)))
	})
	return all
}

// context is what an Ingress asks for.
func (t *task) context(a *asker) (model.ServerTLS, error) {
	secret, err := t.secretOf(a.ingress, a.values.Secret)
	if err != nil {
		return model.ServerTLS{}, err
	}
	in := fmt.Sprintf("Secret %s/%s", secret.Namespace, secret.Name)
	authorities := printed(secret.Data["ca.crt"], "CERTIFICATE", func(der []byte) error {
		_, err := x509.ParseCertificate(der)
		return err
	})
	if authorities == nil {
		return model.ServerTLS{}, fmt.Errorf("%s has no ca.crt with nothing but certificates in it, of up to %d bytes", in, maxPEM)
	}
	s := model.ServerTLS{Verify: a.values.Verify, Depth: a.values.Depth, ErrorPage: a.values.ErrorPage}
	if list, ok := secret.Data["ca.crl"]; ok && len(bytes.TrimSpace(list)) > 0 {
		revoked := printed(list, "X509 CRL", func(der []byte) error {
			_, err := x509.ParseRevocationList(der)
			return err
		})
		if revoked == nil {
			return model.ServerTLS{}, fmt.Errorf("%s has a ca.crl that is not a list of revoked certificates, of up to %d bytes", in, maxPEM)
		}
		s.CRL = t.file(revoked, false)
	}
	s.CA = t.file(authorities, false)
	return s, nil
}

// printed is a PEM text of such blocks, written afresh; nil where it is empty,
// too long, or any block of it is wrong.
func printed(text []byte, kind string, check func([]byte) error) []byte {
	if len(text) > maxPEM {
		return nil
	}
	var b bytes.Buffer
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return b.Bytes()
		}
		if block.Type != kind || check(block.Bytes) != nil {
			return nil
		}
		// Writing to a buffer can't fail.
		_ = pem.Encode(&b, &pem.Block{Type: kind, Bytes: block.Bytes})
		text = rest
	}
}
