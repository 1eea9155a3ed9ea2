package compat

import "net/http"

// globalAuthGroup has a server that lets in whom the client names, for all.
func globalAuthGroup() group {
	settings := map[string]string{
		"global-auth-url": "http://10.244.99.20:8080/x?cookie&user", "global-auth-method": "POST", "global-auth-signin": "https://in.example.org/",
		"global-auth-signin-redirect-param": "back", "global-auth-response-headers": "X-User", "global-auth-request-redirect": "/there",
		"global-auth-always-set-cookie": "true", "no-auth-locations": "/.well-known/acme-challenge,/free/",
	}
	in := http.Header{"X-Want": {"200"}, "X-User": {"root"}}
	return group{name: "globalauth", settings: settings, objects: authServerObjects, cases: []proof{
		{annotations: map[string]string{}, probes: []probe{
			gets("/", "500"), upstream("X-User", "/", in, "joe"), upstream("X-User", "/", http.Header{"X-Want": {"403"}}, "403"),
			upstream("X-User", "/", http.Header{"X-Want": {"401"}}, "302"), cookiesOf("/", "500 "),
		}},
		{keys: []string{"enable-global-auth"}, annotations: map[string]string{"enable-global-auth": "false"}, probes: []probe{gets("/", "web")}},
		{keys: []string{"auth-url"}, annotations: map[string]string{"auth-url": authServer + "/200"}, probes: []probe{gets("/", "web")}},
		{paths: []string{"Exact /.well-known/acme-challenge/x", "Prefix /.well-known/acme-challenges", "Prefix /free", "Prefix /freedom"}, probes: []probe{
			gets("/.well-known/acme-challenge/x", "web"), gets("/.well-known/acme-challenges", "500"), gets("/free/x", "web"), gets("/freedom", "500"),
		}},
		// What nobody is asked at is nothing that a path can be made to look like.
		{paths: []string{"Prefix /", "Prefix /free"}, probes: []probe{gets("/free/../", "500"), gets("/free%2f..%2f", "500"), gets("/free/", "web")}},
	}}
}
