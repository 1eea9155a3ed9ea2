// Package admission turns the API server's question whether an Ingress may be
// stored into an answer that says what is wrong with it.
//
// It asks the same pure build that the controller uses, for the hosts of that
// one Ingress. It may not run nginx, read a file but its own certificates, or
// ask the API server; and it may not fail in a way that anything else notices:
// what it takes of memory, of time and of processors is bounded, whoever calls.
package admission

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/template"
)

// A Judge knows the cluster's Ingresses well enough to judge one more.
type Judge struct {
	environment template.Environment
	idle        chan *template.Renderer

	mu    sync.RWMutex // not held while anything is built
	index *build.Index
	ready bool
}

// NewJudge makes a Judge that knows no Ingresses yet.
func NewJudge(o build.Options, e template.Environment) *Judge {
	return &Judge{index: build.NewIndex(o), environment: e, idle: make(chan *template.Renderer, judges())}
}

// renderer is one that nobody uses, which has to be given back.
func (j *Judge) renderer() (*template.Renderer, error) {
	select {
	case r := <-j.idle:
		return r, nil
	default:
		return template.New(j.environment)
	}
}

func (j *Judge) giveBack(r *template.Renderer) {
	select {
	case j.idle <- r:
	default:
	}
}

// Follow is for the goroutine that owns the snapshot: it takes in what changed.
// From the first call with complete on, Judge answers.
func (j *Judge) Follow(s *store.Snapshot, ch store.Changes, complete bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.index.Follow(s, ch)
	j.ready = j.ready || complete
}

// A Judgement is what is to be said of an Ingress, and what it took to find out.
type Judgement struct {
	Ours     bool // if not, nothing else is said
	Refused  []model.Problem
	Warned   []model.Problem
	Built    int // Ingresses that were looked at
	Building time.Duration
	Rendered int // bytes of nginx.conf
	Render   time.Duration
}

var errUnready = errors.New("the cluster's Ingresses have not been read yet")

// Judge judges an Ingress, which is to take the place of old where that is not
// nil. What was wrong with old already is no reason to refuse what replaces it:
// then nobody could mend it step by step, or delete it where finalizers have to
// go first.
func (j *Judge) Judge(ing, old *networkingv1.Ingress) (Judgement, error) {
	c, err := j.beside(ing)
	if err != nil {
		return Judgement{}, err
	}
	start := time.Now()
	v := c.Judge()
	if !v.Ours {
		return Judgement{}, nil
	}
	r := Judgement{Ours: true, Built: v.Built, Building: time.Since(start)}
	var before build.Verdict
	if old != nil && weighty(v.Problems) {
		c, err := j.beside(old)
		if err != nil {
			return Judgement{}, err
		}
		before = c.Judge()
	}
	r.Refused = v.Worse(before)
	for _, p := range v.Problems {
		if !contains(r.Refused, p) {
			r.Warned = append(r.Warned, p)
		}
	}
	return r, j.render(ing, v, &r)
}

func (j *Judge) beside(ing *networkingv1.Ingress) (*build.Case, error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if !j.ready {
		return nil, errUnready
	}
	return j.index.Beside(ing), nil
}

// render finds out whether the hosts of the Ingress can be written down at all.
// It is to blame where they can't with its locations alone.
func (j *Judge) render(ing *networkingv1.Ingress, v build.Verdict, r *Judgement) error {
	start := time.Now()
	renderer, err := j.renderer()
	if err != nil {
		return err
	}
	defer j.giveBack(renderer)
	conf, err := renderer.Sample(v.Settings, v.Servers)
	if err != nil {
		if _, err := renderer.Sample(v.Settings, alone(v.Servers, ing.Namespace+"/"+ing.Name)); err != nil {
			r.Refused = append(r.Refused, model.Problem{
				Object: model.Object{Kind: "Ingress", Namespace: ing.Namespace, Name: ing.Name},
				Reason: "can't be written into nginx.conf: " + err.Error(), Weight: model.Wrong,
			})
		}
		return nil
	}
	r.Rendered, r.Render = len(conf.Bytes), time.Since(start)
	return nil
}

// alone are the servers with the locations of one owner.
func alone(servers []model.Server, owner string) []model.Server {
	var all []model.Server
	for _, s := range servers {
		own := s.Locations
		s.Locations = nil
		for _, l := range own {
			if l.Owner == owner {
				s.Locations = append(s.Locations, l)
			}
		}
		all = append(all, s)
	}
	return all
}

func weighty(problems []model.Problem) bool {
	for _, p := range problems {
		if p.Weight == model.Wrong {
			return true
		}
	}
	return false
}

func contains(problems []model.Problem, p model.Problem) bool {
	for _, q := range problems {
		if p == q {
			return true
		}
	}
	return false
}

// decode reads an Ingress. It refuses what is too large to come from an API
// server before it takes the memory.
func decode(raw []byte) (*networkingv1.Ingress, error) {
	if len(raw) > maxObject {
		return nil, errLarge
	}
	if values(raw) > maxValues {
		return nil, errMany
	}
	var ing networkingv1.Ingress
	if err := json.Unmarshal(raw, &ing); err != nil {
		return nil, err
	}
	size := 0
	for key, text := range ing.Annotations {
		size += len(key) + len(text)
	}
	if size > maxAnnotations {
		return nil, errLarge
	}
	paths := len(ing.Spec.Rules)
	for _, rule := range ing.Spec.Rules {
		if rule.HTTP != nil {
			paths += len(rule.HTTP.Paths)
		}
	}
	if paths > maxPaths {
		return nil, errMany
	}
	return &ing, nil
}
