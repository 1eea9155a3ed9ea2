package annotation

import (
	"errors"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Access is which client addresses may come in. An empty list leaves it to the
// ConfigMap.
type Access struct {
	Allow option.List
	Deny  option.List
	// Any lets a request in that passes one of the checks (address, password,
	// auth-url); else it has to pass all.
	Any bool
}

// SourceRanges accepts a list with something in it: an empty one would lift a
// restriction without saying so. One wrong part makes all of it wrong.
var SourceRanges = option.Check[option.List]{
	Values: option.CIDRs.Values,
	Parse: func(s string) (option.List, error) {
		l, err := option.CIDRs.Parse(s)
		if err == nil && l == "" {
			err = errors.New("the list has no address")
		}
		return l, err
	},
}

const wholeList = " One part that is wrong makes the whole list invalid; ingress-nginx left that part out."

var (
	allowlistSourceRange = option.Key[option.List]{
		Name: "allowlist-source-range", Risk: option.Medium, Doc: "The client addresses that are let in; others get a 403." + wholeList,
		DefaultDoc: "`whitelist-source-range` of the ConfigMap", Check: SourceRanges,
	}
	whitelistSourceRange = option.Key[option.List]{
		Name: "whitelist-source-range", Risk: option.Medium, Doc: "The older name of allowlist-source-range, which counts where both are set.",
		DefaultDoc: "`whitelist-source-range` of the ConfigMap", Check: SourceRanges,
	}
	denylistSourceRange = option.Key[option.List]{
		Name: "denylist-source-range", Risk: option.Medium, Doc: "The client addresses that get a 403, even those that the allowlist has." + wholeList,
		DefaultDoc: "`denylist-source-range` of the ConfigMap", Check: SourceRanges,
	}
	satisfy = option.Key[string]{
		Name: "satisfy", Doc: "Whether a request has to pass all of the checks of address, password and auth-url, or any one of them.",
		Default: "all", Check: option.OneOf("all", "any"),
	}
)

func readAccess(r *option.Reader) Access {
	allow, older := lookup(r, allowlistSourceRange), lookup(r, whitelistSourceRange)
	if allow != "" && older != "" && allow != older {
		r.Warn(whitelistSourceRange.Name, "has no effect beside allowlist-source-range")
	}
	if allow == "" {
		allow = older
	}
	return Access{Allow: allow, Deny: lookup(r, denylistSourceRange), Any: lookup(r, satisfy) == "any"}
}
