package annotation

import "github.com/sallyport-ingress/sallyport/controller/option"

// TLS is TLS to clients.
type TLS struct {
	Ciphers     string
	Prefer      Tristate // the server's order of ciphers
	Passthrough bool
}

var (
	sslCiphers = option.Key[string]{
		Name: "ssl-ciphers", DefaultDoc: inConfigMap, Check: option.TenantCiphers,
		Doc: "The ciphers of the host for TLS up to 1.2. The host's oldest Ingress with it counts.",
	}
	sslPrefer = option.Key[bool]{
		Name: "ssl-prefer-server-ciphers", DefaultDoc: "`true`", Check: option.Bool,
		Doc: "Chooses the cipher by our order, not by the client's. The host's oldest Ingress with it counts.",
	}
	sslPassthrough = option.Key[bool]{
		Name: "ssl-passthrough", Check: option.Bool,
		Doc: "Hands the host's TLS connections, unopened, to the Service of its path `/`: to its cluster address, or its endpoints where it has none. " +
			"Annotations about requests have no effect on them. Wants the flag `--enable-ssl-passthrough`; nginx itself reads the name and passes the connection on.",
	}
)

func readTLS(r *option.Reader) TLS {
	return TLS{
		Ciphers:     lookup(r, sslCiphers),
		Prefer:      tristate(r, sslPrefer),
		Passthrough: sslPassthrough.Get(r),
	}
}
