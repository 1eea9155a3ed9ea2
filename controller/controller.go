// Package controller turns what happens in the cluster into what nginx is told:
// it takes snapshots, builds, renders, and applies what came out different.
//
// One goroutine owns all state. It never waits for nginx: pushes and reloads
// are under way beside it, one of each at a time, so that an endpoint is
// pushed at once whatever else is going on.
package controller

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/nginx"
	"github.com/sallyport-ingress/sallyport/template"
)

// Store is where snapshots come from; *store.Store is one.
type Store interface {
	Changed() <-chan struct{}
	Take() (*store.Snapshot, store.Changes)
	Want(store.Wanted)
	Settled() bool
}

// Proxy is nginx; *nginx.Nginx is one.
type Proxy interface {
	Adopt(ctx context.Context) (bool, error)
	Start(ctx context.Context, conf []byte, data map[string]string) error
	Test(ctx context.Context, conf []byte) error
	Reload(ctx context.Context, conf []byte) error
	Keep(files map[string]nginx.File) error
	Drop(wanted func(name string) bool) error
	Push(ctx context.Context, set map[string]string, del []string) error
	Digests(ctx context.Context) (map[string]string, error)
	Status(ctx context.Context) (nginx.Status, error)
	Exited() <-chan struct{}
	Workers() nginx.Processes
}

// Observer is told what was done; *metrics.Metrics is one.
type Observer interface {
	Reloaded(ok bool, at time.Time, took time.Duration)
	Pushed(items int, took time.Duration, err error)
	Built(r *build.Result, refused int)
	Generation(generation string)
	// Live is told how long a change of an object of a kind took, from the news
	// of it until nginx has acknowledged what came of it. It may be called from
	// another goroutine.
	Live(kind string, took time.Duration)
}

// Options are a Controller's parts. All are needed but Report and Follow.
type Options struct {
	Store       Store
	Proxy       Proxy
	Build       build.Options
	Environment template.Environment
	Observer    Observer
	Log         *slog.Logger
	// Report gets our Ingresses and all problems after each change of them. It
	// must not block.
	Report func([]*networkingv1.Ingress, []model.Problem)
	// ReloadPause is the least time between two reloads.
	ReloadPause time.Duration
	// QuietTries are how many pushes in a row may fail before that is an error.
	QuietTries int
	// Follow gets the snapshot after each change of it, and whether all of the
	// cluster has been read. It must not block, and not keep the snapshot.
	Follow func(s *store.Snapshot, ch store.Changes, complete bool)
}

// A Controller is the loop.
type Controller struct {
	o        Options
	log      *slog.Logger
	builder  *build.Builder
	renderer *template.Renderer
	sampler  *template.Renderer // of the apply that is under way
	lane     *lane
	ready    atomic.Bool

	snapshot  *store.Snapshot
	result    *build.Result     // of the last build
	items     map[string]string // what nginx should hold of data
	stale     map[string]bool   // items that go once the next reload is over
	live      *applied          // what nginx runs with; nil while it doesn't run
	dirty     bool              // the result is older than the snapshot
	since     since             // the changes that are not under way to nginx
	applying  bool
	outcome   chan outcome
	looks     chan chan<- Look
	ended     chan struct{} // closed once Run returns
	started   time.Time     // when nginx was, by us
	reloaded  time.Time     // when it last was
	retry     <-chan time.Time
	pause     time.Duration // before the next retry
	postponed bool          // what waits for retry is a reload alone; data does not wait
	reported  reported
}

// applied is a configuration that nginx has taken.
type applied struct {
	conf   *template.Conf
	config *model.Config
}

// New makes a Controller.
func New(o Options) (*Controller, error) {
	renderer, err := template.New(o.Environment)
	if err != nil {
		return nil, err
	}
	sampler, err := template.New(o.Environment)
	if err != nil {
		return nil, err
	}
	c := &Controller{
		o:        o,
		sampler:  sampler,
		log:      o.Log,
		builder:  build.New(o.Build),
		renderer: renderer,
		outcome:  make(chan outcome, 1),
		looks:    make(chan chan<- Look),
		ended:    make(chan struct{}),
	}
	c.lane = newLane(o.Proxy.Push, o.Observer, o.QuietTries, o.Log)
	return c, nil
}

// Ready says whether nginx serves, and has served the first full state.
func (c *Controller) Ready() bool { return c.ready.Load() }

// Run runs until ctx ends, or until nginx can't be started at all. It leaves
// nginx running.
func (c *Controller) Run(ctx context.Context) error {
	defer close(c.ended)
	defer c.ready.Store(false)
	lane, cancel := context.WithCancel(ctx)
	defer cancel()
	go c.lane.run(lane)
	for {
		var exited <-chan struct{}
		if c.live != nil {
			exited = c.o.Proxy.Exited()
		}
		select {
		case <-ctx.Done():
			return c.finish()
		case answer := <-c.looks:
			answer <- c.look()
			continue
		case <-c.o.Store.Changed():
			c.take()
		case o := <-c.outcome:
			if err := c.settle(o); err != nil {
				return err
			}
		case <-exited:
			c.lost()
		case <-c.retry:
			c.retry, c.postponed, c.dirty = nil, false, true
		}
		c.step(ctx)
	}
}

// finish waits for an apply that is under way, so that nobody is left using
// nginx when Run returns.
func (c *Controller) finish() error {
	if c.applying {
		<-c.outcome
	}
	return nil
}

// take brings the store's changes into the snapshot, sends changed endpoints
// on their way, and notes whether more than endpoints changed.
func (c *Controller) take() {
	settled := c.o.Store.Settled()
	snapshot, changes := c.o.Store.Take()
	c.snapshot = snapshot
	if c.o.Follow != nil {
		c.o.Follow(snapshot, changes, settled)
	}
	if c.result == nil || c.structural(changes) {
		c.dirty = true
		c.since.add(changes.Since)
	} else {
		c.endpoints(changes)
		c.statuses(changes)
	}
	c.reported.settled = settled
}

// structural says whether changes can mean more than other endpoints.
func (c *Controller) structural(ch store.Changes) bool {
	if len(ch.Ingresses) > 0 || len(ch.ConfigMaps) > 0 || len(ch.Secrets) > 0 || ch.Zone || ch.Classes || ch.Namespaces || ch.Problems {
		return true
	}
	if len(ch.Addresses) > 0 {
		return true
	}
	for key := range ch.Endpoints {
		if c.result.Pinned[key] {
			return true
		}
	}
	for key := range ch.Services {
		if c.result.Backends[key] != nil || c.result.Streamed[key] || key == c.o.Build.DefaultBackend {
			return true
		}
	}
	return false
}

// endpoints is the endpoint lane: it costs what changed.
func (c *Controller) endpoints(ch store.Changes) {
	set := map[string]string{}
	for key := range ch.Endpoints {
		for _, ref := range c.result.Backends[key] {
			id := ref.ID()
			backend := c.builder.Backend(c.snapshot, ref)
			c.result.Config.Backends[id] = backend
			text := template.BackendItem(backend)
			if c.items[template.BackendKey(id)] != text {
				set[template.BackendKey(id)] = text
			}
		}
	}
	if c.live == nil {
		c.dirty = true // what is being started with is older
		return
	}
	if len(set) == 0 {
		return
	}
	for key, text := range set {
		c.items[key] = text
	}
	c.lane.send(set, nil, changedAt(ch))
	c.log.Debug("endpoints changed", "backends", len(set))
}

// statuses hands on Ingresses of which only the status changed: whoever writes
// it has to know what it is.
func (c *Controller) statuses(ch store.Changes) {
	if !ch.Statuses {
		return
	}
	for i, ing := range c.result.Ingresses {
		if now := c.snapshot.Ingresses[store.Key{Namespace: ing.Namespace, Name: ing.Name}]; now != nil {
			c.result.Ingresses[i] = now
		}
	}
	c.reported.of = nil
}

// step does the next thing there is to do, if it can be done now.
func (c *Controller) step(ctx context.Context) {
	if c.snapshot == nil {
		return
	}
	if c.dirty && !c.applying && (c.retry == nil || c.postponed) {
		c.build()
		if c.live == nil && !c.reported.settled {
			return // the first state is not complete
		}
		c.apply(ctx)
	}
	c.report()
}

func (c *Controller) build() {
	c.result = c.builder.Build(c.snapshot)
	c.o.Store.Want(c.result.Wanted)
	if !c.o.Store.Settled() {
		c.reported.settled = false
	}
	c.dirty = c.live == nil && !c.reported.settled
	if c.result.Taken && c.retry == nil {
		c.postponed, c.retry = true, time.After(takenPause)
	}
}

// takenPause is after how long a port that is somebody else's is asked for again.
const takenPause = 5 * time.Second

// lost starts nginx again after it went away by itself.
func (c *Controller) lost() {
	c.ready.Store(false)
	c.log.Error("nginx is gone and is started again")
	c.lane.drop()
	c.live = nil
	c.dirty = true
	if time.Since(c.started) < restartPause {
		c.retry, c.postponed = time.After(restartPause), false
	}
}

// restartPause is how long nginx rests that went away right after its start.
const restartPause = time.Second

func (c *Controller) fail(what string, err error) {
	c.pause = min(max(2*c.pause, 500*time.Millisecond), 30*time.Second)
	c.retry, c.postponed = time.After(c.pause), false
	c.dirty = true
	c.log.Error(fmt.Sprintf("%s failed; the configuration before it stays live", what), "error", err, "again", c.pause)
}
