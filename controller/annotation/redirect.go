package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Redirect says when a request without TLS is sent to https.
type Redirect struct {
	SSL           Tristate
	Force         Tristate
	TrailingSlash Tristate
}

// Tristate is a switch that may be left to the ConfigMap.
type Tristate int8

// The states of a Tristate.
const (
	Unset Tristate = iota
	Off
	On
)

// Or is the switch's state, or other where it is unset.
func (t Tristate) Or(other bool) bool {
	if t == Unset {
		return other
	}
	return t == On
}

// String is the switch's state as nginx writes it, "" where it is unset.
func (t Tristate) String() string { return [...]string{"", "off", "on"}[t] }

var (
	sslRedirect = option.Key[bool]{
		Name:       "ssl-redirect",
		Doc:        "Redirects requests without TLS to https, where the host has a TLS section.",
		DefaultDoc: "as in the ConfigMap (`true`)",
		Check:      option.Bool,
	}
	forceSSLRedirect = option.Key[bool]{
		Name:       "force-ssl-redirect",
		Risk:       option.Medium,
		Doc:        "Redirects requests without TLS to https even where the host has no TLS section.",
		DefaultDoc: "as in the ConfigMap (`false`)",
		Check:      option.Bool,
	}
	preserveTrailingSlash = option.Key[bool]{
		Name:       "preserve-trailing-slash",
		Risk:       option.Medium,
		Doc:        "Keeps the slash at the end of the redirect to https.",
		DefaultDoc: "as in the ConfigMap (`false`)",
		Check:      option.Bool,
	}
)

func readRedirect(r *option.Reader) Redirect {
	return Redirect{
		SSL:           tristate(r, sslRedirect),
		Force:         tristate(r, forceSSLRedirect),
		TrailingSlash: tristate(r, preserveTrailingSlash),
	}
}

func tristate(r *option.Reader, k option.Key[bool]) Tristate {
	switch v, ok := k.Lookup(r); {
	case !ok:
		return Unset
	case v:
		return On
	}
	return Off
}
