package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// ProxySSL is TLS to endpoints. It counts where HTTPS or GRPCS is spoken to
// them.
type ProxySSL struct {
	Secret     string // ours: certificate, key, and the CA of theirs
	Verify     bool
	Depth      int
	Name       string
	ServerName bool
	Protocols  string
	Ciphers    string
}

const withTLS = " Counts with `backend-protocol` HTTPS, GRPCS or AUTO_HTTP; unlike in ingress-nginx, without `proxy-ssl-secret` too."

var (
	proxySSLSecret = option.Key[string]{
		Name: "proxy-ssl-secret", Risk: option.Medium, DefaultDoc: "none", Check: option.Reference,
		Doc: "The Secret of TLS to the endpoints: `tls.crt` and `tls.key` are shown to them, `ca.crt` is what `proxy-ssl-verify` trusts. It is in the Ingress's own " +
			"namespace unless the ConfigMap says `allow-cross-namespace-resources`. Where it can't be used the answer is 503.",
	}
	proxySSLVerify = option.Key[bool]{
		Name: "proxy-ssl-verify", Check: option.Switch,
		Doc: "Verifies the endpoints' certificates; one that is not right gets a 502. Without a Secret with a `ca.crt` the answer is 503, where ingress-nginx did not verify." + withTLS,
	}
	proxySSLDepth = option.Key[int]{
		Name: "proxy-ssl-verify-depth", Default: 1, Check: option.Int(0, 100),
		Doc: "How many certificates may come between an endpoint's and the CA's." + withTLS,
	}
	proxySSLName = option.Key[string]{
		Name: "proxy-ssl-name", Risk: option.High, Check: option.DNSName, DefaultDoc: "`SERVICE.NAMESPACE.svc`",
		Doc: "The name that an endpoint's certificate has to be for, and that `proxy-ssl-server-name` sends. (ingress-nginx verified the name of its own upstream block where there was none.)" + withTLS,
	}
	proxySSLServerName = option.Key[bool]{
		Name: "proxy-ssl-server-name", Check: option.Switch,
		Doc: "Sends the name to the endpoints by SNI." + withTLS,
	}
	proxySSLProtocols = option.Key[string]{
		Name: "proxy-ssl-protocols", DefaultDoc: "`TLSv1.2 TLSv1.3`; ingress-nginx had `TLSv1.2`",
		Check: option.Words("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
		Doc:   "The versions of TLS to the endpoints." + withTLS,
	}
	proxySSLCiphers = option.Key[string]{
		Name: "proxy-ssl-ciphers", Risk: option.Medium, DefaultDoc: "`DEFAULT`", Check: option.TenantCiphers,
		Doc: "The ciphers to the endpoints, for TLS up to 1.2." + withTLS,
	}
)

func readProxySSL(r *option.Reader) ProxySSL {
	return ProxySSL{
		Secret:     lookup(r, proxySSLSecret),
		Verify:     proxySSLVerify.Get(r),
		Depth:      proxySSLDepth.Get(r),
		Name:       lookup(r, proxySSLName),
		ServerName: proxySSLServerName.Get(r),
		Protocols:  lookup(r, proxySSLProtocols),
		Ciphers:    lookup(r, proxySSLCiphers),
	}
}
