package annotation

import (
	"fmt"
	"maps"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// A Scope is what the snippets of the ConfigMap share: the variables and zones
// that the one for the http block declares are there in those for servers and
// locations, and in the log format. They are read in that order.
type Scope struct {
	own   map[string]bool   // variables, without the $
	zones map[string]string // the directive that uses a zone, by the zone's name
}

// NewScope is an empty one.
func NewScope() *Scope { return &Scope{own: map[string]bool{}, zones: map[string]string{}} }

// Variable is what a variable of the snippets is called in nginx.conf, and
// whether there is one.
func (s *Scope) Variable(name string) (string, bool) { return ownPrefix + name, s.own[name] }

// Main, HTTP, Server, Location and Auth check the directives of those blocks.
func (s *Scope) Main() option.Check[option.List]     { return s.check(inMain) }
func (s *Scope) HTTP() option.Check[option.List]     { return s.check(inHTTP) }
func (s *Scope) Server() option.Check[option.List]   { return s.check(inServer) }
func (s *Scope) Location() option.Check[option.List] { return s.check(inLocation) }
func (s *Scope) Auth() option.Check[option.List]     { return s.check(inAuth) }

// check adds what directives declare to the scope, where they are all taken.
func (s *Scope) check(in place) option.Check[option.List] {
	return directivesCheck(func() checker {
		return checker{in: in, own: maps.Clone(s.own), zones: maps.Clone(s.zones), general: true, seen: map[string]bool{}}
	}, func(c checker) { s.own, s.zones = c.own, c.zones })
}

// Once are the directives of a list that a block takes once.
func Once(l option.List) []string {
	var names []string
	for _, words := range Directives(l) {
		if r, ok := rules[words[0]]; ok && !r.many {
			names = append(names, words[0])
		}
	}
	return names
}

// block checks a directive that opens one, of the http block or of a server
// that a snippet adds.
func (c *checker) block(name string, args []string, inner []directive) ([]directive, error) {
	check, ok := map[string]func(*checker, []string, []directive) ([]directive, error){
		"map": (*checker).mapping, "geo": (*checker).geo, "split_clients": (*checker).split, "server": (*checker).server,
	}[name]
	if c.in == inOwnServer && name == "location" {
		check, ok = (*checker).location, true
	} else if c.in != inHTTP {
		ok = false
	}
	if !ok {
		return nil, unknown(name)
	}
	out, err := check(c, args, inner)
	if err != nil && !strings.HasPrefix(err.Error(), "directive ") {
		err = fmt.Errorf("directive %s: %w", name, err)
	}
	return out, err
}

// instead says what is there for those who used a directive that is not taken.
var instead = map[string]string{
	"load_module":            "modules are loaded where a key needs them",
	"log_format":             "log-format-upstream has the format",
	"access_log":             "access-log-path, syslog-host and skip-access-log-urls say it",
	"error_log":              "error-log-path and error-log-level say it",
	"proxy_cache_path":       "files of nginx are not for snippets",
	"include":                "files are not for snippets",
	"proxy_set_header":       "the ConfigMap of proxy-set-headers has such headers",
	"gzip":                   "use-gzip says it",
	"map_hash_bucket_size":   "the key map-hash-bucket-size says it",
	"upstream":               "a Service has the endpoints",
	"limit_req_status":       "limit-req-status-code says it",
	"limit_conn_status":      "limit-conn-status-code says it",
	"worker_processes":       "the key of that name says it",
	"worker_rlimit_nofile":   "max-worker-open-files says it",
	"client_max_body_size":   "proxy-body-size says it",
	"underscores_in_headers": "enable-underscores-in-headers says it",
}

func unknown(name string) error {
	if hint := instead[name]; hint != "" {
		return fmt.Errorf("directive %.60q is not one of those that are known to be harmless here: %s", name, hint)
	}
	return fmt.Errorf("directive %.60q is not one of those that are known to be harmless here", name)
}
