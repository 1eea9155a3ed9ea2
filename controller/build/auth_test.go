package build

import (
	"maps"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

func builtWith(annotations map[string]string, settings map[string]string) *model.Config {
	key := func(name string) store.Key { return store.Key{Namespace: "default", Name: name} }
	ing := ingress("a", "a.example.org")
	ing.Annotations = map[string]string{}
	for name, value := range annotations {
		ing.Annotations[annotation.DefaultPrefix+"/"+name] = value
	}
	s := &store.Snapshot{
		Ingresses:  map[store.Key]*networkingv1.Ingress{key("a"): ing},
		ConfigMaps: map[store.Key]*corev1.ConfigMap{key("settings"): {Data: settings}},
	}
	return New(Options{
		Classes: Classes{WithoutClass: true}, AnnotationsPrefix: annotation.DefaultPrefix, ConfigMap: key("settings"),
		Listen: model.Listen{HTTPPort: 80, HTTPSPort: 443},
	}).Build(s).Config
}

// What the server is asked, and what is made of its answer, is pushed: the
// structure, of which nginx.conf is made, stays the same.
func TestAuthIsData(t *testing.T) {
	base := map[string]string{"auth-url": "http://10.0.0.1/"}

	for name, value := range map[string]string{
		"auth-url": "https://$host/x?$args", "auth-method": "POST", "auth-signin": "https://in.example.org/", "auth-signin-redirect-param": "back",
		"auth-response-headers": "X-User", "auth-request-redirect": "/there", "auth-always-set-cookie": "true", "auth-keepalive": "5",
	} {
		annotations := maps.Clone(base)
		annotations["auth-signin"] = "https://out.example.org/"
		first := builtWith(annotations, nil)
		annotations[name] = value
		second := builtWith(annotations, nil)
		if !reflect.DeepEqual(first.Servers, second.Servers) {
			t.Errorf("%s changes the structure", name)
		}
		if reflect.DeepEqual(first.Routes, second.Routes) {
			t.Errorf("%s changes nothing", name)
		}
	}
}

// A ConfigMap that is wrong lets nobody in.
func TestGlobalAuthCloses(t *testing.T) {
	for name, value := range map[string]string{
		"global-auth-url": "http://a;b/", "global-auth-method": "GET;", "global-auth-signin": "javascript:x", "global-auth-response-headers": "a b",
	} {
		settings := map[string]string{"global-auth-url": "http://10.0.0.1/"}
		settings[name] = value
		for _, server := range builtWith(nil, settings).Servers {
			if server.Host == "a.example.org" && server.Locations[0].Return != 503 {
				t.Errorf("%s %q: %+v", name, value, server.Locations[0])
			}
		}
	}
}

// A snippet's headers are sent; what else it says closes the site.
func TestAuthSnippet(t *testing.T) {
	settings := map[string]string{"annotations-risk-level": "Critical", "allow-snippet-annotations": "true"}
	for snippet, want := range map[string]string{
		"proxy_set_header X-A b$host;": "#X-A,=b,host", "proxy_read_timeout 5s;": "closed", "set $a b;": "closed",
	} {
		config := builtWith(map[string]string{"auth-url": "http://10.0.0.1/", "auth-snippet": snippet}, settings)
		got := "closed"
		for _, route := range config.Routes {
			if route.Host == "a.example.org" {
				got = route.Auth.Set.String()
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", snippet, got, want)
		}
	}
}
