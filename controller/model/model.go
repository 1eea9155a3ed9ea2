// Package model holds what the cluster's objects turn into: the structure of
// nginx.conf, the data that nginx's Lua holds, and the problems found on the
// way.
//
// It has types only: no logic, no IO, and nothing of Kubernetes beyond names.
package model

import (
	"net/netip"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Config is everything that nginx is told, in two halves that change for
// different reasons. Settings and Servers are structure: they become
// nginx.conf, and a change of them is a reload. The rest is data: it is pushed
// to Lua and never reloads.
type Config struct {
	Settings Settings
	Servers  []Server // sorted: the catch-all first, then by name

	Routes       map[RouteID]Route
	Backends     map[BackendID]Backend
	Certificates map[CertificateID]Certificate
	// Files are what nginx reads by name: structure, as the servers that name
	// them are.
	Files map[FileID]File
	// Hosts says which certificate a TLS server name gets. A key is a host, a
	// wildcard such as "*.example.org", or "" for all others. The id "" is for
	// a host that is known and gets the certificate of all others.
	Hosts map[string]CertificateID
}

// A RouteID stands for one host and path. It is a digest of them, so it holds
// no text of a tenant's and is the same after a restart.
type RouteID string

// A BackendID is "namespace/service/port", where port is the number or the
// name by which the Ingress asks for it.
type BackendID string

// A CertificateID is a digest of the certificate and its key.
type CertificateID string

// A FileID is a digest of a file's content, and its name.
type FileID string

// A File is something that nginx.conf can't hold itself.
type File struct {
	Content []byte
	// Private content is read by nginx's master alone, such as a key; other
	// files are read by its workers too.
	Private bool
}

// A Server is one host. It becomes one server block.
type Server struct {
	// Host is "" for the catch-all, else an exact or wildcard host.
	Host      string
	ClientTLS ServerTLS
	Locations []Location // in the order in which they are rendered
	// Aliases are further names: hosts, or "~" and an expression.
	Aliases []string
	// WWW, where not 0, is the status with which requests of WWWHost are sent
	// to Host.
	WWW     int
	WWWHost string
	// OwnTLS gives the host a TLS context of its own, for what nginx can't
	// choose at the client's hello.
	OwnTLS bool
	// SSLCiphers and PreferCiphers are of that context.
	SSLCiphers    string
	PreferCiphers annotation.Tristate
	// Snippet is directives that users wrote; see annotation.Directives.
	Snippet option.List
}

// Match says how a location's path is compared with the request's.
type Match int

// The ways in which nginx compares a location's path.
const (
	MatchPrefix Match = iota // the path is a prefix of the request's path, byte by byte
	MatchExact               // the path is the request's path
	MatchRegex               // the path is an expression that the request's path begins with, in any case
	MatchFirst               // as MatchPrefix, and before any expression
)

// A Location is one location block: what nginx itself has to know about a
// route. Zero values mean: as set once for all in the http block.
type Location struct {
	// Owner is the Ingress that the location comes from, as "namespace/name";
	// "" for our own. It is not rendered.
	Owner string
	Path  string
	Match Match
	// Route is the key of the location's data. It is "" where Return is set.
	Route RouteID
	// Return, where not 0, is answered at once: no backend is asked.
	Return int
	// Status, where there are any, are the address ranges that get nginx's own
	// status, and nothing else is answered.
	Status option.List
	// RedirectHTTPS, where not 0, is the status of the redirect to https that a
	// request without TLS gets.
	RedirectHTTPS int
	// KeepTrailingSlash keeps the slash at the end of that redirect's target.
	KeepTrailingSlash bool

	// Relative and Port are of redirects that nginx makes by itself.
	Relative, Port annotation.Tristate
	ProxyRedirect  ProxyRedirect // zero: as in http

	Proxy annotation.Proxy
	// Snippet is directives that a user wrote; see annotation.Directives.
	Snippet option.List

	// Limited says that the route has limits that Lua counts.
	Limited   bool
	Rate      Rate
	NoRate    bool // lifts that of the http block
	Access    Access
	BasicAuth BasicAuth
	// Digest says that the route asks by digest, for which nginx needs memory.
	Digest bool
	// ClientTLS says that the route does something with the client's certificate.
	ClientTLS bool
	// Auth says that another server is asked, AuthCache that what it answers is
	// remembered, for which nginx needs memory.
	Auth, AuthCache bool
	// Traced says that the route's requests are spans, for which nginx needs memory.
	Traced bool
	// Pass is what is spoken to the endpoints.
	Pass   Pass
	Mirror Mirror
	Cookie annotation.Cookie
	// Connection is a header that endpoints see.
	Connection  string
	NoAccessLog bool
	// Errors are the statuses whose page another backend writes; Intercept says
	// that an endpoint's own are among them. ErrorPage says that requests may
	// go there, for those or because nobody else is there.
	Errors    option.List
	Intercept bool
	ErrorPage bool

	// ModSecurity is zero where it is off.
	ModSecurity ModSecurity

	// Phases are those in which the route has steps of its own.
	Phases Phases
}

// Phases say in which of nginx's phases Lua is called for a location.
type Phases struct{ Rewrite, Access, Header, Log bool }

// A Route is the data of one location: where its requests go and what logs and
// metrics call it.
//
// What a feature needs is a field with the feature's name, which is left out of
// the item where it is zero.
type Route struct {
	Backend   BackendID `json:"backend"`
	Namespace string    `json:"namespace"`
	Ingress   string    `json:"ingress"`
	Service   string    `json:"service"`
	Port      string    `json:"port"`
	Host      string    `json:"host"` // "" for the catch-all
	Path      string    `json:"path"`

	Redirect Redirect `json:"redirect,omitzero"`
	AppRoot  string   `json:"approot,omitzero"`
	HTTPS    ToHTTPS  `json:"https,omitzero"`
	Rewrite  Rewrite  `json:"rewrite,omitzero"`

	Canary   Canary   `json:"canary,omitzero"`
	Affinity Affinity `json:"affinity,omitzero"`
	Balance  Balance  `json:"balance,omitzero"`

	CORS  CORS  `json:"cors,omitzero"`
	Limit Limit `json:"limit,omitzero"`
	// Any lets a request in that passes one of the checks of the access phase.
	Any        bool        `json:"any,omitzero"`
	Digest     Digest      `json:"digest,omitzero"`
	ClientTLS  ClientTLS   `json:"clienttls,omitzero"`
	Auth       Auth        `json:"auth,omitzero"`
	Protocol   Protocol    `json:"protocol,omitzero"`
	Errors     Errors      `json:"errors,omitzero"`
	Headers    option.List `json:"headers,omitzero"`
	RewriteLog bool        `json:"rewritelog,omitzero"`
	Vhost      string      `json:"vhost,omitzero"` // the Host that endpoints see
	Tracing    Tracing     `json:"tracing,omitzero"`
}

// A Backend is the addresses behind one port of a Service. Nothing else may
// come in here: the endpoint lane replaces a Backend without looking at
// anything but the Service and its slices.
type Backend struct {
	Endpoints []Endpoint // sorted, without duplicates; empty: requests get a 503
}

// An Endpoint is one address that serves.
type Endpoint struct {
	Address netip.AddrPort
	Weight  int // share of the requests; 0 counts as 1
}

// A Certificate is what a TLS handshake needs, in PEM: the chain, leaf first,
// and the leaf's key.
type Certificate struct {
	Chain []byte
	Key   []byte
	// Leaf facts, for metrics.
	NotAfter time.Time
	Secret   Object
}

// An Object names an object of the cluster. File and Line are set where it was
// read from a folder, or could not be read.
type Object struct {
	Kind      string
	Namespace string
	Name      string
	File      string
	Line      int
}

// A Problem is something in an object that is not as its author means it. It
// is a value, not an error: whatever has no problem stays in force.
type Problem struct {
	Object Object
	Field  string // such as "spec.rules[0].host", an annotation, or "" for the whole object
	Reason string // a sentence without its full stop
	Weight Weight
}

// A Weight says what a problem means for who is asked whether the object may be
// stored at all.
type Weight uint8

// The weights of problems.
const (
	// Remark: something has no effect, or another one than it may seem.
	Remark Weight = iota
	// Wrong: it is wrong whatever else there is, or takes what another has.
	Wrong
	// Elsewhere: the fault is in what the object refers to, a Secret or a
	// ConfigMap, which may come or be mended later.
	Elsewhere
)
