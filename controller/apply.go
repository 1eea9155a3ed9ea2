package controller

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ingress/sallyport/controller/build"
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/controller/store"
	"github.com/sallyport-ingress/sallyport/nginx"
	"github.com/sallyport-ingress/sallyport/template"
)

// An outcome is what became of an apply that was under way.
type outcome struct {
	next    *applied
	result  *build.Result
	since   since // the changes that it was to bring
	first   bool  // nginx was started, or adopted
	adopted bool
	took    time.Duration
	err     error
	blame   blame
}

// apply brings the last build to nginx: its data at once, and nginx.conf, if
// that changed, beside the loop.
func (c *Controller) apply(ctx context.Context) {
	conf, err := c.renderer.Conf(c.result.Config)
	if err != nil {
		c.refuseServer(err)
		return
	}
	next := &applied{conf: conf, config: c.result.Config}
	items := c.renderer.Items(c.result.Config)
	of := c.since
	c.since = nil
	if c.live == nil {
		c.items, c.stale = items, nil
		c.begin(next, of, func() outcome { return c.start(ctx, next, maps.Clone(items)) })
		return
	}
	set, gone := difference(c.items, items)
	if c.stale == nil {
		c.stale = map[string]bool{}
	}
	for _, key := range gone {
		c.stale[key] = true
	}
	c.items = items
	var pushed since // what a push alone brings
	if conf.Generation == c.live.conf.Generation {
		pushed = of
	}
	if len(set) > 0 {
		c.lane.send(set, nil, pushed)
		pushed = nil
	}
	if conf.Generation == c.live.conf.Generation {
		c.live = next
		c.sweep(pushed)
		c.accept(c.result)
		if len(set)+len(gone) > 0 {
			c.log.Info("applied", "by", "push", "set", len(set), "deleted", len(gone), "servers", len(next.config.Servers))
		}
		return
	}
	if wait := c.o.ReloadPause - time.Since(c.reloaded); wait > 0 {
		c.postponed, c.retry = true, time.After(wait)
		c.since = of
		return
	}
	if c.crowded() {
		c.log.Info("reload waits: too many workers of earlier configurations still have connections", "wait", crowdedPause)
		c.postponed, c.retry = true, time.After(crowdedPause-time.Since(c.reloaded))
		c.since = of
		return
	}
	live := c.live
	c.begin(next, of, func() outcome { return c.reload(ctx, live, next) })
}

// Each reload leaves workers behind that stay as long as their connections do,
// websockets for minutes. Where there are more of them than this for each
// present one, reloads come no faster than one in a pause.
const (
	crowd        = 10
	crowdedPause = 5 * time.Second
)

func (c *Controller) crowded() bool {
	return time.Since(c.reloaded) < crowdedPause &&
		c.o.Proxy.Workers().Count > 1+(1+crowd)*c.live.config.Settings.WorkerProcesses
}

func (c *Controller) begin(next *applied, of since, do func() outcome) {
	c.applying = true
	result := c.result
	go func() {
		start := time.Now()
		o := do()
		o.next, o.result, o.since, o.took = next, result, of, time.Since(start)
		c.outcome <- o
	}()
}

// sweep deletes the items that nothing refers to any more.
func (c *Controller) sweep(of since) {
	var keys []string
	for key := range c.stale {
		if _, back := c.items[key]; !back {
			keys = append(keys, key)
		}
	}
	c.stale = nil
	if len(keys) > 0 {
		c.lane.send(nil, keys, of)
	}
}

func (c *Controller) accept(r *build.Result) {
	c.builder.Accept(r)
	c.pause = 0
}

// start brings nginx up with conf and data, or takes over one that runs.
func (c *Controller) start(ctx context.Context, next *applied, items map[string]string) outcome {
	if err := c.o.Proxy.Keep(next.files()); err != nil {
		return outcome{first: true, err: err}
	}
	adopted, err := c.o.Proxy.Adopt(ctx)
	if err != nil {
		return outcome{first: true, adopted: adopted, err: err}
	}
	if !adopted {
		err := c.unlessFull(c.o.Proxy.Start(ctx, next.conf.Bytes, items))
		if err != nil {
			err = c.judged(ctx, err, next.conf.Bytes)
		}
		o := outcome{first: true, err: err}
		o.blame = c.blame(ctx, err, nil, next)
		return o
	}
	err = c.takeOver(ctx, next, items)
	return outcome{first: true, adopted: true, err: err, blame: c.blame(ctx, err, nil, next)}
}

// judged is what a test says of a file with which nginx has not started: a start
// tells a fault of the file from another only where it names a line. A port that
// is taken, which a test notices too, is no fault of the file.
func (c *Controller) judged(ctx context.Context, err error, conf []byte) error {
	if found := c.o.Proxy.Test(ctx, conf); found != nil && !strings.Contains(found.Error(), "bind()") {
		return found
	}
	return err
}

// unlessFull drops an error that says that some data did not fit: the rest is
// served.
func (c *Controller) unlessFull(err error) error {
	if errors.Is(err, nginx.ErrFull) {
		c.log.Error("nginx has no room for data, and goes on without", "error", err)
		return nil
	}
	return err
}

// takeOver gives an nginx that was running already what it lacks. Where it
// lacks nothing it is left alone.
func (c *Controller) takeOver(ctx context.Context, next *applied, items map[string]string) error {
	digests, err := c.o.Proxy.Digests(ctx)
	if err != nil {
		return err
	}
	set := map[string]string{}
	for key, text := range items {
		sum := md5.Sum([]byte(text))
		if digests[key] != hex.EncodeToString(sum[:]) {
			set[key] = text
		}
	}
	if err := c.unlessFull(c.o.Proxy.Push(ctx, set, nil)); err != nil {
		return err
	}
	status, err := c.o.Proxy.Status(ctx)
	if err != nil {
		return err
	}
	if status.Generation != next.conf.Generation {
		if err := c.o.Proxy.Test(ctx, next.conf.Bytes); err != nil {
			return err
		}
		if err := c.o.Proxy.Reload(ctx, next.conf.Bytes); err != nil {
			return err
		}
	}
	var gone []string
	for key := range digests {
		if _, wanted := items[key]; !wanted {
			gone = append(gone, key)
		}
	}
	return c.o.Proxy.Push(ctx, nil, gone)
}

// reload tests what changed and reloads, once the data is there that new
// workers will need.
func (c *Controller) reload(ctx context.Context, live, next *applied) outcome {
	select {
	case <-c.lane.flushed():
	case <-ctx.Done():
		return outcome{err: ctx.Err()}
	}
	changed := changedServers(live.config, next.config)
	sample := next.conf
	if changed != nil {
		var err error
		if sample, err = c.sampler.Sample(next.config.Settings, changed); err != nil {
			return outcome{err: err}
		}
	}
	err := c.o.Proxy.Keep(next.files())
	if err == nil {
		err = c.o.Proxy.Test(ctx, sample.Bytes)
	}
	if err == nil {
		err = c.o.Proxy.Reload(ctx, next.conf.Bytes)
	}
	return outcome{err: err, blame: c.blame(ctx, err, live, next)}
}

// changedServers are the servers of next that live doesn't have just so, nil
// where the settings around them changed too.
func changedServers(live, next *model.Config) []model.Server {
	if !reflect.DeepEqual(live.Settings, next.Settings) {
		return nil
	}
	old := make(map[string]model.Server, len(live.Servers))
	for _, s := range live.Servers {
		old[s.Host] = s
	}
	changed := []model.Server{}
	for _, s := range next.Servers {
		if before, ok := old[s.Host]; !ok || !before.Equal(s) {
			changed = append(changed, s)
		}
	}
	return changed
}

// settle takes note of an apply's outcome. Its error is one that waiting can't
// mend: nginx never started.
func (c *Controller) settle(o outcome) error {
	c.applying = false
	if o.err != nil {
		c.since.add(o.since)
	}
	c.o.Observer.Reloaded(o.err == nil, time.Now(), o.took)
	switch {
	case o.err == nil && (o.first || c.live != nil):
		c.tidy(c.live, o.next)
		c.live = o.next
		c.reloaded = time.Now()
		c.accept(o.result)
		c.o.Observer.Generation(o.next.conf.Generation)
		if o.first {
			c.started = time.Now()
			c.ready.Store(true)
		}
		c.sweep(nil)
		if !o.first { // how long the start takes is another question
			live(c.o.Observer.Live, o.since)
		}
		c.log.Info("applied", "by", how(o), "took", o.took.Round(time.Millisecond), "generation", o.next.conf.Generation,
			"servers", len(o.next.config.Servers), "bytes", len(o.next.conf.Bytes))
	case o.err == nil:
		c.dirty = true // nginx went away meanwhile
	case errors.Is(o.err, context.Canceled):
	case o.blame.found() && c.refuse(o.blame):
	case o.first && !o.adopted && c.started.IsZero():
		return fmt.Errorf("nginx: %w", o.err)
	default:
		c.fail("applying", o.err)
	}
	return nil
}

func how(o outcome) string {
	switch {
	case o.adopted:
		return "adoption"
	case o.first:
		return "start"
	}
	return "reload"
}

// refuse puts aside what is to blame, and says whether there was anything that
// could be.
func (c *Controller) refuse(b blame) bool {
	for owner, reason := range b.owners {
		namespace, name, _ := strings.Cut(owner, "/")
		c.builder.Refuse(c.snapshot, store.Key{Namespace: namespace, Name: name}, reason)
		c.log.Error("nginx refuses an Ingress, which is put aside", "ingress", owner, "reason", reason)
	}
	if b.settings != "" {
		if !c.builder.RefuseSettings(c.snapshot, b.settings) {
			return false // it is not the ConfigMap's fault
		}
		c.log.Error("nginx refuses the ConfigMap, which is put aside", "reason", b.settings)
	}
	c.dirty = true
	return true
}

// refuseServer puts the Ingresses aside whose server can't be written down.
func (c *Controller) refuseServer(err error) {
	var server *template.ServerError
	if !errors.As(err, &server) {
		c.fail("rendering", err)
		return
	}
	b := blame{owners: map[string]string{}}
	for _, s := range c.result.Config.Servers {
		if s.Host == server.Host {
			b = c.owners(s, func(part model.Server) error {
				_, err := c.renderer.Sample(c.result.Config.Settings, []model.Server{part})
				return err
			})
		}
	}
	if !b.found() {
		c.fail("rendering", err)
		return
	}
	c.refuse(b)
}

// difference is what to set and what to delete to get from old to next.
func difference(old, next map[string]string) (set map[string]string, gone []string) {
	set = map[string]string{}
	for key, text := range next {
		if before, ok := old[key]; !ok || before != text {
			set[key] = text
		}
	}
	for key := range old {
		if _, ok := next[key]; !ok {
			gone = append(gone, key)
		}
	}
	slices.Sort(gone)
	return set, gone
}
