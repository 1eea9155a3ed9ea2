package test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tufanbarisyildirim/gonginx/config"
	"github.com/tufanbarisyildirim/gonginx/parser"
	"golang.org/x/tools/txtar"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/nginx"
	"github.com/sallyport-ingress/sallyport/template"
)

// fuzzInputs is how many values are tried; FUZZ_INPUTS says another number.
const fuzzInputs = 100_000

// TestFuzzAnnotations changes one annotation, path or host of an example at a
// time, as a hostile tenant would. Whatever it says, the file has no directive
// that the examples' own values have not, and the real nginx takes it.
func TestFuzzAnnotations(t *testing.T) {
	// The same inputs each time, so that who breaks something is who is told;
	// others where somebody asks for a number of his own.
	inputs, seed := fuzzInputs, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("FUZZ_INPUTS")); err == nil {
		inputs, seed = n, rand.Uint64()
	}
	all := fuzzTargets(t)
	judge := newJudge(t)
	const workers = 2
	var distinct [workers]int
	var group sync.WaitGroup
	allowed := newFuzzer(t, all, judge, seed).learn()
	for w := range workers {
		f := newFuzzer(t, all, judge, seed+uint64(w))
		f.allowed = allowed
		group.Go(func() { distinct[w] = f.run(inputs/workers+1, func(id uint64) bool { return id%workers == uint64(w) }) })
	}
	group.Wait()
	judge.flush(t)
	sum := 0
	for _, n := range distinct {
		sum += n
	}
	t.Logf("%d distinct inputs, %d files with what our checks let through were given to nginx", sum, judge.files)
	if sum < inputs {
		t.Errorf("%d distinct inputs, want %d", sum, inputs)
	}
}

// A target is one Ingress of an example.
type target struct {
	example string
	options build.Options
	dir     string
	key     store.Key
}

// fuzzTargets are the Ingresses of all examples that have annotations.
func fuzzTargets(t *testing.T) []target {
	t.Helper()
	paths, _ := filepath.Glob("examples/*.txtar")
	var all []target
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		options, dir := exampleInputs(t, archive)
		for key, ing := range store.Load(dir).Ingresses {
			if len(ing.Annotations) > 0 {
				all = append(all, target{filepath.Base(path), options, dir, key})
			}
		}
	}
	slices.SortFunc(all, func(a, b target) int { return strings.Compare(a.example+a.key.String(), b.example+b.key.String()) })
	return all
}

// A fuzzer is one worker's.
type fuzzer struct {
	t         *testing.T
	targets   []target
	snapshots []*store.Snapshot
	allowed   map[string]int // how often each directive may stand in a block
	judge     *judge
	builders  []*build.Builder // one for each target, as the controller has one
	renderers []*template.Renderer
	known     []*build.Result // of the targets as they are
	settings  []uint64        // digests of what those have
	mutator
}

func newFuzzer(t *testing.T, targets []target, j *judge, seed uint64) *fuzzer {
	t.Logf("seed %d", seed)
	f := &fuzzer{t: t, targets: targets, judge: j, mutator: mutator{Rand: rand.New(rand.NewPCG(seed, 1))}}
	for i, target := range targets {
		renderer, err := template.New(j.environment)
		if err != nil {
			t.Fatal(err)
		}
		f.renderers = append(f.renderers, renderer)
		f.builders = append(f.builders, build.New(target.options))
		s := store.Load(target.dir)
		f.snapshots = append(f.snapshots, s)
		for _, key := range sorted(s.Ingresses[target.key].Annotations) {
			f.values = append(f.values, s.Ingresses[target.key].Annotations[key])
		}
		known := f.build(i, s.Ingresses[target.key])
		f.known = append(f.known, known)
		f.settings = append(f.settings, hashOf(fmt.Sprintf("%+v", known.Config.Settings)))
	}
	return f
}

// learn counts what the examples have as they are, and with a harmless value for
// each of their annotations, or none.
func (f *fuzzer) learn() map[string]int {
	f.allowed = map[string]int{}
	for i, target := range f.targets {
		ing := f.snapshots[i].Ingresses[target.key]
		f.note(i, ing)
		for _, key := range sorted(ing.Annotations) {
			less := ing.DeepCopy()
			delete(less.Annotations, key)
			f.note(i, less)
			for _, value := range harmlessValues {
				other := ing.DeepCopy()
				other.Annotations[key] = value
				f.note(i, other)
			}
		}
	}
	return f.allowed
}

func (f *fuzzer) note(i int, ing *networkingv1.Ingress) {
	counts, err := f.skeleton(i, f.build(i, ing).Config, func(model.Server) bool { return true })
	if err != nil {
		f.t.Errorf("%s: %v", f.targets[i].example, err)
	}
	for path, n := range counts {
		f.allowed[path] = max(f.allowed[path], n)
	}
}

// run tries distinct inputs of those that are its own, and gives their number.
func (f *fuzzer) run(inputs int, own func(id uint64) bool) int {
	seen := map[uint64]bool{}
	for n := 0; n < inputs && !f.t.Failed(); {
		i := f.IntN(len(f.targets))
		ing, what := f.change(f.snapshots[i].Ingresses[f.targets[i].key])
		id := hashOf(f.targets[i].example + what)
		if seen[id] || !own(id) {
			continue
		}
		seen[id] = true
		n++
		f.try(i, ing, what)
	}
	return len(seen)
}

// change gives the Ingress with one text of it changed.
func (f *fuzzer) change(ing *networkingv1.Ingress) (*networkingv1.Ingress, string) {
	ing = ing.DeepCopy()
	if len(ing.Spec.Rules) > 0 && f.IntN(20) == 0 {
		rule := &ing.Spec.Rules[f.IntN(len(ing.Spec.Rules))]
		if f.IntN(2) == 0 || rule.HTTP == nil || len(rule.HTTP.Paths) == 0 {
			rule.Host = f.mutate(rule.Host)
			return ing, "host " + rule.Host
		}
		path := &rule.HTTP.Paths[f.IntN(len(rule.HTTP.Paths))]
		path.Path = f.mutate(path.Path)
		return ing, "path " + path.Path
	}
	keys := sorted(ing.Annotations)
	key := keys[f.IntN(len(keys))]
	ing.Annotations[key] = f.mutate(ing.Annotations[key])
	return ing, key + " " + ing.Annotations[key]
}

func (f *fuzzer) try(i int, ing *networkingv1.Ingress, what string) {
	result := f.build(i, ing)
	if f.asKnown(i, result) {
		return // refused, or without effect on nginx.conf
	}
	counts, err := f.skeleton(i, result.Config, func(s model.Server) bool {
		return !slices.ContainsFunc(f.known[i].Config.Servers, s.Equal)
	})
	if err != nil {
		f.t.Errorf("%s: %v; %+.200q", f.targets[i].example, err, what)
		return
	}
	for path, n := range counts {
		if strings.Contains(what, "-snippet ") && slices.Contains(snippetDirectives, path[strings.LastIndexByte(path, '/')+1:]) {
			continue // what it may hold, as often as it likes
		}
		if most := f.allowed[path]; n > most && !(most > 0 && countless(path)) {
			f.t.Errorf("%s: %s stands there %d times, and %d times in any example; %+.200q", f.targets[i].example, path, n, most, what)
		}
	}
	settings := f.settings[i]
	if !reflect.DeepEqual(result.Config.Settings, f.known[i].Config.Settings) {
		settings = hashOf(fmt.Sprintf("%+v", result.Config.Settings))
	}
	f.judge.add(f.t, result, settings, what)
}

// snippetDirectives are what directives written by users may be, where the
// operator lets them.
var snippetDirectives = []string{
	"add_header", "proxy_set_header", "proxy_hide_header", "set", "return", "rewrite", "if", "allow", "deny", "error_page", "sub_filter", "sub_filter_once", "expires", "etag",
	"gzip", "gzip_vary", "gzip_comp_level", "gzip_min_length", "gzip_types", "charset", "default_type", "client_max_body_size",
	"proxy_connect_timeout", "proxy_send_timeout", "proxy_read_timeout", "proxy_buffering", "proxy_request_buffering",
}

// countless are directives of which a list makes as many as it has entries;
// what they say is looked at in count instead.
func countless(path string) bool {
	name := path[strings.LastIndexByte(path, '/')+1:]
	return slices.Contains([]string{"allow", "deny", "add_header", "proxy_set_header", "error_page", "fastcgi_param", "set", "server", "location"}, name)
}

// build is what an Ingress becomes beside the others of its example.
func (f *fuzzer) build(i int, ing *networkingv1.Ingress) *build.Result {
	s := *f.snapshots[i]
	s.Ingresses = maps.Clone(s.Ingresses)
	s.Ingresses[f.targets[i].key] = ing
	return f.builders[i].Build(&s)
}

// asKnown says whether nginx.conf is that of the example as it is.
func (f *fuzzer) asKnown(i int, r *build.Result) bool {
	known := f.known[i].Config
	return slices.EqualFunc(r.Config.Servers, known.Servers, model.Server.Equal) && reflect.DeepEqual(r.Config.Settings, known.Settings)
}

// skeleton counts the directives of the servers that are changed.
func (f *fuzzer) skeleton(i int, c *model.Config, changed func(model.Server) bool) (map[string]int, error) {
	conf, err := f.renderers[i].Conf(c)
	if err != nil {
		return nil, fmt.Errorf("what the build let through can't be rendered: %w", err)
	}
	var text strings.Builder
	for _, server := range c.Servers {
		if changed(server) {
			text.WriteString(conf.Server(server.Host))
		}
	}
	parsed, err := parser.NewStringParser("http {\n"+text.String()+"}\n", parser.WithSkipValidDirectivesErr()).Parse()
	if err != nil {
		return nil, fmt.Errorf("the file can't be parsed: %w", err)
	}
	counts := map[string]int{}
	most(counts, "", parsed.Block)
	return counts, addressesAlone(parsed.Block)
}

// most counts directives by their path of block names: how many of them there
// are at the most in one block.
func most(counts map[string]int, at string, block config.IBlock) {
	here := map[string]int{}
	for _, d := range block.GetDirectives() {
		path := at + "/" + d.GetName()
		here[path]++
		if inner := d.GetBlock(); inner != nil && !strings.HasSuffix(d.GetName(), "_lua_block") && d.GetName() != "map" {
			most(counts, path, inner)
		}
	}
	for path, n := range here {
		counts[path] = max(counts[path], n)
	}
}

// addressesAlone holds that allow and deny have nothing but addresses.
func addressesAlone(block config.IBlock) error {
	for _, d := range block.GetDirectives() {
		if name := d.GetName(); name == "allow" || name == "deny" {
			word := d.GetParameters()[0].GetValue()
			_, err1 := netip.ParseAddr(word)
			_, err2 := netip.ParsePrefix(word)
			if len(d.GetParameters()) != 1 || word != "all" && err1 != nil && err2 != nil {
				return fmt.Errorf("%s %q is no address", name, word)
			}
		}
		if inner := d.GetBlock(); inner != nil && !strings.HasSuffix(d.GetName(), "_lua_block") {
			if err := addressesAlone(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// A judge gives servers that passed our checks to the real nginx, many in a
// file.
type judge struct {
	mu          sync.Mutex
	n           *nginx.Nginx
	environment template.Environment
	batches     map[uint64]*batch // by a digest of the settings: servers are made for those
	known       map[uint64]bool   // digests of servers
	files       int
}

// A batch is servers of one file, and what each of them came from.
type batch struct {
	config model.Config
	whats  []string
}

func newJudge(t *testing.T) *judge {
	n, environment := realNginx(t)
	return &judge{n: n, environment: environment, batches: map[uint64]*batch{}, known: map[uint64]bool{}}
}

// manyBatches is how many batches wait for more servers.
const manyBatches = 300

// fileful is how many servers one file has.
const fileful = 400

// add takes the servers of a result that were not there before, under names of
// their own. settings is a digest of the result's.
func (j *judge) add(t *testing.T, r *build.Result, settings uint64, what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.batches) > manyBatches {
		j.testAll(t)
	}
	b := j.batches[settings]
	if b == nil {
		b = &batch{config: model.Config{Settings: r.Config.Settings, Files: map[model.FileID]model.File{}}}
		j.batches[settings] = b
	}
	for _, s := range r.Config.Servers {
		key := hashOf(fmt.Sprintf("%d %+v", settings, s))
		if s.Host == "" || j.known[key] {
			continue
		}
		j.known[key] = true
		s.Host = fmt.Sprintf("s%d.example.org", len(b.config.Servers))
		b.config.Servers = append(b.config.Servers, s)
		b.whats = append(b.whats, what)
	}
	maps.Copy(b.config.Files, r.Config.Files)
	if len(b.config.Servers) >= fileful {
		j.test(t, b)
		delete(j.batches, settings)
	}
}

func (j *judge) flush(t *testing.T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.testAll(t)
}

func (j *judge) testAll(t *testing.T) {
	for _, b := range j.batches {
		if len(b.config.Servers) > 0 {
			j.test(t, b)
		}
	}
	clear(j.batches)
}

func (j *judge) test(t *testing.T, b *batch) {
	j.files++
	files := map[string]nginx.File{}
	for id, f := range b.config.Files {
		files[string(id)] = nginx.File{Content: f.Content, Private: f.Private}
	}
	if err := j.n.Keep(files); err != nil {
		t.Error(err)
		return
	}
	j.blame(t, b.config.Settings, b.config.Servers, b.whats)
}

// blame halves a file that nginx refuses until the culprit is alone.
func (j *judge) blame(t *testing.T, settings model.Settings, servers []model.Server, whats []string) {
	renderer, err := template.New(j.environment)
	if err != nil {
		t.Error(err)
		return
	}
	settings.Listen.HTTPPort, settings.Listen.HTTPSPort = 21080, 21443
	conf, err := renderer.Conf(&model.Config{Settings: settings, Servers: servers})
	if err == nil {
		err = j.n.Test(t.Context(), conf.Bytes)
	}
	switch half := len(servers) / 2; {
	case err == nil:
	case half == 0:
		t.Errorf("nginx refuses what our checks let through: %v; %+.300q", err, whats[0])
	default:
		j.blame(t, settings, servers[:half], whats[:half])
		j.blame(t, settings, servers[half:], whats[half:])
	}
}
