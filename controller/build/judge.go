package build

import (
	"regexp"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
)

// A Case is one Ingress with all that it has to be judged beside.
type Case struct {
	o        Options
	settings parsedSettings
	s        *store.Snapshot
	ingress  *networkingv1.Ingress
}

// A Verdict is what the build makes of the Ingress of a Case.
type Verdict struct {
	Ours     bool // if not, nothing else is said
	Problems []model.Problem
	Settings model.Settings
	Servers  []model.Server // of its hosts
	Built    int            // how many Ingresses were looked at
}

// youngest enters the Ingress as younger than all others: what they have is
// theirs, though it may be older and ask for more now.
func (c *Case) youngest(ing *networkingv1.Ingress) {
	last := *ing
	for _, other := range c.s.Ingresses {
		if !other.CreationTimestamp.Before(&last.CreationTimestamp) {
			last.CreationTimestamp.Time = other.CreationTimestamp.Add(time.Second)
		}
	}
	c.ingress = &last
	c.s.Ingresses[keyOf(ing)] = c.ingress
}

// Judge builds. It costs what the Case holds, whatever else is in the cluster.
func (c *Case) Judge() Verdict {
	b := New(c.o)
	b.settings = c.settings
	t := b.task(c.s)
	t.judges = true
	if !c.o.Classes.in(c.s).own(c.ingress) || !t.selected(c.ingress.Namespace) {
		return Verdict{}
	}
	t.run()
	v := Verdict{Ours: true, Settings: t.result.Config.Settings, Built: len(t.result.Ingresses)}
	for _, p := range t.result.Problems {
		if p.Object == objectOf(c.ingress) && p.Weight != model.Elsewhere {
			v.Problems = append(v.Problems, p)
		}
	}
	for _, s := range t.result.Config.Servers {
		if slices.Contains(t.result.Owners[s.Host], keyOf(c.ingress)) {
			v.Servers = append(v.Servers, s)
		}
	}
	return v
}

var position = regexp.MustCompile(`\[\d+\]`)

// Worse are those problems of weight Wrong that the Ingress's version before did
// not have. A path that has moved in its list is the same path.
func (v Verdict) Worse(before Verdict) []model.Problem {
	had := map[model.Problem]bool{}
	for _, p := range before.Problems {
		p.Field = position.ReplaceAllString(p.Field, "")
		had[p] = true
	}
	var worse []model.Problem
	for _, p := range v.Problems {
		same := p
		same.Field = position.ReplaceAllString(p.Field, "")
		if p.Weight == model.Wrong && !had[same] {
			worse = append(worse, p)
		}
	}
	return worse
}
