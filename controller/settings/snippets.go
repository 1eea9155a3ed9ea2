package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

const checkedSnippet = " They are parsed, checked against a list of harmless ones, and printed afresh; one that is not on the list makes the value wrong, and says so. " +
	"Files, modules, Lua and other servers to send requests to are not on it."

// readSnippets reads the directives that the operator wrote. It wants no
// allow-snippet-annotations, which is for those who write Ingresses. What the
// http block declares, the others and the log format may use.
func readSnippets(r *option.Reader, s *model.Settings) *annotation.Scope {
	scope := annotation.NewScope()
	s.MainSnippet = snippet(r, "main-snippet", scope.Main(),
		"nginx directives for the whole process: `worker_priority`, `pcre_jit`, `timer_resolution`, `worker_rlimit_core`, `thread_pool` and `env` without a value."+checkedSnippet)
	s.HTTPSnippet = snippet(r, "http-snippet", scope.HTTP(),
		"nginx directives for the http block: `map`, `geo`, `split_clients`, `limit_req_zone`, `limit_conn_zone`, `add_header`, `proxy_hide_header`, `more_set_headers`, `more_clear_headers`, "+
			"and a `server` that answers by itself, on a port of its own. Variables and zones are there in server-snippet, location-snippet and log-format-upstream."+checkedSnippet)
	s.ServerSnippet = snippet(r, "server-snippet", scope.Server(), "nginx directives for all hosts, as the annotation of that name has them, and `limit_req` and `limit_conn`."+checkedSnippet)
	s.LocationSnippet = snippet(r, "location-snippet", scope.Location(),
		"nginx directives for all locations, as configuration-snippet has them, and `limit_req` and `limit_conn`. What nginx takes once, an Ingress's own snippet says."+checkedSnippet)
	before := len(r.Problems())
	s.GlobalAuthSnippet = snippet(r, "global-auth-snippet", scope.Auth(),
		"nginx directives for the request to the server of `global-auth-url`: its headers, by `proxy_set_header`. Another directive, and one that is wrong, closes the locations where that server is asked."+checkedSnippet)
	s.NoGlobalAuth = len(r.Problems()) > before
	return scope
}

func snippet(r *option.Reader, name string, check option.Check[option.List], doc string) option.List {
	return option.Key[option.List]{Name: name, Doc: doc, DefaultDoc: "none", Check: check}.Get(r)
}
