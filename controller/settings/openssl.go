package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// suite is a cipher suite of TLS 1.2 by OpenSSL's name, or one of the words by
// which it calls groups of them (ciphers(1)).
var suite = regexp.MustCompile(`^((ECDHE|DHE)-)?((ECDSA|RSA)-)?(AES(128|256)-(GCM-SHA(256|384)|CCM8?|SHA(256|384)?)|CHACHA20-POLY1305|` +
	`(CAMELLIA|ARIA)(128|256)?-\S+)$|^(ALL|DEFAULT|HIGH|MEDIUM|[ak]?(ECDHE|DHE|EECDH|EDH|RSA|ECDSA)|AES(128|256|GCM|CCM)?|CHACHA20|TLSv1\.2|SHA(256|384)?)$`)

// ciphers accepts a list with at least one cipher that OpenSSL knows. It drops
// names that it doesn't know by itself.
var ciphers = option.Check[string]{
	Values: "a list of OpenSSL cipher names, parted by colons",
	Parse: func(s string) (string, error) {
		if _, err := option.Pattern(`[-A-Za-z0-9:+!@=_.]+`, "a list of OpenSSL cipher names, parted by colons").Parse(s); err != nil {
			return "", err
		}
		if !slices.ContainsFunc(strings.Split(s, ":"), func(name string) bool {
			return !slices.ContainsFunc(strings.Split(name, "+"), func(part string) bool { return !suite.MatchString(part) })
		}) {
			return "", fmt.Errorf("%.80q names no cipher that OpenSSL knows", s)
		}
		return s, nil
	},
}

// groups are the names of curves that OpenSSL takes for a key exchange.
var groups = []string{
	"prime256v1", "secp384r1", "secp521r1", "P-256", "P-384", "P-521", "X25519", "X448",
	"ffdhe2048", "ffdhe3072", "ffdhe4096", "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024",
}

// curves accepts a list of them, or auto.
var curves = option.Check[string]{
	Values: "`auto`, or a list of `" + strings.Join(groups, "`, `") + "`, parted by colons",
	Parse: func(s string) (string, error) {
		if s == "auto" {
			return s, nil
		}
		for name := range strings.SplitSeq(s, ":") {
			if !slices.Contains(groups, name) {
				return "", fmt.Errorf("%.80q is not a curve that OpenSSL knows", name)
			}
		}
		return s, nil
	},
}
