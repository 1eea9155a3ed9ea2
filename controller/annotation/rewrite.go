package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// Rewrite is how a path is matched, and what an endpoint is asked for in its
// place.
type Rewrite struct {
	Regex   bool        // the paths are regular expressions
	Own     bool        // and those of the host's other paths are not, for that
	Target  option.List // a Template
	AppRoot string
	Prefix  option.List // a Template: the header X-Forwarded-Prefix
}

var (
	useRegex = option.Key[bool]{
		Name: "use-regex", Check: option.Bool,
		Doc: "Takes the paths for regular expressions, with no regard to case, that a request's path has to begin with. This holds for all paths of the host then, those of other Ingresses too, and the longest is tried first; `sallyport.io/regex-scope: path` keeps it to the Ingress's own. A path that is no expression is left out; where its Ingress restricts access, what begins as it does, up to the first special character, answers 503, unless a longer path takes it.",
	}
	rewriteTarget = option.Key[option.List]{
		Name: "rewrite-target", Check: option.PathTemplate, DefaultDoc: "the request's own path", Risk: option.Medium,
		Doc: "The path that the endpoint is asked for, in which `$1` to `$9` are the groups of the path's expression; what follows a `?` goes before the request's own arguments. Makes the paths regular expressions as use-regex does. Differs: a target that does not begin with a slash gets one.",
	}
	appRoot = option.Key[string]{
		Name: "app-root", DefaultDoc: "none", Risk: option.Medium,
		Check: option.Pattern(`/[-!&()*+,./0-9:=?@A-Z_a-z~%]*`, "a path"),
		Doc:   "Where requests of `/` are redirected to, with 302.",
	}
	forwardedPrefix = option.Key[option.List]{
		Name: "x-forwarded-prefix", Check: option.PathTemplate, DefaultDoc: "as the client sent it", Risk: option.Medium,
		Doc: "The header X-Forwarded-Prefix that an endpoint gets, where rewrite-target is set. `$1` to `$9` are the groups of the path's expression.",
	}
	regexScope = option.Key[string]{
		Name: "sallyport.io/regex-scope", Default: "host", Check: option.OneOf("host", "path"),
		Doc: "With `path`, use-regex and rewrite-target make regular expressions of this Ingress's own paths alone. A plain path comes before an expression then, where it is longer than the text without special characters that the expression begins with.",
	}
)

func readRewrite(r *option.Reader) Rewrite {
	return Rewrite{
		Regex:   lookup(r, useRegex),
		Own:     lookup(r, regexScope) == "path",
		Target:  lookup(r, rewriteTarget),
		AppRoot: lookup(r, appRoot),
		Prefix:  lookup(r, forwardedPrefix),
	}
}
