package annotation

import (
	"time"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Proxy is how a backend is asked. A zero value leaves it to the ConfigMap.
type Proxy struct {
	BodySize         string
	BodyBufferSize   string
	ConnectTimeout   time.Duration
	SendTimeout      time.Duration
	ReadTimeout      time.Duration
	Buffering        Tristate
	RequestBuffering Tristate
	BufferSize       string
	BuffersNumber    int
	MaxTempFileSize  string
	BusyBuffersSize  string
	HTTPVersion      string
	NextUpstream     string
	NextTries        Optional[int]
	NextTimeout      Optional[time.Duration]
}

const inConfigMap = "as in the ConfigMap"

var (
	proxyBodySize = option.Key[string]{
		Name: "proxy-body-size", Risk: option.Medium, Doc: "The largest request body in bytes; a larger one gets a 413. 0 takes any.",
		DefaultDoc: inConfigMap + " (`1m`)", Check: option.Size,
	}
	clientBodyBufferSize = option.Key[string]{
		Name: "client-body-buffer-size", Doc: "The part of a request body, in bytes, that is held in memory; what exceeds it goes to a file.",
		DefaultDoc: inConfigMap + " (`8k`)", Check: option.SizeFrom(1, 1<<30),
	}
	proxyConnectTimeout = option.Key[time.Duration]{
		Name: "proxy-connect-timeout", Doc: "How long a connection to an endpoint may take.",
		DefaultDoc: inConfigMap + " (`5`)", Check: option.Seconds,
	}
	proxySendTimeout = option.Key[time.Duration]{
		Name: "proxy-send-timeout", Doc: "How long an endpoint may take between two reads of the request.",
		DefaultDoc: inConfigMap + " (`60`)", Check: option.Seconds,
	}
	proxyReadTimeout = option.Key[time.Duration]{
		Name: "proxy-read-timeout", Doc: "How long an endpoint may take between two writes of the response.",
		DefaultDoc: inConfigMap + " (`60`)", Check: option.Seconds,
	}
	proxyBuffering = option.Key[bool]{
		Name: "proxy-buffering", Doc: "Reads a response as fast as the endpoint sends it, ahead of the client.",
		DefaultDoc: inConfigMap + " (`off`)", Check: option.Switch,
	}
	proxyRequestBuffering = option.Key[bool]{
		Name: "proxy-request-buffering", Doc: "Reads the whole request body before an endpoint is asked.",
		DefaultDoc: inConfigMap + " (`on`)", Check: option.Switch,
	}
	proxyBufferSize = option.Key[string]{
		Name: "proxy-buffer-size", Doc: "The buffer, in bytes, for the first part of a response; its headers must fit.",
		DefaultDoc: inConfigMap + " (`4k`)", Check: option.SizeFrom(512, 1<<24),
	}
	proxyBuffersNumber = option.Key[int]{
		Name: "proxy-buffers-number", Doc: "How many buffers of proxy-buffer-size one response may take.",
		DefaultDoc: inConfigMap + " (`4`)", Check: option.Int(3, 1024),
	}
	proxyMaxTempFileSize = option.Key[string]{
		Name: "proxy-max-temp-file-size", Doc: "The largest file, in bytes, for the part of a buffered response that memory can't hold. 0 writes none.",
		DefaultDoc: inConfigMap + " (`1024m`)", Check: option.Size,
	}
	proxyBusyBuffersSize = option.Key[string]{
		Name: "proxy-busy-buffers-size", Doc: "How much of a response, in bytes, may be on its way to the client while the rest is still read. " +
			"It must hold one buffer, and leave one free.",
		DefaultDoc: inConfigMap + " (two buffers)", Check: option.SizeFrom(512, 1<<30),
	}
	proxyHTTPVersion = option.Key[string]{
		Name: "proxy-http-version", Doc: "The version of HTTP in which an endpoint is asked.",
		DefaultDoc: inConfigMap + " (`1.1`)", Check: option.OneOf("1.0", "1.1"),
	}
	proxyNextUpstream = option.Key[string]{
		Name: "proxy-next-upstream", Risk: option.Medium, Doc: "In which cases another endpoint is tried.",
		DefaultDoc: inConfigMap + " (`error timeout`)", Check: option.NextUpstream,
	}
	proxyNextUpstreamTries = option.Key[int]{
		Name: "proxy-next-upstream-tries", Doc: "How many endpoints are tried in all; 0 sets no limit.",
		DefaultDoc: inConfigMap + " (`3`)", Check: option.Int(0, 1000),
	}
	proxyNextUpstreamTimeout = option.Key[time.Duration]{
		Name: "proxy-next-upstream-timeout", Doc: "How long endpoints may be tried in all; 0 sets no limit.",
		DefaultDoc: inConfigMap + " (`0`)", Check: option.Seconds,
	}
)

func readProxy(r *option.Reader) Proxy {
	return Proxy{
		BodySize:         lookup(r, proxyBodySize),
		BodyBufferSize:   lookup(r, clientBodyBufferSize),
		ConnectTimeout:   lookup(r, proxyConnectTimeout),
		SendTimeout:      lookup(r, proxySendTimeout),
		ReadTimeout:      lookup(r, proxyReadTimeout),
		Buffering:        tristate(r, proxyBuffering),
		RequestBuffering: tristate(r, proxyRequestBuffering),
		BufferSize:       lookup(r, proxyBufferSize),
		BuffersNumber:    lookup(r, proxyBuffersNumber),
		MaxTempFileSize:  lookup(r, proxyMaxTempFileSize),
		BusyBuffersSize:  lookup(r, proxyBusyBuffersSize),
		HTTPVersion:      lookup(r, proxyHTTPVersion),
		NextUpstream:     lookup(r, proxyNextUpstream),
		NextTries:        optional(r, proxyNextUpstreamTries),
		NextTimeout:      optional(r, proxyNextUpstreamTimeout),
	}
}

// lookup is the key's value, or the zero value that leaves it to the ConfigMap.
func lookup[T any](r *option.Reader, k option.Key[T]) T {
	v, _ := k.Lookup(r)
	return v
}
