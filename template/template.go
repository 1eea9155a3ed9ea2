// Package template turns a model.Config into the bytes that nginx is given:
// nginx.conf, and the data items that are pushed to Lua.
//
// It decides nothing: what a route does is in the model. A user's text gets
// into nginx.conf through quote.go alone. It reads no clock and no file; equal
// configs give equal bytes.
package template

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/bits"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

//go:embed *.tmpl
var files embed.FS

// An Environment is what nginx.conf has to say of the machine: folders and
// programs, none of which a user of the cluster can choose.
type Environment struct {
	Dir         string // the work folder
	Lua         string // the folder of our Lua
	Pid         string
	Control     string   // path of the control socket
	Unavailable string   // path of the socket that answers 503
	Opened      string   // path of the socket for TLS, where the stream module has the port, and for nginx's own requests
	Own         string   // path of the socket for nginx's own requests without TLS
	Through     string   // path of the socket for TLS that is not opened
	Stream      string   // the .so file of the stream module; "" where it is built in
	ModSecurity string   // the .so file of ModSecurity's module; "" where it is built in or missing
	Recommended string   // the file of ModSecurity's recommended configuration
	CoreRules   []string // the files of the OWASP Core Rule Set, in order; they may have stars
	Files       string   // the folder of model.Config.Files
	DefaultCert string   // PEM files of the certificate for all other hosts
	Brotli      string   // the .so file of the brotli module; "" where it is built in or missing
	GeoIP       string   // the same of the geoip2 module
	GeoFolder   string   // where databases of addresses are
	DefaultKey  string
	Modules     []string // .so files to load, in order
	Version     [3]int   // nginx's
	User        string   // workers' user and group; "" where nginx has no right to change it
	OpenFiles   int      // how many files a process may hold open
	AccessLog   string   // where the access log goes unless the ConfigMap says
	Resty       string   // extra folder of Lua libraries; "" for Lua's own path
	Buckets     Buckets
	CounterRows int // of requests, in each worker
}

// Buckets are the upper bounds of the metrics' histograms.
type Buckets struct {
	Time   []float64 // seconds
	Length []float64 // bytes, of requests and responses
	Size   []float64 // bytes, of what was sent
	Native bool      // there are native histograms too
	Schema int       // of those: 2 to that power are the buckets between a power of two and the next
}

// A Renderer renders. It keeps the text of each server, and of what is around
// them, from the last call, so that a change costs what changed. It is for one goroutine.
type Renderer struct {
	env      Environment
	tmpl     *template.Template
	settings model.Settings // those that servers were rendered with
	servers  map[string]rendered
	around   surroundings // of the last call
	items    items
}

type rendered struct {
	server model.Server
	asks   bool // the frame's AsksServer
	text   []byte
}

// New parses the embedded templates.
func New(env Environment) (*Renderer, error) {
	all := sprig.TxtFuncMap()
	t := template.New("").Funcs(template.FuncMap{
		"ternary":    all["ternary"],
		"max":        all["max"],
		"pairs":      pairs,
		"quote":      quote,
		"name":       serverName,
		"alias":      aliasName,
		"time":       nginxTime,
		"numbers":    luaNumbers,
		"dict":       all["dict"],
		"pool":       pool,
		"params":     parameters,
		"sni":        sni,
		"digest":     digest,
		"indented":   indented,
		"directives": directives, // of a snippet, for a location that has no other of their kind
	})
	names, err := fs.Glob(files, "*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		// The newline at a file's end is the file's, not the template's.
		if _, err := t.New(name).Parse(strings.TrimSuffix(string(text), "\n")); err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
	}
	return &Renderer{env: env, tmpl: t, servers: map[string]rendered{}}, nil
}

// placeholder stands where the generation goes until it is known; it is as
// long as a generation.
const placeholder = "0000000000000000"

// A Conf is a rendered nginx.conf.
type Conf struct {
	Bytes      []byte
	Generation string // a digest of the bytes
	// lines holds the line on which each server begins, and then the one after the last.
	lines []int
	hosts []string
}

// Server is the text of a host's server block, "" where there is none.
func (c *Conf) Server(host string) string {
	i := slices.Index(c.hosts, host)
	if i < 0 {
		return ""
	}
	lines := strings.SplitAfter(string(c.Bytes), "\n")
	return strings.Join(lines[c.lines[i]-1:c.lines[i+1]-1], "")
}

// Conf renders nginx.conf. An error names the server that has a text which
// can't be written down; nothing is rendered then.
func (r *Renderer) Conf(c *model.Config) (*Conf, error) { return r.conf(c.Settings, c.Servers, true) }

// Sample renders an nginx.conf with those servers alone, for a test of what
// changed that costs what changed.
func (r *Renderer) Sample(s model.Settings, servers []model.Server) (*Conf, error) {
	return r.conf(s, servers, false)
}

func (r *Renderer) conf(s model.Settings, servers []model.Server, keep bool) (*Conf, error) {
	if !reflect.DeepEqual(s, r.settings) {
		r.settings, r.servers = s, map[string]rendered{}
	}
	frame := &frame{Settings: s, Env: r.env, Generation: placeholder}
	frame.measure(servers)
	frame.Pools = pools(servers)
	frame.Places, frame.Nowhere = frame.places()
	if len(servers) == 0 || servers[0].Host != "" {
		// nginx wants a server with a certificate behind each TLS socket.
		servers = slices.Insert(slices.Clone(servers), 0, model.Server{})
	}

	if !reflect.DeepEqual(*frame, r.around.of) {
		if err := r.surround(*frame); err != nil {
			return nil, err
		}
	}
	head, tail := r.around.head, r.around.tail
	frame.Inherited = r.around.inherited
	out := bytes.Clone(head)
	conf := &Conf{lines: []int{1 + bytes.Count(head, []byte("\n"))}}
	texts := make(map[string]rendered, len(servers))
	for _, server := range servers {
		text, err := r.server(frame, server)
		if err != nil {
			return nil, &ServerError{Host: server.Host, Err: err}
		}
		texts[server.Host] = rendered{server, frame.AsksServer, text}
		out = append(out, text...)
		conf.hosts = append(conf.hosts, server.Host)
		conf.lines = append(conf.lines, conf.lines[len(conf.lines)-1]+bytes.Count(text, []byte("\n")))
	}
	if keep {
		r.servers = texts
	}
	conf.Bytes = append(out, tail...)
	conf.Generation = seal(conf.Bytes)
	return conf, nil
}

// surroundings are all of nginx.conf but its servers.
type surroundings struct {
	of         frame
	head, tail []byte
	inherited  []string // frame's
}

func (r *Renderer) surround(f frame) error {
	var b bytes.Buffer
	if err := r.tmpl.ExecuteTemplate(&b, "nginx.conf.tmpl", &f); err != nil {
		return fmt.Errorf("nginx.conf: %w", err)
	}
	head, tail, ok := bytes.Cut(b.Bytes(), []byte(serversMark))
	if !ok {
		return fmt.Errorf("nginx.conf: the template has no place for servers")
	}
	r.around = surroundings{of: f, head: head, tail: tail, inherited: inherited(string(head))}
	return nil
}

// A ServerError says which server can't be rendered.
type ServerError struct {
	Host string
	Err  error
}

func (e *ServerError) Error() string { return fmt.Sprintf("server %q: %v", e.Host, e.Err) }

// Unwrap is the reason.
func (e *ServerError) Unwrap() error { return e.Err }

// serversMark is where the template wants the servers.
const serversMark = "@servers@\n"

// seal puts the digest of the file into it, in the placeholder's place.
func seal(conf []byte) string {
	sum := sha256.Sum256(conf)
	generation := hex.EncodeToString(sum[:len(placeholder)/2])
	at := bytes.Index(conf, []byte(placeholder))
	copy(conf[at:], generation)
	return generation
}

func (r *Renderer) server(f *frame, s model.Server) ([]byte, error) {
	if old, ok := r.servers[s.Host]; ok && old.asks == f.AsksServer && old.server.Equal(s) {
		return old.text, nil
	}
	var b bytes.Buffer
	err := r.tmpl.ExecuteTemplate(&b, "server.tmpl", serverView{Server: s, frame: f})
	b.WriteByte('\n')
	return b.Bytes(), err
}

// A frame is what the templates see of everything but one server.
type frame struct {
	model.Settings
	Env        Environment
	Generation string

	Pools []upstream // beside that for HTTP

	Places  []geoDatabase // what is shown of databases of addresses
	Nowhere []string      // and of none

	NamesHashSize   int      // entries
	NamesHashBucket int      // bytes
	Limits          bool     // some location counts requests or connections
	AsksDigest      bool     // some location asks by digest
	Inherited       []string // directives of the http block that one of their kind in a server undoes
	AsksServer      bool     // some location asks another server
	RemembersAuth   bool     // and keeps what it says
	UsesModSecurity bool     // some location is held against rules
	Traces          bool     // some location's requests are spans
}

// measure says what is needed for all servers together. It sizes the hash of
// server names: nginx refuses a file in which the
// longest name doesn't fit a bucket, or the table is too full.
func (f *frame) measure(servers []model.Server) {
	longest, names := 0, 0
	for _, s := range servers {
		longest = max(longest, len(s.Host), len(s.WWWHost))
		for _, alias := range s.Aliases {
			longest = max(longest, len(alias))
		}
		names += 2 + len(s.Aliases)
		f.Limits = f.Limits || slices.ContainsFunc(s.Locations, func(l model.Location) bool { return l.Limited })
		f.AsksDigest = f.AsksDigest || slices.ContainsFunc(s.Locations, func(l model.Location) bool { return l.Digest })
		f.AsksServer = f.AsksServer || slices.ContainsFunc(s.Locations, func(l model.Location) bool { return l.Auth })
		f.UsesModSecurity = f.UsesModSecurity || slices.ContainsFunc(s.Locations, func(l model.Location) bool { return l.ModSecurity.On && l.Return == 0 })
		f.Traces = f.Traces || slices.ContainsFunc(s.Locations, func(l model.Location) bool { return l.Traced })
		f.RemembersAuth = f.RemembersAuth || slices.ContainsFunc(s.Locations, func(l model.Location) bool { return l.AuthCache })
	}
	f.NamesHashBucket = max(64, f.Machine.NamesHashBucket, powerOfTwo(longest+32))
	f.NamesHashSize = max(1024, f.Machine.NamesHashSize, powerOfTwo(8*names))
}

// MapBucket is what nginx's maps need for the longest text that one compares.
func (f *frame) MapBucket() int {
	longest := 0
	for _, text := range append(f.Machine.BlockAgents.All(), f.Machine.BlockReferers.All()...) {
		longest = max(longest, len(text))
	}
	return max(64, f.Machine.MapBucket, powerOfTwo(longest+32))
}

func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }

// Exports says whether a collector is told of spans.
func (f *frame) Exports() bool { return f.Traces && f.Spans.Collector != "" }

// SpanMemory is what the queue of spans needs in the worst case, in MB: a span
// has up to 3 KB.
func (f *frame) SpanMemory() int { return 1 + f.Spans.Queue*3/1024 }

// Bound is where a port for clients is had, as listen takes it.
func (f *frame) Bound(port int) []string {
	var all []string
	for _, address := range f.Bind.All() {
		all = append(all, net.JoinHostPort(address, strconv.Itoa(port)))
	}
	if len(all) > 0 {
		return all
	}
	all = []string{strconv.Itoa(port)}
	if f.Listen.IPv6 {
		all = append(all, "[::]:"+all[0])
	}
	return all
}

// HTTP2Listen says whether this nginx wants http2 on the listen line; from
// 1.25.1 it is a directive of its own.
func (f *frame) HTTP2Listen() bool { return f.HTTP2 && !f.HTTP2Directive() }

// HTTP2Directive is the opposite.
func (f *frame) HTTP2Directive() bool {
	return f.HTTP2 && slices.Compare(f.Env.Version[:], []int{1, 25, 1}) >= 0
}

type serverView struct {
	model.Server
	*frame
}

// A locationView is what the templates see of one location.
type locationView struct {
	model.Location
	Server model.Server
	*frame
}

// In is a location of the server as the templates see it.
func (v serverView) In(l model.Location) locationView { return locationView{l, v.Server, v.frame} }

// Asked says whether nginx itself may ask the server, for one of its locations,
// or has to know it as that of all other hosts.
func (v serverView) Asked() bool {
	return v.AsksServer && (v.Host == "" || slices.ContainsFunc(v.Locations, func(l model.Location) bool { return l.Auth }))
}

// ErrorPage says whether a location sends requests to @errors.
func (v serverView) ErrorPage() bool {
	return slices.ContainsFunc(v.Locations, func(l model.Location) bool { return l.ErrorPage })
}
