package settings

import (
	"fmt"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// textTypes are those that get much smaller; nginx always compresses text/html.
const textTypes = "application/atom+xml application/javascript application/x-javascript application/json application/rss+xml " +
	"application/vnd.ms-fontobject application/x-font-ttf application/x-web-app-manifest+json application/xhtml+xml application/xml " +
	"font/opentype image/svg+xml image/x-icon text/css text/javascript text/plain text/x-component"

func readCompression(r *option.Reader, s *model.Settings) {
	s.Gzip = model.Compression{
		On:        flag(r, "use-gzip", false, "Compresses responses by gzip, for clients that take it."),
		Level:     number(r, "gzip-level", 1, 1, 9, "How hard gzip tries; 9 takes the longest."),
		MinLength: number(r, "gzip-min-length", 256, 0, 1<<30, "The shortest response, in bytes, that gzip compresses; one that does not tell its length is compressed."),
		Types:     types(r, "gzip-types", textTypes, "The types of responses that gzip compresses, beside text/html."),
		Disable:   text(r, "gzip-disable", "", userAgents, "User-Agents that get nothing compressed by gzip."),
	}
	s.Brotli = model.Compression{
		On: flag(r, "enable-brotli", false, "Compresses responses by brotli, for clients that take it; these get no gzip. "+
			"nginx needs Debian's package libnginx-mod-http-brotli-filter."),
		Level:     number(r, "brotli-level", 4, 0, 11, "How hard brotli tries; 11 takes the longest."),
		MinLength: number(r, "brotli-min-length", 20, 0, 1<<30, "The shortest response, in bytes, that brotli compresses."),
		Types:     types(r, "brotli-types", "application/xml+rss "+textTypes, "The types of responses that brotli compresses, beside text/html."),
	}
}

func types(r *option.Reader, name, value, doc string) option.List {
	return option.Key[option.List]{
		Name: name, Doc: doc, DefaultDoc: "`" + value + "`", Default: option.ListOf(strings.Fields(value)...), Check: mediaTypes,
	}.Get(r)
}

// A media type as RFC 6838 has it; nginx does not look at its case.
var mediaType = option.Pattern(`[a-zA-Z0-9][-+.!#&^_a-zA-Z0-9]{0,126}/[a-zA-Z0-9][-+.!#&^_a-zA-Z0-9]{0,126}`, "a media type")

// mediaTypes leaves out what is there twice, and text/html, which nginx warns of.
var mediaTypes = option.Check[option.List]{
	Values: "a list of media types, parted by spaces; `*` is all types",
	Parse: func(s string) (option.List, error) {
		var all []string
		seen := map[string]bool{"text/html": true}
		for _, word := range strings.Fields(s) {
			if _, err := mediaType.Parse(word); err != nil && word != "*" {
				return "", fmt.Errorf("%.60q is not a media type such as text/css", word)
			}
			if lower := strings.ToLower(word); !seen[lower] {
				seen[lower] = true
				all = append(all, lower)
			}
		}
		if all == nil {
			all = []string{"text/html"}
		}
		return option.ListOf(all...), nil
	},
}

var userAgents = option.Check[string]{
	Values: "`msie6`, or a regular expression that is looked for in the User-Agent",
	Parse: func(s string) (string, error) {
		return s, annotation.HarmlessRegex(s)
	},
}
