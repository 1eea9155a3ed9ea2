package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

var blockedWords = option.ListOfEach(option.Pattern(`[^\x00-\x1f\x7f]+`, "a text without control characters"))

// readPolicy reads what those who write Ingresses may say in annotations.
func readPolicy(r *option.Reader, s *model.Settings) {
	s.Annotations.Most = option.Key[option.Risk]{
		Name: "annotations-risk-level", Default: option.High, Check: option.RiskLevel,
		Doc: "The highest risk that an annotation may have. One above it is as one with a wrong value: the Ingress's last good version stays in force, " +
			"and a new one is served without the annotation, or answers 503 where the annotation restricts access. (ingress-nginx passes over such an Ingress as a whole.)",
	}.Get(r)
	s.Annotations.Blocked = option.Key[option.List]{
		Name: "annotation-value-word-blocklist", DefaultDoc: "none", Check: blockedWords,
		Doc: "Texts that no annotation's value may have in it, in just that case; one that has is as one with a wrong value.",
	}.Get(r)
	s.Annotations.Snippets = flag(r, "allow-snippet-annotations", false,
		"Takes the five annotations that hold nginx directives, where `annotations-risk-level` is `Critical` too. Their directives are "+
			"checked one by one and printed afresh; one that is not known to be harmless is a problem.")
	s.AllowCrossNamespace = flag(r, "allow-cross-namespace-resources", false,
		"Lets annotations name Secrets and ConfigMaps of other namespaces.")
	s.StrictPathTypes = flag(r, "strict-validate-path-type", true,
		"Serves paths of type `Exact` and `Prefix` only where they are made of letters, digits and any of `-._~/`, as expressions are "+
			"`ImplementationSpecific`. (ingress-nginx passes over the whole Ingress, here the path alone is left out.)")
}
