package annotation

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

var (
	zoneText = regexp.MustCompile(`^zone=([a-zA-Z0-9_-]{1,60}):([0-9]{1,6}[kKmM])$`)
	zoneUse  = regexp.MustCompile(`^zone=([a-zA-Z0-9_-]{1,60})$`)
	rateText = regexp.MustCompile(`^rate=[1-9][0-9]{0,6}r/[sm]$`)
)

// zone is limit_req_zone, and limit_conn_zone where it has no rate. The least
// size is that of nginx's eight pages.
func zone(use string, rate bool) func(*checker, []string) ([]string, error) {
	return func(c *checker, args []string) ([]string, error) {
		if len(args) != 2 && !rate || len(args) != 3 && rate {
			return nil, fmt.Errorf("takes a key, a zone, and for requests a rate")
		}
		key := args[0]
		if key != "$binary_remote_addr" {
			var err error
			if key, err = c.variables(key); err != nil {
				return nil, err
			}
		}
		found := zoneText.FindStringSubmatch(args[1])
		if found == nil {
			return nil, fmt.Errorf("%.60q is not zone=NAME:SIZE", args[1])
		}
		if _, err := option.SizeFrom(64<<10, 1<<30).Parse(found[2]); err != nil {
			return nil, err
		}
		if c.zones[found[1]] != "" {
			return nil, fmt.Errorf("zone %s stands there twice", found[1])
		}
		c.zones[found[1]] = use
		words := []string{key, "zone=" + ownPrefix + found[1] + ":" + found[2]}
		if rate {
			if !rateText.MatchString(args[2]) {
				return nil, fmt.Errorf("%.60q is not a rate such as rate=10r/s", args[2])
			}
			words = append(words, args[2])
		}
		return words, nil
	}
}

var limitOption = regexp.MustCompile(`^(?:nodelay|(?:burst|delay)=[0-9]{1,7})$`)

func limitRequests(c *checker, args []string) ([]string, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("takes a zone")
	}
	found := zoneUse.FindStringSubmatch(args[0])
	if found == nil || c.zones[found[1]] != "limit_req" {
		return nil, fmt.Errorf("%.60q is not a zone=NAME of http-snippet's limit_req_zone", args[0])
	}
	seen := map[string]bool{"zone": true}
	for _, word := range args[1:] {
		name, _, _ := strings.Cut(strings.TrimPrefix(word, "no"), "=")
		if !limitOption.MatchString(word) || seen[name] {
			return nil, fmt.Errorf("%.60q is not an option that may be used, or is there twice", word)
		}
		seen[name] = true
	}
	return append([]string{"zone=" + ownPrefix + found[1]}, args[1:]...), nil
}

func limitInZone(c *checker, args []string) ([]string, error) {
	if len(args) != 2 || c.zones[args[0]] != "limit_conn" {
		return nil, fmt.Errorf("takes a zone of http-snippet's limit_conn_zone and a number")
	}
	n, err := option.Int(1, 65535).Parse(args[1])
	return []string{ownPrefix + args[0], strconv.Itoa(n)}, err
}

var poolName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,60}$`)

var threadPool = regexp.MustCompile(`^(?:threads=[1-9][0-9]{0,3}|max_queue=[1-9][0-9]{0,7})$`)

func threads(_ *checker, args []string) ([]string, error) {
	if len(args) < 2 || len(args) > 3 || !poolName.MatchString(args[0]) ||
		!strings.HasPrefix(args[1], "threads=") || len(args) == 3 && !strings.HasPrefix(args[2], "max_queue=") {
		return nil, fmt.Errorf("takes a name, threads= and max_queue= where wanted")
	}
	for _, word := range args[1:] {
		if !threadPool.MatchString(word) {
			return nil, fmt.Errorf("%.60q is not an option that may be used", word)
		}
	}
	return args, nil
}
