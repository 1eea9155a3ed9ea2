package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Where a list is wrong, nobody is let in who was to be kept out: the allowlist
// is an address that no client has, the denylist all addresses.
const (
	nobody    = option.List("255.255.255.255")
	everybody = option.List("0.0.0.0/0\n::/0")
)

func readAccess(r *option.Reader, s *model.Settings) {
	s.AllowRanges = ranges(r, "whitelist-source-range", nobody, "The client addresses that are let in, of all Ingresses that have no allowlist-source-range; others get a 403. Where the list is wrong, nobody is let in.")
	s.DenyRanges = ranges(r, "denylist-source-range", everybody, "The client addresses that get a 403, of all Ingresses that have no denylist-source-range. Where the list is wrong, all get it.")
}

func ranges(r *option.Reader, name string, wrong option.List, doc string) option.List {
	before := len(r.Problems())
	list := option.Key[option.List]{Name: name, Doc: doc, DefaultDoc: "none", Check: annotation.SourceRanges}.Get(r)
	if len(r.Problems()) > before {
		return wrong
	}
	return list
}
