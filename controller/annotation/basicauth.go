package annotation

import (
	"errors"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// BasicAuth is who may come in by name and password. Without a Type, all may.
type BasicAuth struct {
	Type   string // basic or digest
	Secret string // name or namespace/name
	Map    bool   // each key of the Secret is a user
	Realm  string
}

// SecretName accepts the name of an object, with its namespace where wanted.
var SecretName = option.Pattern(`(?:[a-z0-9][-a-z0-9]{0,62}/)?[a-z0-9][-.a-z0-9]{0,252}`, "a name, or a namespace and a name as in `team/secret`")

// realmText accepts printable ASCII that needs no escape in a header, nor is a
// variable of nginx's.
var realmText = option.Pattern(`[ !#%-\[\]-~]{1,200}`, "printable ASCII without `\"`, `$` and `\\`, up to 200 characters")

var (
	authType = option.Key[string]{
		Name: "auth-type", Doc: "How a client says who it is. digest is done by Lua, with MD5 and qop=auth; a nonce serves for two minutes.",
		DefaultDoc: "nobody is asked", Check: option.OneOf("basic", "digest"),
	}
	authSecret = option.Key[string]{
		Name: "auth-secret", Risk: option.Medium, Doc: "The Secret with the users. Where it is missing or has none that can be used, the location answers 503. One of another namespace needs `allow-cross-namespace-resources` in the ConfigMap.",
		DefaultDoc: "none", Check: SecretName,
	}
	authSecretType = option.Key[string]{
		Name:    "auth-secret-type",
		Doc:     "`auth-file`: the Secret's key `auth` is a file of htpasswd (digest: htdigest). `auth-map`: each key is a user, its value the hash (digest: the realm, a colon and the hash, or the hash alone).",
		Default: "auth-file", Check: option.OneOf("auth-file", "auth-map"),
	}
	authRealm = option.Key[string]{
		Name: "auth-realm", Risk: option.Medium, Doc: "What the client shows its user when it asks. `off` is refused: nginx would take it for no authentication.",
		DefaultDoc: "empty",
		Check: option.Check[string]{
			Values: realmText.Values,
			Parse: func(s string) (string, error) {
				if strings.EqualFold(s, "off") {
					return "", errors.New("\"off\" would mean no authentication to nginx")
				}
				return realmText.Parse(s)
			},
		},
	}
)

func readBasicAuth(r *option.Reader) BasicAuth {
	a := BasicAuth{
		Type:   lookup(r, authType),
		Secret: lookup(r, authSecret),
		Map:    lookup(r, authSecretType) == "auth-map",
		Realm:  lookup(r, authRealm),
	}
	if a.Type == "" && a.Secret != "" {
		r.Warn(authSecret.Name, "has no effect without auth-type")
	}
	return a
}
