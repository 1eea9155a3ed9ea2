package annotation

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

// A Stream is a server of nginx's stream block that a user wrote.
type Stream struct {
	Port        int
	UDP         bool
	Target      string // host:port
	AcceptProxy bool
	SendProxy   bool

	ConnectTimeout, Timeout time.Duration
	Responses               int
}

// Streams are the servers of a list that a snippet became.
func Streams(l option.List) []Stream {
	var all []Stream
	for _, line := range l.All() {
		var s Stream
		if json.Unmarshal([]byte(line), &s) == nil { // it is our own text
			all = append(all, s)
		}
	}
	return all
}

// StreamSnippet accepts servers of the stream block.
var StreamSnippet = option.Check[option.List]{
	Values: "servers of nginx's stream block",
	Parse: func(s string) (option.List, error) {
		if len(s) > 16<<10 {
			return "", fmt.Errorf("is longer than 16384 bytes")
		}
		tree, err := parseDirectives(s)
		if err != nil {
			return "", err
		}
		var lines []string
		for _, d := range tree {
			if d.words[0] != "server" || len(d.words) != 1 || d.block == nil {
				return "", fmt.Errorf("directive %.60q is not one of those that are known to be harmless here", d.words[0])
			}
			server, err := streamServer(d.block)
			if err != nil {
				return "", err
			}
			line, err := json.Marshal(server)
			if err != nil {
				return "", err
			}
			lines = append(lines, string(line))
		}
		return option.ListOf(lines...), nil
	},
}

func streamServer(block []directive) (Stream, error) {
	var s Stream
	seen := map[string]bool{}
	for _, d := range block {
		name, args := d.words[0], d.words[1:]
		set, ok := streamDirectives[name]
		switch {
		case !ok || d.block != nil:
			return s, fmt.Errorf("directive %.60q is not one of those that are known to be harmless here", name)
		case seen[name]:
			return s, fmt.Errorf("directive %s stands there twice", name)
		}
		seen[name] = true
		if err := set(&s, args); err != nil {
			return s, fmt.Errorf("directive %s: %w", name, err)
		}
	}
	if !seen["listen"] || !seen["proxy_pass"] {
		return s, fmt.Errorf("a server wants listen and proxy_pass")
	}
	return s, nil
}

var streamDirectives = map[string]func(*Stream, []string) error{
	"listen": listenOn,
	"proxy_pass": func(s *Stream, args []string) error {
		if len(args) != 1 || strings.HasPrefix(args[0], "unix:") {
			return fmt.Errorf("takes a host and a port")
		}
		host, port, ok := cutPort(args[0])
		if _, err := netip.ParseAddr(host); err != nil {
			host, err = option.DNSName.Parse(host)
			ok = ok && err == nil
		}
		number, err := strconv.Atoi(port)
		if !ok || err != nil || number < 1 || number > 65535 {
			return fmt.Errorf("%.80q is not a host and a port", args[0])
		}
		s.Target = joinPort(host, number)
		return nil
	},
	"proxy_protocol": func(s *Stream, args []string) (err error) {
		s.SendProxy, err = onOff(args)
		return err
	},
	"proxy_timeout":         func(s *Stream, args []string) (err error) { s.Timeout, err = streamTime(args); return err },
	"proxy_connect_timeout": func(s *Stream, args []string) (err error) { s.ConnectTimeout, err = streamTime(args); return err },
	"proxy_responses": func(s *Stream, args []string) (err error) {
		if len(args) != 1 {
			return fmt.Errorf("takes a number")
		}
		s.Responses, err = option.Int(1, 1000000).Parse(args[0])
		return err
	},
}

// LeastPort is the least port that a snippet may listen on: those below are the
// operator's.
const LeastPort = 1024

var streamPort = regexp.MustCompile(`^(?:\*:|0\.0\.0\.0:|\[::\]:)?([0-9]{1,5})$`)

func listenOn(s *Stream, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("takes a port")
	}
	m := streamPort.FindStringSubmatch(args[0])
	if m == nil {
		return fmt.Errorf("%.80q is not a port, of all addresses", args[0])
	}
	s.Port, _ = strconv.Atoi(m[1])
	if s.Port < LeastPort || s.Port > 65535 {
		return fmt.Errorf("%d is not in the range from %d to 65535", s.Port, LeastPort)
	}
	for _, word := range args[1:] {
		switch word {
		case "udp":
			s.UDP = true
		case "proxy_protocol":
			s.AcceptProxy = true
		case "reuseport": // it is, if the ConfigMap says
		default:
			return fmt.Errorf("%.80q is not one of udp, proxy_protocol and reuseport", word)
		}
	}
	if s.UDP && s.AcceptProxy {
		return fmt.Errorf("there is no proxy_protocol for udp")
	}
	return nil
}

func onOff(args []string) (bool, error) {
	if len(args) != 1 {
		return false, fmt.Errorf("takes on or off")
	}
	word, err := option.OneOf("on", "off").Parse(args[0])
	return word == "on", err
}

var plainSeconds = regexp.MustCompile(`^[0-9]+$`)

func streamTime(args []string) (time.Duration, error) {
	if len(args) != 1 {
		return 0, fmt.Errorf("takes a time")
	}
	text := args[0]
	if plainSeconds.MatchString(text) {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Millisecond || d > 24*time.Hour {
		return 0, fmt.Errorf("%.80q is not a time up to a day", args[0])
	}
	return d, nil
}

func cutPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", "", false
	}
	return strings.Trim(s[:i], "[]"), s[i+1:], true
}

func joinPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}
