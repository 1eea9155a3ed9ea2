package main

import (
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const (
	space   = "bench" // the namespace of all objects
	class   = "nginx" // the class of all Ingresses
	tlsName = "bench" // the Secret of all hosts with TLS
	port80  = int32(80)
)

func newClass() *networkingv1.IngressClass {
	return &networkingv1.IngressClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "IngressClass"},
		ObjectMeta: metav1.ObjectMeta{Name: class},
		Spec:       networkingv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"},
	}
}

func newService(name string) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: port80, Protocol: corev1.ProtocolTCP}}},
	}
}

func newSlice(service string, addresses ...string) *discoveryv1.EndpointSlice {
	name, port, protocol, ready := "http", int32(backendPort), corev1.ProtocolTCP, true
	slice := &discoveryv1.EndpointSlice{
		TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta:  metav1.ObjectMeta{Namespace: space, Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
	}
	for _, a := range addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{a}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	return slice
}

// newIngress sends the paths of a host to a Service.
func newIngress(name, host, service string, paths ...string) *networkingv1.Ingress {
	prefix, className := networkingv1.PathTypePrefix, class
	rule := &networkingv1.HTTPIngressRuleValue{}
	for _, p := range paths {
		rule.Paths = append(rule.Paths, networkingv1.HTTPIngressPath{
			Path: p, PathType: &prefix,
			Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
				Name: service, Port: networkingv1.ServiceBackendPort{Number: port80},
			}},
		})
	}
	return &networkingv1.Ingress{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "Ingress"},
		ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: name},
		Spec: networkingv1.IngressSpec{
			IngressClassName: &className,
			Rules:            []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: rule}}},
		},
	}
}

// withTLS gives an Ingress the Secret of all hosts with TLS.
func withTLS(i *networkingv1.Ingress) *networkingv1.Ingress {
	i.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{i.Spec.Rules[0].Host}, SecretName: tlsName}}
	return i
}

func newSecret(c certificate) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: tlsName},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{corev1.TLSCertKey: c.chain, corev1.TLSPrivateKeyKey: c.key},
	}
}

// mixAnnotations are what typical Ingresses have, all at once.
var mixAnnotations = map[string]string{
	"use-regex": "true", "rewrite-target": "/$1",
	"enable-cors": "true", "cors-allow-origin": mixOrigin,
	"limit-rps": "1000000", "limit-burst-multiplier": "5",
	"affinity": "cookie", "session-cookie-name": "route",
}

// speedObjects are one host with one path and one endpoint, and a ConfigMap
// that leaves all but the number of workers as it is by default.
func speedObjects(c certificate, k kind) []any {
	data := map[string]string{"worker-processes": "1"}
	web := newIngress("web", speedHost, "web", "/")
	if k.mix {
		web = newIngress("web", speedHost, "web", "/api/(.*)")
		kind := networkingv1.PathTypeImplementationSpecific
		web.Spec.Rules[0].HTTP.Paths[0].PathType = &kind
		web.Annotations = map[string]string{}
		for key, value := range mixAnnotations {
			web.Annotations["nginx.ingress.kubernetes.io/"+key] = value
		}
	}
	if k.secure {
		data["disable-access-log"] = "true"
		web = withTLS(web)
	}
	return []any{
		newClass(), newService("web"), newSlice("web", "127.0.0.1"), web, newSecret(c),
		&corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: "sallyport"},
			Data:       data,
		},
	}
}

// writeManifests writes each object to a file of its own.
func writeManifests(dir string, objects []any) error {
	for i, o := range objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.yaml", i)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
