package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

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
