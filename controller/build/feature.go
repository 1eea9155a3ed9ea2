package build

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
)

// A site is a location that asks a backend, while it is made.
type site struct {
	host     *host
	slot     slot
	claim    *claim
	values   *annotation.Values // the claim's
	location *model.Location    // what nginx.conf will have
	route    *model.Route       // what Lua will have
}

// features are what annotations make of a site, each in a file of its own. What
// nginx takes as a variable goes into the route, all else into the location. A
// feature that can't be set up, and restricts access, closes the site.
//
// The order is that in which they see what others did; it is not that of the
// directives or steps, which location.tmpl and phases.lua have.
var features = []func(*task, *site){
	(*task).traffic,
	(*task).rewrite,
	(*task).cors,
	(*task).limit,
	(*task).redirects,
	(*task).access,
	(*task).basicAuth,
	(*task).auth,
	(*task).protocol,
	(*task).mirror,
	(*task).snippet,
	(*task).headers,
	(*task).logs,
	(*task).cookie,
	(*task).tracing,
	(*task).modSecurity,
	(*task).errors,
}

// serverFeatures do the same for a host as a whole, after its locations.
var serverFeatures = []func(*task, *host, *model.Server){
	(*task).names,
	(*task).clientTLS,
	(*task).accessOfRest,
	(*task).ciphers,
	(*task).passthrough,
	(*task).serverSnippet,
}

const closing = "; the location answers 503"

// closed makes the site answer 503 for a reason that its Ingress is told.
func (t *task) closed(s *site, key, reason string) { t.closedAs(s, key, reason, model.Remark) }

func (t *task) closedAs(s *site, key, reason string, weight model.Weight) {
	t.weigh(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/"+key, reason+closing, weight)
	s.location.Return = 503
}

// closedBy does that for what the Ingress refers to.
func (t *task) closedBy(s *site, key string, err error) {
	t.elsewhere(objectOf(s.claim.ingress), t.o.AnnotationsPrefix+"/"+key, err, closing)
	s.location.Return = 503
}

// file makes a content a file that nginx.conf can name.
func (t *task) file(content []byte, private bool) model.FileID {
	sum := sha256.Sum256(content)
	id := model.FileID(hex.EncodeToString(sum[:16]))
	if private {
		id = model.FileID(hex.EncodeToString(sum[16:])) // another file than the same content for all
	}
	t.result.Config.Files[id] = model.File{Content: content, Private: private}
	return id
}
