package settings

import (
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

func readProxy(r *option.Reader, s *model.Settings) {
	s.ProxyBodySize = size(r, "proxy-body-size", "1m", "The largest request body in bytes; a larger one gets a 413. 0 takes any.")
	flag(r, "proxy-ssl-location-only", false, "Has no effect: the proxy-ssl annotations of an Ingress always hold for its own paths alone.")
	s.ProxyConnectTimeout = seconds(r, "proxy-connect-timeout", 5, "How long a connection to an endpoint may take.")
	s.ProxySendTimeout = seconds(r, "proxy-send-timeout", 60, "How long an endpoint may take between two reads of the request.")
	s.ProxyReadTimeout = seconds(r, "proxy-read-timeout", 60, "How long an endpoint may take between two writes of the response.")
	s.ProxyBuffering = onOff(r, "proxy-buffering", false, "Reads a response as fast as the endpoint sends it, ahead of the client.")
	s.ProxyRequestBuffering = onOff(r, "proxy-request-buffering", true, "Reads the whole request body before an endpoint is asked.")
	s.ProxyBufferSize = text(r, "proxy-buffer-size", "4k", bufferSize, "The buffer, in bytes, for the first part of a response; its headers must fit.")
	s.ProxyBuffersNumber = number(r, "proxy-buffers-number", 4, 3, 1024, "How many buffers of proxy-buffer-size one response may take.")
	s.ProxyMaxTempFileSize = size(r, "proxy-max-temp-file-size", "1024m", "The largest file, in bytes, for the part of a buffered response that memory can't hold. 0 writes none.")
	if most := option.Bytes(s.ProxyMaxTempFileSize); most != 0 && most < option.Bytes(s.ProxyBufferSize) {
		r.Reject("proxy-max-temp-file-size", "is less than proxy-buffer-size, which nginx refuses; 1024m is taken")
		s.ProxyMaxTempFileSize = "1024m"
	}
	s.ProxyNextUpstream = text(r, "proxy-next-upstream", "error timeout", option.NextUpstream, "In which cases another endpoint is tried.")
	s.ProxyNextUpstreamTries = number(r, "proxy-next-upstream-tries", 3, 0, 1000, "How many endpoints are tried in all; 0 sets no limit.")
	s.ProxyNextUpstreamTimeout = seconds(r, "proxy-next-upstream-timeout", 0, "How long endpoints may be tried in all; 0 sets no limit.")
	s.RetryNonIdempotent = flag(r, "retry-non-idempotent", false, "Tries another endpoint for POST, LOCK and PATCH too.")
	s.ProxyHTTPVersion = text(r, "proxy-http-version", "1.1", option.OneOf("1.0", "1.1"), "The version of HTTP in which an endpoint is asked.")
	s.ProxyBusyBuffersSize = busyBuffersSize(r, s)
	s.ProxyCookieDomain = on(text(r, "proxy-cookie-domain", "off", option.CookieDomain, "Replaces a domain in the cookies that endpoints set by another."))
	s.ProxyCookiePath = on(text(r, "proxy-cookie-path", "off", option.CookiePath, "Replaces what a path starts with, in the cookies that endpoints set."))
}

func busyBuffersSize(r *option.Reader, s *model.Settings) string {
	k := option.Key[string]{
		Name: "proxy-busy-buffers-size", Doc: "How much of a response, in bytes, may be on its way to the client while the rest is still read.",
		DefaultDoc: "two buffers", Check: option.SizeFrom(512, 1<<30),
	}
	size, ok := k.Lookup(r)
	if ok && !option.BusyBuffers(size, s.ProxyBuffersNumber, s.ProxyBufferSize) {
		r.Reject(k.Name, "does not hold one buffer of proxy-buffer-size, or leaves none of them free, which nginx refuses; two buffers are taken")
		return ""
	}
	return size
}

// on is the value, and "" for off.
func on(value string) string {
	if value == "off" {
		return ""
	}
	return value
}
