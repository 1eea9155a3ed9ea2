package compat

// groups are all that is proven, a file for each feature.
func groups() []group {
	return []group{
		redirectGroup(),
		pathsGroup(),
		tracingGroup(),
		streamsGroup(),
		proxyoptsGroup(),
		canaryGroup(),
		trafficGroup(),
		corsGroup(),
		limitGroup(),
		accessGroup(),
		authGroup(),
		globalAuthGroup(),
		hostileAuthGroup(),
		basicAuthGroup(),
		clientTLSGroup(),
		protocolGroup(),
		proxySSLGroup(),
		mirrorGroup(),
		tlsGroup(),
		snippetGroup(),
		modSecurityGroup(),
		modSecuritySettingsGroup(),
	}
}
