// Package build turns a Snapshot of the cluster into a model.Config and the
// problems found on the way.
//
// It is pure: no clock, no IO, no log; what it remembers between two calls only
// saves work. It never fails. One object that is wrong becomes a problem and
// costs nobody else anything.
package build

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/option"
	"github.com/sallyport-ingress/sallyport/controller/settings"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// Options are what the command line says of how objects are read. A zero Key
// means that none was named.
type Options struct {
	Classes            Classes
	NamespaceSelector  labels.Selector // nil: all namespaces
	AnnotationsPrefix  string
	ConfigMap          store.Key
	DefaultBackend     store.Key // a Service
	DefaultCertificate store.Key // a Secret
	DisableCatchAll    bool      // Ingresses with a rule for all hosts are refused
	DisableExternal    bool      // Services of type ExternalName have no endpoints
	AllowLoopback      bool      // an ExternalName may mean an address of this machine
	StrictPaths        bool
	Passthrough        bool // TLS of some hosts may go to their Services unopened
	Metrics            bool
	Brotli             bool // nginx has that module
	GeoIP              GeoIP
	ModSecurity        bool // nginx has its module
	CoreRules          bool // the OWASP Core Rule Set is there
	Listen             model.Listen
	HealthPort         int       // of /healthz; not nginx's
	WebhookPort        int       // of the admission webhook; 0: none
	OpenFiles          int       // that a process of nginx's may have; 0: any number
	NoStreams          bool      // nginx has no stream module
	TCPServices        store.Key // ConfigMaps
	UDPServices        store.Key
	// Taken says why nginx can't listen on a port, "" where it can, or does; Absent
	// why it can't on an address. They are all that a build asks of the machine;
	// nil: each port is free, and each address is there.
	Taken  func(port int, udp bool) string
	Absent func(address string) string
}

// A Result is what one snapshot turned into.
type Result struct {
	Config    *model.Config
	Problems  []model.Problem
	Ingresses []*networkingv1.Ingress    // ours, oldest first
	Wanted    store.Wanted               // what the Ingresses refer to
	Backends  map[store.Key][]BackendRef // by Service: what the endpoint lane has to renew
	Missing   map[model.BackendID]bool   // backends whose Service does not exist
	Owners    map[string][]store.Key     // by host: the Ingresses that its server was made of
	Pinned    map[store.Key]bool         // Services whose endpoints are in nginx.conf
	Streamed  map[store.Key]bool         // Services that the stream block hands connections to
	Taken     bool                       // some port or address can't be had now, and may be later
}

// A Builder builds. It keeps what it parsed for as long as the object stays the
// same, and the last version of each Ingress that nginx took. It is for one
// goroutine.
type Builder struct {
	o           Options
	annotations map[*networkingv1.Ingress]parsedAnnotations
	secrets     map[store.Key]parsedSecret
	settings    parsedSettings
	good        map[string]string // of the ConfigMap's keys: the last values that were right
	quarantine  quarantine
	policy      annotation.Policy // under which annotations were read
}

type parsedAnnotations struct {
	used     *task // the last one that asked
	values   annotation.Values
	problems []option.Problem
}

type parsedSettings struct {
	read     bool
	from     *corev1.ConfigMap
	settings model.Settings
	problems []option.Problem
}

// New makes a Builder.
func New(o Options) *Builder {
	return &Builder{
		o:           o,
		annotations: map[*networkingv1.Ingress]parsedAnnotations{},
		secrets:     map[store.Key]parsedSecret{},
		quarantine:  newQuarantine(),
	}
}

// Build builds.
func (b *Builder) Build(s *store.Snapshot) *Result {
	t := b.task(s)
	t.run()
	return t.result
}

func (b *Builder) task(s *store.Snapshot) *task {
	return &task{
		Builder: b,
		s:       s,
		result: &Result{
			Config: &model.Config{
				Routes:       map[model.RouteID]model.Route{},
				Backends:     map[model.BackendID]model.Backend{},
				Certificates: map[model.CertificateID]model.Certificate{},
				Files:        map[model.FileID]model.File{},
				Hosts:        map[string]model.CertificateID{},
			},
			Backends: map[store.Key][]BackendRef{},
			Missing:  map[model.BackendID]bool{},
			Owners:   map[string][]store.Key{},
			Pinned:   map[store.Key]bool{},
			Streamed: map[store.Key]bool{},
		},
		hosts: map[string]*host{},
		used:  map[store.Key]bool{},
		named: map[store.Key]bool{},
	}
}

func (t *task) run() {
	t.readProblems()
	t.readSettings()
	t.httpRules()
	t.host("")
	for _, ing := range t.ingresses() {
		t.ingress(ing)
	}
	t.certificates()
	t.servers()
	t.shareRules()
	t.streams()
	t.wanted()
	t.forget(t)
	slices.SortFunc(t.result.Problems, compareProblems)
	t.result.Problems = slices.Compact(t.result.Problems)
}

// A task is one call of Build.
type task struct {
	*Builder
	s      *store.Snapshot
	result *Result
	hosts  map[string]*host
	used   map[store.Key]bool // Secrets that something refers to
	named  map[store.Key]bool // ConfigMaps, the same
	// namings are what Ingresses say of hosts' names, oldest first.
	namings []naming
	birds   []bird // of canary Ingresses, oldest first
	judges  bool   // one Ingress, which is last whatever its age
	// snippets are what Ingresses say of the stream block, oldest first.
	snippets []written
}

func (t *task) problem(o model.Object, field, reason string) {
	t.weigh(o, field, reason, model.Remark)
}

// wrong is a problem for which the object should not have been stored.
func (t *task) wrong(o model.Object, field, reason string) {
	t.weigh(o, field, reason, model.Wrong)
}

// elsewhere is a problem with what an Ingress refers to; the fault is its own
// where it may not refer to that.
func (t *task) elsewhere(o model.Object, field string, err error, consequence string) {
	weight := model.Elsewhere
	if errors.Is(err, errOtherNamespace) {
		weight = model.Wrong
	}
	t.weigh(o, field, err.Error()+consequence, weight)
}

func (t *task) weigh(o model.Object, field, reason string, weight model.Weight) {
	t.result.Problems = append(t.result.Problems, model.Problem{Object: o, Field: field, Reason: reason, Weight: weight})
}

func (t *task) readProblems() {
	for _, list := range t.s.Problems {
		t.result.Problems = append(t.result.Problems, list...)
	}
}

// readSettings reads the ConfigMap and lays the command line over it.
func (t *task) readSettings() {
	configMap := t.s.ConfigMaps[t.o.ConfigMap]
	object := model.Object{Kind: "ConfigMap", Namespace: t.o.ConfigMap.Namespace, Name: t.o.ConfigMap.Name}
	configMap, reason := t.quarantine.configMap(configMap)
	if reason != "" {
		t.problem(object, "data", reason)
	}
	p := &t.Builder.settings
	if !p.read || p.from != configMap {
		*p = t.keepGood(configMap, t.o.parseSettings(configMap))
	}
	for _, problem := range p.problems {
		t.problem(object, "data."+problem.Key, problem.Reason)
	}
	if t.result.Config.Settings = p.settings; t.policy != p.settings.Annotations {
		t.policy = p.settings.Annotations
		clear(t.annotations) // they were read under another
	}
	t.referredByKeys(object)
	t.syslog(object)
	t.modules(object)
	t.geoIP(object)
	t.bound(object)
}

// keepGood lets the last good value of a key stay in force where the present one
// is wrong. Where there is none, the wrong one is left to its area: keys that
// restrict access then close what they were to guard.
func (b *Builder) keepGood(from *corev1.ConfigMap, p parsedSettings) parsedSettings {
	if from == nil || len(from.Data) == 0 {
		b.good = nil
		return p
	}
	data, good := maps.Clone(from.Data), maps.Clone(from.Data)
	kept := false
	for i, problem := range p.problems {
		if problem.Warning {
			continue
		}
		value, ok := b.good[problem.Key]
		if !ok {
			delete(good, problem.Key)
			continue
		}
		data[problem.Key], good[problem.Key], kept = value, value, true
		p.problems[i].Reason += "; its last good value stays in force"
	}
	b.good = good
	if kept {
		again := *from
		again.Data = data
		p.settings = b.o.parseSettings(&again).settings
	}
	return p
}

func (o *Options) parseSettings(from *corev1.ConfigMap) parsedSettings {
	p := parsedSettings{read: true, from: from}
	var data map[string]string
	if from != nil {
		data = from.Data
	}
	p.settings, p.problems = settings.Parse(data)
	p.settings.Listen = o.Listen
	p.settings.Listen.IPv6 = o.Listen.IPv6 && !p.settings.NoIPv6
	p.settings.Metrics = o.Metrics
	p.settings.StrictPaths = o.StrictPaths
	return p
}

// ingresses are ours, oldest first: what they claim first is theirs.
func (t *task) ingresses() []*networkingv1.Ingress {
	classes := t.o.Classes.in(t.s)
	for _, ing := range t.s.Ingresses {
		if !classes.own(ing) || !t.selected(ing.Namespace) {
			continue
		}
		t.result.Ingresses = append(t.result.Ingresses, ing)
	}
	slices.SortFunc(t.result.Ingresses, func(a, b *networkingv1.Ingress) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return t.result.Ingresses
}

func (t *task) selected(namespace string) bool {
	if t.o.NamespaceSelector == nil {
		return true
	}
	ns := t.s.Namespaces[namespace]
	return ns != nil && t.o.NamespaceSelector.Matches(labels.Set(ns.Labels))
}

// annotationsOf parses the annotations of an Ingress, once for each version,
// and tells its problems.
func (t *task) annotationsOf(ing *networkingv1.Ingress) annotation.Values {
	p, ok := t.annotations[ing]
	if !ok {
		p.values, p.problems = annotation.Parse(ing.Annotations, t.o.AnnotationsPrefix, t.result.Config.Settings.Annotations)
	}
	p.used = t
	t.annotations[ing] = p
	for _, problem := range p.problems {
		weight := model.Wrong
		if problem.Warning {
			weight = model.Remark
		}
		t.weigh(objectOf(ing), problem.Key, problem.Reason, weight)
	}
	return p.values
}

// forget drops what was remembered of objects that are gone.
func (b *Builder) forget(t *task) {
	for ing, p := range b.annotations {
		if p.used != t {
			delete(b.annotations, ing)
		}
	}
	for key := range b.secrets {
		if !t.used[key] {
			delete(b.secrets, key)
		}
	}
}

func keyOf(ing *networkingv1.Ingress) store.Key {
	return store.Key{Namespace: ing.Namespace, Name: ing.Name}
}

func objectOf(ing *networkingv1.Ingress) model.Object {
	return model.Object{Kind: "Ingress", Namespace: ing.Namespace, Name: ing.Name}
}

func compareProblems(a, b model.Problem) int {
	return cmp.Or(
		cmp.Compare(a.Object.Kind, b.Object.Kind), cmp.Compare(a.Object.Namespace, b.Object.Namespace),
		cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Object.File, b.Object.File),
		cmp.Compare(a.Object.Line, b.Object.Line), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Reason, b.Reason))
}
