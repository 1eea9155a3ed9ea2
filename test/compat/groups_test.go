package compat

// groups are all that is proven, a file for each feature.
func groups() []group {
	return []group{
		redirectGroup(),
		corsGroup(),
		limitGroup(),
		snippetGroup(),
	}
}
