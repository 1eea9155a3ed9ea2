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
		canaryOwnGroup(),
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
		grpcGroup(),
		proxySSLGroup(),
		mirrorGroup(),
		tlsGroup(),
		snippetGroup(),
		settingsGroup(),
		settingsHashGroup(),
		settingsAccessGroup(),
		settingsDenyGroup(),
		modSecurityGroup(),
		modSecuritySettingsGroup(),
	}
}
