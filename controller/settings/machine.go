package settings

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
)

const whereNeeded = " More is taken where nginx would refuse the file for less."

var (
	cpus     = option.Pattern(`auto( [01]{1,256})?|[01]{1,256}( [01]{1,256})*`, "`auto`, or a mask of zeros and ones for each worker")
	rootPath = option.Pattern(`/[-!&()*+,./0-9:=?@A-Z_a-z~%]*`, "a path")
)

func readMachine(r *option.Reader, s *model.Settings) {
	m := &s.Machine
	m.NamesHashSize = number(r, "server-name-hash-max-size", 1024, 1, 1<<20, "How many entries nginx's table of server names has."+whereNeeded)
	m.NamesHashBucket = number(r, "server-name-hash-bucket-size", 64, 1, 1<<12, "The bytes of one of its buckets."+whereNeeded)
	m.VariablesHashSize = number(r, "variables-hash-max-size", 2048, 1, 1<<20, "How many entries nginx's table of variables has."+whereNeeded)
	m.VariablesBucket = number(r, "variables-hash-bucket-size", 256, 1, 1<<12, "The bytes of one of its buckets."+whereNeeded)
	m.MapBucket = number(r, "map-hash-bucket-size", 64, 1, 1<<12, "The bytes of a bucket of nginx's maps."+whereNeeded)
	m.HeadersHashSize = number(r, "proxy-headers-hash-max-size", 512, 1, 1<<20, "How many entries the tables of headers for endpoints have; 1024 at least.")
	m.HeadersHashBucket = number(r, "proxy-headers-hash-bucket-size", 64, 1, 1<<12, "The bytes of one of their buckets; 128 at least.")
	m.WorkerAffinity = text(r, "worker-cpu-affinity", "", cpus, "On which CPUs workers run: `auto`, or a mask for each. Without it the kernel says.")
	m.Debug = addresses(r, "debug-connections", "The clients, by addresses and ranges, whose connections nginx logs in detail.")
	m.AsyncWrites = flag(r, "enable-aio-write", false, "Writes temporary files by threads. Differs: off by default, for a response that does not fit the buffers is rare.")

	m.DefaultType = text(r, "default-type", "text/html", mediaType, "The media type of responses of nginx's own.")
	m.BackendServer = flag(r, "allow-backend-server-header", false, "Hands on the Server header of endpoints.")
	m.HideHeaders = option.Key[option.List]{
		Name: "hide-headers", DefaultDoc: "none", Check: option.ListOfEach(plainHeader), Doc: "Headers of endpoints that clients do not get.",
	}.Get(r)
	m.OriginalURI = flag(r, "proxy-add-original-uri-header", false, "Tells endpoints the path and arguments as they were, in X-Original-URI.")
	m.EarlyData = flag(r, "ssl-early-data", false, "Takes requests in TLS 1.3's early data, which anybody can replay. Endpoints see `Early-Data: 1`.")
	m.GRPCBuffer = number(r, "grpc-buffer-size-kb", 0, 0, 1<<14, "The buffer, in KB, for the first part of a gRPC endpoint's response; 0 is `proxy-buffer-size`.")
	m.BlockRanges = addresses(r, "block-cidrs", "Clients, by addresses and ranges, that get a 403 everywhere.")
	m.BlockAgents = blocked(r, "block-user-agents", "User agents that get a 403 everywhere: whole texts, or regular expressions with `~` before them, without regard to case with `~*`.")
	m.BlockReferers = blocked(r, "block-referers", "The same of the Referer header.")

	s.AppRoot = text(r, "app-root", "", rootPath, "Where requests for / are redirected to, where no annotation says.")
	s.TicketKey = text(r, "ssl-session-ticket-key", "", ticketKey, "The key of session tickets, 48 or 80 bytes in base64, so that replicas take each other's. Without it each nginx has its own.")
	s.DHParam = text(r, "ssl-dh-param", "", option.Reference, "The Secret, as namespace/name, whose dhparam.pem has the parameters for DHE ciphers.")
	s.RequestHeaders = text(r, "proxy-set-headers", "", option.Reference, "The ConfigMap, as namespace/name, of headers that endpoints get. A value may have variables such as `$remote_addr` and `$http_x_tenant`.")
	s.AddHeaders = text(r, "add-headers", "", option.Reference, "The ConfigMap, as namespace/name, of headers that clients get with each response, in the place of the endpoint's.")
	without(r, "http2-max-field-size", "nginx has it no more since 1.19.7: `large-client-header-buffers` counts")
	without(r, "http2-max-header-size", "nginx has it no more since 1.19.7: `large-client-header-buffers` counts")
	without(r, "http2-max-requests", "nginx has it no more since 1.19.7: `keep-alive-requests` counts")
	without(r, "enable-serial-reloads", "reloads always come one after the other")
	without(r, "enable-ocsp", "certificates come to nginx without a file to staple by")
	without(r, "lua-shared-dicts", "the memory that is needed is had")
	of4 := addresses(r, "nginx-status-ipv4-whitelist", "The clients, by addresses and ranges, that get nginx's counters at /nginx_status where they name no host of an Ingress. Differs: nobody does by default, in ingress-nginx 127.0.0.1.")
	of6 := addresses(r, "nginx-status-ipv6-whitelist", "The same for clients by IPv6.")
	s.Status = option.ListOf(append(of4.All(), of6.All()...)...)
	s.NoIPv6Names = flag(r, "disable-ipv6-dns", false, "Leaves out the IPv6 addresses of names: those of ExternalName Services, and of hosts in annotations and in the ConfigMap.")
}

// without reads a key of ingress-nginx's that does nothing here.
func without(r *option.Reader, name, why string) {
	_, ok := option.Key[string]{Name: name, Doc: "Has no effect: " + why + ".", DefaultDoc: "none", Check: anything}.Lookup(r)
	if ok {
		r.Warn(name, "has no effect: "+why)
	}
}

var anything = option.Check[string]{Values: "anything", Parse: func(s string) (string, error) { return s, nil }}

var plainHeader = option.Pattern(`[A-Za-z0-9][-_A-Za-z0-9]{0,99}`, "the name of a header")

func addresses(r *option.Reader, name, doc string) option.List {
	return option.Key[option.List]{Name: name, Doc: doc, DefaultDoc: "none", Check: option.CIDRs}.Get(r)
}

// mapWords are what nginx takes for something else than a text to compare.
var mapWords = []string{"default", "hostnames", "include", "volatile"}

func blocked(r *option.Reader, name, doc string) option.List {
	return option.Key[option.List]{Name: name, Doc: doc, DefaultDoc: "none", Check: option.ListOfEach(option.Check[string]{
		Values: "texts, and regular expressions with `~` or `~*` before them",
		Parse: func(s string) (string, error) {
			if len(s) > 500 || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) {
				return "", fmt.Errorf("%.80q is longer than 500 bytes, or not of printable ASCII", s)
			}
			if strings.HasPrefix(s, `\`) || strings.HasSuffix(s, `\`) || slices.Contains(mapWords, s) {
				return "", fmt.Errorf("%.80q is a word of nginx's, or begins or ends in a backslash", s)
			}
			if expression, ok := strings.CutPrefix(s, "~"); ok {
				return s, annotation.HarmlessRegex(strings.TrimPrefix(expression, "*"))
			}
			return s, nil
		},
	})}.Get(r)
}

var ticketKey = option.Check[string]{
	Values: "48 or 80 bytes in base64",
	Parse: func(s string) (string, error) {
		key, err := base64.StdEncoding.DecodeString(s)
		if err != nil || len(key) != 48 && len(key) != 80 {
			return "", fmt.Errorf("is not 48 or 80 bytes in base64") // and is not shown
		}
		return s, nil
	},
}
