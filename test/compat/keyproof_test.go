package compat

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/test/cluster"
)

// A keyProof is a ConfigMap and what comes of it. It runs once with all of it,
// and once more without each of the keys: then something has to end differently.
type keyProof struct {
	keys     []string
	settings map[string]string
	flags    []string
	ingress  proof  // whose probes are none
	service  string // "" for the Ingress's, or web
	more     string // manifests
	// prepare makes what the proof needs, and changes its settings and flags.
	prepare func(t *testing.T, p *keyProof, g *site)
	// ask says what comes of it. more need not be as want says, and counts for
	// what differs.
	ask  func(c client) (said, more string)
	want string // HOST stands for the host
	// inner says that it is about nginx's inner workings, which no request shows:
	// then what nginx.conf says counts for what differs, too.
	inner bool
}

// keyProofs are all of them, by area and name.
func keyProofs() map[string]map[string]keyProof {
	return map[string]map[string]keyProof{
		"logs": logKeys(), "compression": compressionKeys(), "databases": geoKeys(), "snippets": snippetKeys(), "server": serverKeys(), "listen": listenKeys(),
		"http": httpKeys(), "redirects": redirectKeys(), "proxy": proxyKeys(), "asking": globalAuthKeys(), "peers": peerKeys(), "tls": tlsKeys(), "workers": workerKeys(),
		"policy": policyKeys(), "rules": modSecurityKeys(), "tracing": tracingKeys(), "streams": streamKeys(),
	}
}

// one is a proof of one key: what ask says with it, of an Ingress without
// annotations.
func one(key, value, want string, ask func(c client) string) keyProof {
	return keyProof{keys: []string{key}, settings: map[string]string{key: value}, want: want, ask: plainly(ask)}
}

func plainly(ask func(c client) string) func(c client) (string, string) {
	return func(c client) (string, string) { return ask(c), "" }
}

// numbered names proofs by their place and their keys.
func numbered(all ...keyProof) map[string]keyProof {
	named := map[string]keyProof{}
	for i, p := range all {
		named[fmt.Sprintf("%02d %s", i, strings.Join(p.keys, " "))] = p
	}
	return named
}

// TestSettings runs all proofs of the ConfigMap's keys.
func TestSettings(t *testing.T) {
	number := 0
	all := keyProofs()
	for _, area := range slices.Sorted(maps.Keys(all)) {
		t.Run(area, func(t *testing.T) {
			for _, name := range slices.Sorted(maps.Keys(all[area])) {
				number++
				t.Run(name, func(t *testing.T) { all[area][name].run(t, 40+number%110) }) // beside the groups of annotations
			}
		})
	}
}

func (p keyProof) run(t *testing.T, number int) {
	g := &site{dir: t.TempDir(), number: number}
	cluster.Echo(t, "web", g.address(1)+":8080")
	p.settings = with(p.settings, "worker-processes", "1") // what one request logs is written before the next one is answered
	if p.prepare != nil {
		p.prepare(t, &p, g)
	}
	if p.service != "" {
		p.ingress.service = p.service
	}
	text := service("web", g.address(1)) + "---\n" + p.ingress.manifest(0, "")
	if p.more != "" {
		text += "---\n" + p.more
	}
	said, more := p.with(t, *g, "", text)
	plain := strings.NewReplacer(hostOf(0, ""), "HOST")
	if plain.Replace(said) != plain.Replace(p.want) {
		t.Errorf("got %s, want %s", said, p.want)
	}
	if more != "" {
		if _, again := p.with(t, *g, "", text); again != more {
			t.Errorf("proves nothing, for it differs by itself:\n%s\nand\n%s", more, again)
		}
	}
	for _, key := range p.keys {
		if less, lessMore := p.with(t, *g, key, text); less == said && lessMore == more {
			t.Errorf("%s is not proven: without it, all ends the same: %s", key, less)
		}
	}
}

func (p keyProof) with(t *testing.T, g site, lacking, text string) (said, more string) {
	t.Run("without "+lacking, func(t *testing.T) {
		g.dir = t.TempDir()
		settings := maps.Clone(p.settings)
		if _, ok := settings[lacking]; !ok && lacking != "" {
			t.Fatalf("%s is not among the settings", lacking)
		}
		delete(settings, lacking)
		g.write(t, "objects", text)
		g.write(t, "settings", configMap(settings))
		args := append([]string{"--manifests=" + g.dir, "--watch-ingress-without-class", "--configmap=sallyport/settings"}, p.flags...)
		g.Sallyport = cluster.Launch(t, cluster.Options{Args: args})
		c := client{t, &g, hostOf(0, "")}
		said, more = p.ask(c)
		if p.inner {
			more += plainConf(c)
		}
	})
	return said, more
}

var generation = regexp.MustCompile(`sallyport\.worker\("[0-9a-f]+"\)`)

// plainConf is the live nginx.conf without what is another in each run: ports and
// folders.
func plainConf(c client) string {
	s := c.site
	var pairs []string
	for i, port := range []int{s.HTTP, s.HTTPS, s.Health, s.Default} {
		pairs = append(pairs, strconv.Itoa(port), fmt.Sprint("PORT", i))
	}
	text := generation.ReplaceAllString(conf(c), "")
	return strings.NewReplacer(append(pairs, s.Temp, "TEMP")...).Replace(temporary.ReplaceAllString(text, "$1"))
}

// temporary is a name that the program makes up for its folder.
var temporary = regexp.MustCompile(`(/sallyport-)[0-9]+`)
