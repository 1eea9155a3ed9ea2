package compat

// accessGroup asks from 127.0.0.1. A ConfigMap's denylist shows that an
// annotation's stands in its place.
func accessGroup() group {
	from := func(address, want string) probe {
		return probe{"from " + address, func(c client) string { return short(c.get("/")) }, want}
	}
	return group{name: "access", settings: map[string]string{"denylist-source-range": "127.0.0.0/8"}, objects: authObjects, cases: []proof{
		{
			keys:        []string{"denylist-source-range"},
			annotations: map[string]string{"denylist-source-range": "203.0.113.0/24, 2001:db8::/32"},
			probes:      []probe{from("127.0.0.1", "web")},
		}, {
			keys: []string{"allowlist-source-range"},
			annotations: map[string]string{
				"denylist-source-range": "203.0.113.1", "allowlist-source-range": "10.0.0.0/8,203.0.113.7",
			},
			probes: []probe{from("127.0.0.1", "403")},
		}, {
			keys: []string{"whitelist-source-range"},
			annotations: map[string]string{
				"denylist-source-range": "203.0.113.1", "whitelist-source-range": "10.0.0.0/8",
			},
			probes: []probe{from("127.0.0.1", "403")},
		}, {
			keys: []string{"satisfy"},
			annotations: map[string]string{
				"denylist-source-range": "203.0.113.1", "allowlist-source-range": "127.0.0.1/32", "satisfy": "any",
				"auth-type": "basic", "auth-secret": "basic",
			},
			probes: []probe{gets("/", "web")},
		}, {
			// An address that is not let in, and no password.
			annotations: map[string]string{"satisfy": "any", "auth-type": "basic", "auth-secret": "basic"},
			probes: []probe{
				gets("/", "401"), basic("/", "joe", "secret", "web"), basic("/", "joe", "wrong", "401"),
			},
		}, {
			annotations: map[string]string{"satisfy": "any", "auth-type": "digest", "auth-secret": "digest", "auth-realm": "our realm"},
			probes:      []probe{gets("/", "401"), digests("the password", digestOf{}, "web"), digests("another password", digestOf{password: "x"}, "401")},
		}, {
			// A list that is wrong in part is wrong.
			annotations: map[string]string{"denylist-source-range": "203.0.113.1", "allowlist-source-range": "127.0.0.1,10.0.0.0/33"},
			probes:      []probe{gets("/", "503")},
		},
		{
			// A path that is no expression, and was to be closed to us, is not left to a
			// shorter one that is open, in whatever case it is asked for.
			annotations: map[string]string{"denylist-source-range": "203.0.113.1", "allowlist-source-range": "203.0.113.7", "use-regex": "true"},
			paths:       []string{"ImplementationSpecific /admin/(?<id>.*)"},
			more: `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME-open, namespace: default, annotations: {` + prefix + `denylist-source-range: 203.0.113.1}}
spec:
  rules:
  - host: HOST
    http: {paths: [{pathType: Prefix, path: /, backend: {service: {name: web, port: {number: 80}}}}]}
`,
			probes: []probe{gets("/admin/1", "503"), gets("/Admin/1", "503"), gets("/%61dmin//1", "503"), gets("/adm", "web")},
		},
	}}
}
