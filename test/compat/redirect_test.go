package compat

func redirectGroup() group {
	return group{name: "redirect", cases: []proof{
		{
			keys: []string{"ssl-redirect"}, annotations: map[string]string{"ssl-redirect": "false"}, tls: true,
			probes: []probe{gets("/x", "web")},
		}, {
			keys: []string{"force-ssl-redirect"}, annotations: map[string]string{"force-ssl-redirect": "true"},
			probes: []probe{gets("/x", "308 https://HOST/x")},
		}, {
			keys: []string{"preserve-trailing-slash"}, annotations: map[string]string{"preserve-trailing-slash": "true"}, tls: true,
			probes: []probe{gets("/x/", "308 https://HOST/x/")},
		},
	}}
}
