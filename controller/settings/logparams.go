package settings

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

// logParams accepts what access_log takes after a format, and prints it afresh.
// An if would be the second one: skip-access-log-urls has the first.
var logParams = option.Check[string]{
	Values: "`buffer=SIZE`, `flush=TIME` and `gzip` or `gzip=LEVEL`, parted by spaces; `flush` wants one of the others",
	Parse: func(s string) (string, error) {
		said := map[string]string{}
		for _, word := range strings.Fields(s) {
			name, value, _ := strings.Cut(word, "=")
			text, err := logParam(name, value)
			if err != nil {
				return "", err
			}
			if said[name] != "" {
				return "", fmt.Errorf("%s stands there twice", name)
			}
			said[name] = text
		}
		if said["flush"] != "" && said["buffer"]+said["gzip"] == "" {
			return "", fmt.Errorf("flush= has no buffer= beside it")
		}
		return strings.Join(strings.Fields(said["buffer"]+" "+said["flush"]+" "+said["gzip"]), " "), nil
	},
}

func logParam(name, value string) (string, error) {
	switch name {
	case "buffer":
		size, err := option.SizeFrom(512, 1<<24).Parse(value)
		return "buffer=" + size, err
	case "flush":
		_, err := option.Duration.Parse(value)
		return "flush=" + value, err
	case "gzip":
		if value == "" {
			return "gzip", nil
		}
		level, err := option.Int(1, 9).Parse(value)
		return "gzip=" + strconv.Itoa(level), err
	}
	return "", fmt.Errorf("%.40q is none of buffer=, flush= and gzip", name)
}

var plainURL = regexp.MustCompile(`^/[^\s"'\\;{}$\x00-\x1f\x7f]*$`)

// skippedURLs accepts keys of a map: nginx compares a path without regard to case.
var skippedURLs = option.ListOfEach(option.Check[string]{
	Values: "a path, with its arguments where it has any, or `~` or `~*` and a regular expression without commas",
	Parse: func(s string) (string, error) {
		if len(s) > 1000 {
			return "", fmt.Errorf("%.60q… is longer than 1000 bytes", s)
		}
		if expr, ok := strings.CutPrefix(s, "~"); ok {
			return s, annotation.HarmlessRegex(strings.TrimPrefix(expr, "*"))
		}
		if !plainURL.MatchString(s) {
			return "", fmt.Errorf("%.60q is neither a path nor ~ and a regular expression", s)
		}
		return s, nil
	},
})
