package settings

import (
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// DefaultStreamFormat is ingress-nginx's.
const DefaultStreamFormat = `[$remote_addr] [$time_local] $protocol $status $bytes_sent $bytes_received $session_time`

// streamVariables are those that the log of the stream block may show.
var streamVariables = strings.Fields(`
	binary_remote_addr bytes_received bytes_sent connection hostname msec nginx_version pid protocol proxy_protocol_addr proxy_protocol_port
	proxy_protocol_server_addr proxy_protocol_server_port proxy_upstream_name remote_addr remote_port server_addr server_port session_time
	status time_iso8601 time_local upstream_addr upstream_bytes_received upstream_bytes_sent upstream_connect_time
	upstream_first_byte_time upstream_session_time`)

var streamFormat = formatOf(func(name string) (string, bool) { return name, slices.Contains(streamVariables, name) })

func readStream(r *option.Reader, s *model.Settings) {
	st := &s.Stream
	st.AccessLog = s.AccessLog && !flag(r, "disable-stream-access-log", false, "Writes no access log of TCP and UDP services.")
	st.AccessLogPath = text(r, "stream-access-log-path", "", logPath, "The file for the access log of TCP and UDP services; without one it goes where the access log goes.")
	st.LogFormat = text(r, "log-format-stream", DefaultStreamFormat, streamFormat, "The format of the access log of TCP and UDP services.")
	st.NextUpstream = flag(r, "proxy-stream-next-upstream", true, "Tries another endpoint of a TCP service without a cluster address where one refuses the connection.")
	st.NextUpstreamTime = duration(r, "proxy-stream-next-upstream-timeout", 600*time.Second, "For how long others are tried; 0 is no limit.")
	st.NextUpstreamTries = number(r, "proxy-stream-next-upstream-tries", 3, 0, 1000, "How many are tried; 0 is no limit.")
	st.Responses = number(r, "proxy-stream-responses", 1, 0, 1000000, "How many datagrams answer one of a UDP service; with 0 none is waited for.")
	st.Timeout = duration(r, "proxy-stream-timeout", 600*time.Second, "After how long without data a connection, or what a datagram began, is closed.")
	st.ProxyHeaderTimeout = duration(r, "proxy-protocol-header-timeout", 5*time.Second, "How long the header of the PROXY protocol may take.")
	s.StreamSnippet = option.Key[option.List]{
		Name: "stream-snippet", Check: annotation.StreamSnippet, DefaultDoc: "none",
		Doc: "Servers of nginx's stream block, as those of the annotation of that name; `proxy_pass` may name an address, too.",
	}.Get(r)
}
