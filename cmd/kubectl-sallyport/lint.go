package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// lint builds as the controller does, and prints what is wrong.
func (p *plugin) lint(ctx context.Context, paths []string) error {
	options, err := p.o.build()
	if err != nil {
		return err
	}
	var problems []model.Problem
	if len(paths) > 0 {
		problems = build.New(options).Build(store.Load(paths...)).Problems
	} else if problems, err = p.lintCluster(ctx, options); err != nil {
		return err
	}
	found := false
	for _, problem := range problems {
		if p.o.namespaceGiven && problem.Object.Namespace != p.o.Namespace {
			continue
		}
		word := "wrong"
		if problem.Weight == model.Remark {
			word = "remark"
		} else {
			found = true
		}
		if _, err := fmt.Fprintf(p.stdout, "%s: %s\n", word, problem); err != nil {
			return err
		}
	}
	if found {
		return errFound
	}
	return nil
}

// build are the build's options for a controller as the image has it.
func (o *options) build() (build.Options, error) {
	b := build.Options{
		Classes:           build.Classes{Controller: o.Controller, Name: o.Class, WithoutClass: o.WithoutClass, ByName: o.ClassByName},
		AnnotationsPrefix: o.Prefix, DisableCatchAll: o.DisableCatchAll, StrictPaths: o.StrictPaths, Passthrough: o.SSLPassthrough,
		Brotli: true, ModSecurity: true, CoreRules: true,
		GeoIP:      build.GeoIP{Module: true, Databases: []string{"GeoLite2-ASN", "GeoLite2-City"}},
		Listen:     model.Listen{HTTPPort: 80, HTTPSPort: 443, DefaultPort: 8181, IPv6: true},
		HealthPort: 10254,
	}
	if b.AnnotationsPrefix == "" {
		b.AnnotationsPrefix = annotation.DefaultPrefix
	}
	for _, named := range []struct {
		flag, value string
		key         *store.Key
	}{
		{"configmap", o.ConfigMap, &b.ConfigMap}, {"default-backend-service", o.DefaultBackend, &b.DefaultBackend},
		{"default-ssl-certificate", o.DefaultCert, &b.DefaultCertificate},
		{"tcp-services-configmap", o.TCPServices, &b.TCPServices}, {"udp-services-configmap", o.UDPServices, &b.UDPServices},
	} {
		if named.value == "" {
			continue
		}
		namespace, name, ok := strings.Cut(named.value, "/")
		if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
			return b, usagef("--%s %q is not namespace/name", named.flag, named.value)
		}
		*named.key = store.Key{Namespace: namespace, Name: name}
	}
	return b, nil
}

// lintCluster reads what the controller reads. Secrets are asked for by name
// alone; whoever may not read them hears nothing of them.
func (p *plugin) lintCluster(ctx context.Context, o build.Options) ([]model.Problem, error) {
	if err := p.connect(); err != nil {
		return nil, err
	}
	s, err := p.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	builder := build.New(o)
	asked := map[string]bool{}
	refused := 0
	for {
		result := builder.Build(s)
		more := false
		for _, key := range result.Wanted.ConfigMaps {
			if !first(asked, "ConfigMap "+key.String()) {
				continue
			}
			more = true
			if c, err := p.client.CoreV1().ConfigMaps(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{}); err == nil {
				s.ConfigMaps[key] = c
			} else if !apierrors.IsNotFound(err) {
				return nil, err
			}
		}
		for _, key := range result.Wanted.Secrets {
			if !first(asked, "Secret "+key.String()) {
				continue
			}
			more = true
			if c, err := p.client.CoreV1().Secrets(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{}); err == nil {
				s.Secrets[key] = c
			} else if apierrors.IsForbidden(err) {
				refused++
			} else if !apierrors.IsNotFound(err) {
				return nil, err
			}
		}
		if more {
			continue
		}
		if refused == 0 {
			return result.Problems, nil
		}
		fmt.Fprintf(p.stderr, "%d Secrets can't be read by this user, so nothing is said of what Ingresses refer to\n", refused)
		return slices.DeleteFunc(slices.Clone(result.Problems), func(p model.Problem) bool { return p.Weight == model.Elsewhere }), nil
	}
}

func first(seen map[string]bool, name string) bool {
	if seen[name] {
		return false
	}
	seen[name] = true
	return true
}

// snapshot lists what a build looks at whole. Endpoints are not among it: what
// is wrong does not depend on them.
func (p *plugin) snapshot(ctx context.Context) (*store.Snapshot, error) {
	s := store.Load() // an empty one
	ingresses, err := p.client.NetworkingV1().Ingresses("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range ingresses.Items {
		one := &ingresses.Items[i]
		s.Ingresses[store.Key{Namespace: one.Namespace, Name: one.Name}] = one
	}
	classes, err := p.client.NetworkingV1().IngressClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range classes.Items {
		s.IngressClasses[classes.Items[i].Name] = &classes.Items[i]
	}
	services, err := p.client.CoreV1().Services("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range services.Items {
		one := &services.Items[i]
		s.Services[store.Key{Namespace: one.Namespace, Name: one.Name}] = one
	}
	return s, nil
}
