package model

import (
	"time"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// Settings are what the whole of nginx.conf is shaped by: the ConfigMap over
// the defaults, and what the command line says of ports and paths. Texts hold
// what their key's check let through.
type Settings struct {
	Listen Listen
	// Bind are the addresses of the ports that clients come to; empty: all.
	Bind   option.List
	NoIPv6 bool
	// NoIPv6Names leaves out the IPv6 addresses of names that the DNS knows.
	NoIPv6Names bool
	// Status are the address ranges that get nginx's status, where no host is named.
	Status option.List
	// Passthrough are the hosts whose TLS is not opened, sorted. Where there are
	// any, nginx's stream module has the port for HTTPS.
	Passthrough []Passthrough
	Streams     []Stream // sorted by port, TCP before UDP
	Stream      StreamSettings
	// StreamSnippet is annotation.Streams of the operator's.
	StreamSnippet option.List

	WorkerProcesses       int
	WorkerConnections     int
	WorkerOpenFiles       int // 0: enough for the connections
	WorkerShutdownTimeout time.Duration
	MultiAccept           bool
	ReusePort             bool
	StrictPaths           bool // no merging of slashes

	AccessLog         bool
	HTTPAccessLog     bool // of HTTP requests
	AccessLogPath     string
	HTTPAccessLogPath string      // "": the access log's own
	AccessLogParams   string      // buffer, flush and gzip
	SkipAccessLog     option.List // keys of a map of $request_uri
	// DefaultBackendLog logs what no Ingress takes.
	DefaultBackendLog bool
	ErrorLogLevel     string
	ErrorLogPath      string // "": standard error
	SyslogHost        string // "": no syslog
	SyslogPort        int
	Syslog            string // the address and port to send to, once the host is known
	LogFormat         string // log_format's text, verbatim
	LogFormatEscape   string // default, json or none
	Metrics           bool   // count requests in Lua

	Gzip, Brotli Compression

	// GeoIP are the databases of addresses, and how often, in minutes, nginx looks
	// for newer ones; 0: never.
	GeoIP        bool
	GeoDatabases option.List // as in GeoLite2-City
	GeoReload    int

	// Directives that the operator wrote; see annotation.Directives. NoGlobalAuth
	// says that those of GlobalAuthSnippet are wrong.
	NoGlobalAuth                                                                bool
	MainSnippet, HTTPSnippet, ServerSnippet, LocationSnippet, GlobalAuthSnippet option.List

	Peers   Peers
	Machine Machine
	// What the keys of the ConfigMap name, which the build reads.
	AppRoot                    string
	TicketKey, DHParam         string // base64, and a Secret
	RequestHeaders, AddHeaders string // ConfigMaps

	HTTP2                    bool
	HTTP2MaxStreams          int
	ServerTokens             bool
	GenerateRequestID        bool
	KeepAlive                time.Duration
	KeepAliveRequests        int
	ClientHeaderTimeout      time.Duration
	ClientBodyTimeout        time.Duration
	ClientHeaderBufferSize   string
	ClientBodyBufferSize     string
	LargeClientHeaderBuffers string
	UnderscoresInHeaders     bool
	IgnoreInvalidHeaders     bool
	HTTPRedirectCode         int
	SSLRedirect              bool
	ForceSSLRedirect         bool
	PreserveTrailingSlash    bool
	RelativeRedirects        bool
	UsePortInRedirects       bool
	ProxyRedirectFrom        string // off, default, or what ProxyRedirectTo takes the place of
	ProxyRedirectTo          string
	NoTLSRedirect            []string // path prefixes that are never sent to https

	LoadBalance              string
	UpstreamHashBy           option.List // an option.Template
	UpstreamHashBySubset     bool
	UpstreamHashBySubsetSize int
	ServiceUpstream          bool

	UpstreamKeepalive         int // idle connections kept, per worker
	UpstreamKeepaliveRequests int
	UpstreamKeepaliveTime     time.Duration
	UpstreamKeepaliveTimeout  time.Duration

	ProxyBodySize            string
	ProxyConnectTimeout      time.Duration
	ProxySendTimeout         time.Duration
	ProxyReadTimeout         time.Duration
	ProxyBuffering           bool
	ProxyRequestBuffering    bool
	ProxyBufferSize          string
	ProxyBuffersNumber       int
	ProxyMaxTempFileSize     string
	ProxyNextUpstream        string
	ProxyNextUpstreamTries   int
	ProxyNextUpstreamTimeout time.Duration
	RetryNonIdempotent       bool
	ProxyBusyBuffersSize     string // "": two buffers
	ProxyHTTPVersion         string
	ProxyCookieDomain        string // "": off
	ProxyCookiePath          string

	CustomHTTPErrors       option.List
	ProxyInterceptErrors   bool
	AllowedResponseHeaders option.List // in lower case

	LimitRequestStatus    int
	LimitConnectionStatus int
	LimitBy               string // the variable that is counted by
	LimitRate             int    // KB a second; 0: no limit
	LimitRateAfter        int    // KB

	SSLProtocols       string
	SSLCiphers         string
	SSLECDHCurve       string
	SSLSessionCache    bool
	SSLSessionSize     string
	SSLSessionTimeout  time.Duration
	SSLSessionTickets  bool
	SSLBufferSize      string
	SSLRejectHandshake bool

	OpenTelemetry     bool
	TrustIncomingSpan bool
	SpanName          option.List // an option.Template; "": method and path
	Spans             Spans

	// ModSecurity is in force for Ingresses that say nothing of it, with the
	// rules of SecRules and the user's of ModSecurityRules, which SecRules.File
	// holds. NoModSecurity says that those are wrong.
	ModSecurity, NoModSecurity bool
	ModSecurityRules           annotation.SecRules
	SecRules                   SecRules

	HSTS                  bool
	HSTSMaxAge            int // seconds
	HSTSIncludeSubdomains bool
	HSTSPreload           bool

	// Annotations is what annotations may say. AllowCrossNamespace lets one name
	// a Secret or a ConfigMap of another namespace than its Ingress's.
	Annotations         annotation.Policy
	AllowCrossNamespace bool
	StrictPathTypes     bool // Exact and Prefix paths have no characters of expressions

	AllowRanges option.List // client addresses, unless an annotation says
	DenyRanges  option.List

	GlobalAuth annotation.Auth // of Ingresses that have none of their own
	NoAuth     option.List     // paths where nobody is asked
}

// Listen is where nginx listens.
type Listen struct {
	HTTPPort    int
	HTTPSPort   int
	DefaultPort int // of the built-in 404 server; 0: none
	StatusPort  int // at 127.0.0.1, of nginx's status; 0: none
	IPv6        bool
}

// Compression is what is compressed, and how.
type Compression struct {
	On        bool
	Level     int
	MinLength int         // bytes
	Types     option.List // media types
	Disable   string      // an expression; for User-Agents
}
