package settings

import (
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

func readHTTP(r *option.Reader, s *model.Settings) {
	s.HTTP2 = flag(r, "use-http2", true, "Offers HTTP/2 to clients that come with TLS.")
	s.HTTP2MaxStreams = number(r, "http2-max-concurrent-streams", 128, 1, 1<<20, "How many requests one HTTP/2 connection may have under way.")
	s.HTTP3 = flag(r, "use-http3", false, "Offers HTTP/3 to clients of https, on the UDP port of the same number, and says so to them by Alt-Svc; `http2-max-concurrent-streams` holds for it too. "+
		"It wants nginx 1.25 or later, TLSv1.3, and no PROXY protocol. A reload, unlike one under HTTP/1 and HTTP/2, can cost requests that are under way on HTTP/3.")
	s.QUICRetry = flag(r, "quic-retry", false, "Has clients of HTTP/3 show that their address is their own before they get an answer, at the cost of one round trip.")
	s.ServerTokens = flag(r, "server-tokens", false, "Tells nginx's version in error pages and in the Server header.")
	s.GenerateRequestID = flag(r, "generate-request-id", true, "Gives a request that comes without X-Request-ID a random one.")
	s.KeepAlive = seconds(r, "keep-alive", 75, "How long an idle connection of a client stays open; 0 closes after each response.")
	s.KeepAliveRequests = number(r, "keep-alive-requests", 1000, 1, 1<<30, "How many requests one connection of a client may carry.")
	s.ClientHeaderTimeout = seconds(r, "client-header-timeout", 60, "How long a client may take to send a request's header.")
	s.ClientBodyTimeout = seconds(r, "client-body-timeout", 60, "How long a client may pause while it sends a body.")
	s.ClientHeaderBufferSize = text(r, "client-header-buffer-size", "1k", bufferSize, "The buffer, in bytes, for a request's header.")
	s.ClientBodyBufferSize = text(r, "client-body-buffer-size", "8k", bufferSize, "The part of a request body, in bytes, that is held in memory.")
	s.LargeClientHeaderBuffers = text(r, "large-client-header-buffers", "4 8k", option.Buffers, "How many larger buffers, of which size, a long header may take.")
	s.UnderscoresInHeaders = flag(r, "enable-underscores-in-headers", false, "Takes header names with underscores.")
	s.IgnoreInvalidHeaders = flag(r, "ignore-invalid-headers", true, "Drops headers whose name is not valid.")
}

var pathList = option.Pattern(`(/[^\s,;{}"'\\$]*)(\s*,\s*/[^\s,;{}"'\\$]*)*`, "a list of paths, parted by commas")

func readRedirects(r *option.Reader, s *model.Settings) {
	s.SSLRedirect = flag(r, "ssl-redirect", true, "Redirects requests without TLS to https, where the host has a TLS section.")
	s.ForceSSLRedirect = flag(r, "force-ssl-redirect", false, "Redirects requests without TLS to https everywhere.")
	s.PreserveTrailingSlash = flag(r, "preserve-trailing-slash", false, "Keeps the slash at the end of the redirect to https.")
	s.RelativeRedirects = flag(r, "relative-redirects", false, "Leaves scheme and host out of redirects that nginx makes by itself.")
	s.UsePortInRedirects = flag(r, "use-port-in-redirects", false, "Tells the port in redirects that nginx makes by itself.")
	s.ProxyRedirectFrom = text(r, "proxy-redirect-from", "off", redirectWord, "What endpoints' Location and Refresh headers begin with that proxy-redirect-to takes the place of; `off` leaves them.")
	s.ProxyRedirectTo = text(r, "proxy-redirect-to", "off", redirectWord, "What takes the place of proxy-redirect-from.")
	if s.ProxyRedirectFrom != "off" && s.ProxyRedirectFrom != "default" && (s.ProxyRedirectTo == "off" || s.ProxyRedirectTo == "default") {
		r.Reject("proxy-redirect-from", "has no proxy-redirect-to beside it, and no effect")
		s.ProxyRedirectFrom = "off"
	}
	s.HTTPRedirectCode = option.Key[int]{
		Name: "http-redirect-code", Doc: "The status of the redirect to https.", Default: 308, Check: redirectCode,
	}.Get(r)
	for path := range strings.SplitSeq(text(r, "no-tls-redirect-locations", "/.well-known/acme-challenge", pathList,
		"What paths start with that are never redirected to https."), ",") {
		s.NoTLSRedirect = append(s.NoTLSRedirect, strings.TrimSpace(path))
	}
}

// redirectWord is as the annotation has it.
var redirectWord = option.Pattern(`[-!%&()*+,./:=?@A-Za-z0-9_][-!%&()*+,./:=?@A-Za-z0-9_~]*`, "an URL or a part of one")

var redirectCode = option.Check[int]{
	Values: "one of `301`, `302`, `303`, `307`, `308`",
	Parse: func(s string) (int, error) {
		if _, err := option.OneOf("301", "302", "303", "307", "308").Parse(s); err != nil {
			return 0, err
		}
		return option.Int(301, 308).Parse(s)
	},
}

func readUpstream(r *option.Reader, s *model.Settings) {
	s.LoadBalance = text(r, "load-balance", "round_robin", annotation.Algorithms, "How an endpoint is chosen: `round_robin` or `ewma`; the others are taken and mean `round_robin`.")
	s.UpstreamHashBy = option.Key[option.List]{Name: "upstream-hash-by", DefaultDoc: "none", Check: annotation.HashKey, Doc: "Requests for which this text is the same go to the same endpoint."}.Get(r)
	s.UpstreamHashBySubset = flag(r, "upstream-hash-by-subset", false, "Such requests go to any of a few endpoints.")
	s.UpstreamHashBySubsetSize = number(r, "upstream-hash-by-subset-size", 3, 1, 1000, "How many those are.")
	s.ServiceUpstream = flag(r, "service-upstream", false, "Sends requests to Services' cluster IPs in the place of their endpoints.")
	s.UpstreamKeepalive = number(r, "upstream-keepalive-connections", 320, 0, 1<<20, "How many idle connections to endpoints each worker keeps; 0 keeps none.")
	s.UpstreamKeepaliveRequests = number(r, "upstream-keepalive-requests", 10000, 1, 1<<30, "How many requests one connection to an endpoint may carry.")
	s.UpstreamKeepaliveTime = duration(r, "upstream-keepalive-time", 3600e9, "How long one connection to an endpoint may be used.")
	s.UpstreamKeepaliveTimeout = seconds(r, "upstream-keepalive-timeout", 60, "How long an idle connection to an endpoint stays open.")
}
