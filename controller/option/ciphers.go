package option

import (
	"regexp"
	"slices"
	"strings"
)

// suite is a cipher suite of TLS 1.2 by OpenSSL's name, or one of the words by
// which it calls groups of them (ciphers(1)).
var suite = regexp.MustCompile(`^((ECDHE|DHE)-)?((ECDSA|RSA)-)?(AES(128|256)-(GCM-SHA(256|384)|CCM8?|SHA(256|384)?)|CHACHA20-POLY1305|` +
	`(CAMELLIA|ARIA)(128|256)?-\S+)$|^(ALL|DEFAULT|HIGH|MEDIUM|[ak]?(ECDHE|DHE|EECDH|EDH|RSA|ECDSA)|AES(128|256|GCM|CCM)?|CHACHA20|TLSv1\.2|SHA(256|384)?)$`)

const cipherList = "a list of OpenSSL cipher names, parted by colons"

// Ciphers accepts a list with at least one cipher that OpenSSL knows. It drops
// names that it doesn't know by itself.
var Ciphers = Check[string]{
	Values: cipherList,
	Parse: func(s string) (string, error) {
		if _, err := Pattern(`[-A-Za-z0-9:+!@=_.]+`, cipherList).Parse(s); err != nil {
			return "", err
		}
		if !slices.ContainsFunc(strings.Split(s, ":"), known) {
			return "", errorf("%s names no cipher that OpenSSL knows", s)
		}
		return s, nil
	},
}

func known(element string) bool {
	return !slices.ContainsFunc(strings.Split(element, "+"), func(part string) bool { return !suite.MatchString(part) })
}

var (
	// strong are suites that each OpenSSL of today has.
	strong  = regexp.MustCompile(`^(ECDHE-(ECDSA|RSA)-|DHE-RSA-)(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)$|^AES(128-GCM-SHA256|256-GCM-SHA384)$`)
	element = regexp.MustCompile(`^[-+!]?[A-Za-z0-9][A-Za-z0-9.-]*(\+[A-Za-z0-9][A-Za-z0-9.-]*)*$|^@STRENGTH$|^@SECLEVEL=[0-5]$`)
	// spares are what can be taken out of any list with none of the strong ones
	// gone that exchange keys by Diffie and Hellman.
	spares = strings.Fields(`aNULL eNULL NULL EXPORT EXP LOW MEDIUM MD5 DES 3DES RC4 RC2 IDEA SEED PSK aPSK kPSK SRP kSRP ADH AECDH DSS aDSS
		CAMELLIA CAMELLIA128 CAMELLIA256 ARIA ARIA128 ARIA256 RSA kRSA SHA SHA1 SHA256 SHA384 SSLv2 SSLv3 TLSv1 AESCCM AESCCM8 DES-CBC3-SHA
		ECDHE-RSA-DES-CBC3-SHA EDH-RSA-DES-CBC3-SHA EDH-DSS-DES-CBC3-SHA KRB5-DES-CBC3-SHA KRB5 kECDH kDH ECDH+aNULL GOST`)
	words = strings.Fields("ALL DEFAULT HIGH ECDHE EECDH ECDHE+AESGCM EECDH+AESGCM AESGCM ECDHE+AES256 EECDH+CHACHA20 CHACHA20 AES256+EECDH AES128+EECDH")
)

// TenantCiphers accepts a list that leaves at least one cipher over in any
// OpenSSL: nginx refuses its whole file for one that leaves none.
var TenantCiphers = Check[string]{
	Values: cipherList + ", with a strong one among them and none of those that rule all strong ones out",
	Parse: func(s string) (string, error) {
		if _, err := Ciphers.Parse(s); err != nil {
			return "", err
		}
		some := false
		for one := range strings.SplitSeq(s, ":") {
			if !element.MatchString(one) {
				return "", errorf("%s is not a cipher's name, nor a group of them", one)
			}
			some = some || strong.MatchString(one) && !strings.HasPrefix(one, "AES") || slices.Contains(words, one)
			if out := strings.TrimLeft(one, "!-"); out != one && !slices.Contains(spares, out) {
				return "", errorf("%s may rule out all ciphers", one)
			}
		}
		if !some && (strings.ContainsAny(s, "!") || strings.Contains(s, ":-") || !slices.ContainsFunc(strings.Split(s, ":"), strong.MatchString)) {
			return "", errorf("%s has no strong cipher", s)
		}
		return s, nil
	},
}
