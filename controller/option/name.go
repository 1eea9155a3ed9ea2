package option

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

var (
	label    = regexp.MustCompile(`^[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?$`)
	resource = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
)

// DNSName accepts a host by its name, and prints it in lower case.
var DNSName = Check[string]{
	Values: "a host name",
	Parse: func(s string) (string, error) {
		name := strings.ToLower(s)
		for part := range strings.SplitSeq(name, ".") {
			if len(name) > 253 || !label.MatchString(part) {
				return "", errorf("%s is not a host name", s)
			}
		}
		return name, nil
	},
}

// HostPort accepts a Host header: a host by its name or address, with a port
// where wanted.
var HostPort = Check[string]{
	Values: "a host, with a port where wanted",
	Parse: func(s string) (string, error) {
		host, port, ok := strings.Cut(s, ":")
		if _, err := netip.ParseAddr(host); err != nil {
			if host, err = DNSName.Parse(host); err != nil {
				return "", errorf("%s is not a host, with or without a port", s)
			}
		}
		if !ok {
			return host, nil
		}
		n, err := Int(1, 65535).Parse(port)
		if err != nil {
			return "", errorf("%s has no right port", s)
		}
		return fmt.Sprintf("%s:%d", host, n), nil
	},
}

// Reference accepts the name of an object, with a namespace and a slash before
// it where that is not the object's own.
var Reference = Check[string]{
	Values: "`name` or `namespace/name`",
	Parse: func(s string) (string, error) {
		for part := range strings.SplitSeq(s, "/") {
			if strings.Count(s, "/") > 1 || !resource.MatchString(part) {
				return "", errorf("%s is neither name nor namespace/name", s)
			}
		}
		return s, nil
	},
}
