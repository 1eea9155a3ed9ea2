package store

import (
	"context"
	"log/slog"
	"sync"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sallyport-ingress/sallyport/controller/model"
)

// reads is how many objects are asked for at the same time. 1,000 wanted
// Secrets shall not be 1,000 requests at once.
const reads = 32

// singles keeps one watch, or where that is not allowed one poll, for each
// object that is wanted by name. An informer would list them all, and a
// controller has no business to read every Secret.
type singles struct {
	read    func(ref) reader
	pending *pending
	log     *slog.Logger
	slots   chan struct{} // one for each read under way
	polls   *rate.Limiter // of reads that may well tell nothing new

	mu     sync.Mutex
	ctx    context.Context // nil until run
	wanted map[ref]*single
	open   int     // wanted, but not answered yet
	mute   *single // the first that got no answer from the server, until it gets one
	group  sync.WaitGroup
}

// A single is the watch of one object.
type single struct {
	set  *singles
	ref  ref
	stop context.CancelFunc // nil until started
	// Under the set's lock:
	answered   bool
	complained bool // the last word was a problem
}

func newSingles(read func(ref) reader, p *pending, log *slog.Logger) *singles {
	return &singles{
		read: read, pending: p, log: log,
		slots:  make(chan struct{}, reads),
		polls:  rate.NewLimiter(pollRate, pollRate),
		wanted: map[ref]*single{},
	}
}

// run starts the watches of what is wanted, now and later, until ctx ends.
func (s *singles) run(ctx context.Context) {
	s.mu.Lock()
	s.ctx = ctx
	for _, one := range s.wanted {
		s.start(one)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.ctx = nil // so that no want adds to the group while it is waited for
	s.mu.Unlock()
	s.group.Wait()
}

func (s *singles) want(refs []ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	still := make(map[ref]bool, len(refs))
	for _, r := range refs {
		still[r] = true
		if s.wanted[r] == nil {
			s.add(r)
		}
	}
	for r, one := range s.wanted {
		if !still[r] {
			s.drop(one)
		}
	}
}

func (s *singles) add(r ref) {
	one := &single{set: s, ref: r}
	s.wanted[r] = one
	if reason := impossible(r); reason != "" {
		one.answered = true
		s.pending.problem(one.source(), one.problem(reason))
		return
	}
	s.open++
	if s.ctx != nil {
		s.start(one)
	}
}

// start needs the lock.
func (s *singles) start(one *single) {
	if one.answered {
		return // its name is impossible
	}
	ctx, cancel := context.WithCancel(s.ctx)
	one.stop = cancel
	s.group.Go(func() { one.run(ctx, s.read(one.ref)) })
}

// drop needs the lock.
func (s *singles) drop(one *single) {
	delete(s.wanted, one.ref)
	if one.stop != nil {
		one.stop()
	}
	if s.mute == one {
		s.mute = nil
	}
	if !one.answered {
		s.open--
	}
	s.pending.forget(one.ref, one.source())
}

func (s *singles) settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open == 0
}

// silent logs that the server does not answer: once, and not for each object,
// for the informers say nothing while a connection is refused.
func (s *singles) silent(one *single, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mute == nil && s.wanted[one.ref] == one {
		s.mute = one
		s.log.Warn("the API server does not answer: what was read stays in force", "error", err)
	}
}

// tell passes on what a watch has learned, unless it is no longer wanted.
func (one *single) tell(say func(*pending)) {
	s := one.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted[one.ref] != one {
		return
	}
	if s.mute == one {
		s.mute = nil
		s.log.Info("the API server answers again")
	}
	say(s.pending)
	if !one.answered {
		one.answered = true
		s.open--
	}
	s.pending.signal()
}

// found passes on the object, or nil for one that is not there.
func (one *single) found(o metav1.Object) {
	one.tell(func(p *pending) {
		one.complained = false
		p.set(one.ref, arrival{object: o})
		p.problem(one.source(), nil)
	})
}

// unreadable keeps the object as it was last seen and says why there is no
// newer one.
func (one *single) unreadable(reason string) {
	one.tell(func(p *pending) {
		one.complained = true
		p.problem(one.source(), one.problem(reason))
	})
}

func (one *single) source() string { return one.ref.object().String() }

func (one *single) problem(reason string) []model.Problem {
	return []model.Problem{{Object: one.ref.object(), Reason: reason}}
}

// impossible is why no object can have such a name, or "". Names come from
// annotations, so they can be any text; one that is not a name is never sent.
func impossible(r ref) string {
	if len(validation.IsDNS1123Label(r.key.Namespace)) > 0 {
		return "there can be no namespace of this name"
	}
	if len(validation.IsDNS1123Subdomain(r.key.Name)) > 0 {
		return "there can be no object of this name"
	}
	return ""
}
