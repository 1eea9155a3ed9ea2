package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// readModSecurity reads what requests are held against where an Ingress does not
// say otherwise. Rules that are wrong close all those locations: without them
// more would come in.
func readModSecurity(r *option.Reader, s *model.Settings) {
	s.ModSecurity = flag(r, "enable-modsecurity", false, "Holds all requests against rules, as the annotation of that name does for one Ingress's.")
	core := flag(r, "enable-owasp-modsecurity-crs", false, "Adds the OWASP Core Rule Set, where `enable-modsecurity` is on.")
	problems := len(r.Problems())
	s.ModSecurityRules = option.Key[annotation.SecRules]{
		Name: "modsecurity-snippet", DefaultDoc: "none", Check: annotation.Rules,
		Doc: "Rules of ModSecurity's own language in the place of the recommended configuration, where `enable-modsecurity` is on; they are checked as those of the annotation are. " +
			"Wrong ones close the locations where ModSecurity is on.",
	}.Get(r)
	s.NoModSecurity = len(r.Problems()) > problems
	rules := &s.ModSecurityRules
	if !s.ModSecurity {
		*rules = annotation.SecRules{}
		return
	}
	s.SecRules = model.SecRules{Base: rules.Empty() || rules.Base, Core: core || rules.Core}
}
