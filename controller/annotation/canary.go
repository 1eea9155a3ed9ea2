package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Canary is which requests go to the Ingress in the place of another one's of
// the same host and path.
type Canary struct {
	Enabled bool
	Header  string // its name
	Value   string
	Pattern string
	Cookie  string // its name
	Weight  int
	Total   int
}

var (
	fieldName  = option.Pattern(`[-_.A-Za-z0-9]{1,200}`, "a name of letters, digits, `-`, `_` and `.`")
	fieldValue = option.Pattern(`[-._~A-Za-z0-9/:]*`, "a text of letters, digits and `-._~/:`")
)

var (
	canary = option.Key[bool]{
		Name: "canary", Check: option.Bool,
		Doc: "Gives the Ingress a share of the requests of another one of its namespace with the same hosts and paths, whose annotations hold for them, but that load-balance, upstream-hash-by and affinity are the canary's own. An older canary of the same path goes before. Where the canary has no endpoints, the other one answers. Differs: a canary of another namespace than the Ingress beside it has no effect.",
	}
	canaryByHeader = option.Key[string]{
		Name: "canary-by-header", Check: fieldName, DefaultDoc: "none", Risk: option.Medium,
		Doc: "The header that decides: `always` and `never` are its values, any other leaves it to the cookie and the weight.",
	}
	canaryByHeaderValue = option.Key[string]{
		Name: "canary-by-header-value", Check: fieldValue, DefaultDoc: "none", Risk: option.Medium,
		Doc: "The value of canary-by-header that chooses the canary, in the place of `always` and `never`.",
	}
	canaryByHeaderPattern = option.Key[string]{
		Name: "canary-by-header-pattern", Check: option.Regex, DefaultDoc: "none", Risk: option.Medium,
		Doc: "A regular expression for such values. canary-by-header-value goes before.",
	}
	canaryByCookie = option.Key[string]{
		Name: "canary-by-cookie", Check: fieldName, DefaultDoc: "none", Risk: option.Medium,
		Doc: "The cookie that decides, where the header does not: by the values `always` and `never`.",
	}
	canaryWeight = option.Key[int]{
		Name: "canary-weight", Check: option.Int(0, 1<<20),
		Doc: "How many of canary-weight-total requests go to the canary, where neither header nor cookie decide.",
	}
	canaryWeightTotal = option.Key[int]{
		Name: "canary-weight-total", Default: 100, Check: option.Int(1, 1<<20),
		Doc: "What canary-weight is a part of.",
	}
)

func readCanary(r *option.Reader) Canary {
	return Canary{
		Enabled: lookup(r, canary),
		Header:  lookup(r, canaryByHeader),
		Value:   lookup(r, canaryByHeaderValue),
		Pattern: lookup(r, canaryByHeaderPattern),
		Cookie:  lookup(r, canaryByCookie),
		Weight:  lookup(r, canaryWeight),
		Total:   canaryWeightTotal.Get(r),
	}
}
