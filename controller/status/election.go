package status

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// A candidate takes part in the election, again and again.
type candidate struct {
	lock *lock
	ttl  time.Duration
	log  *slog.Logger
}

// candidate makes this replica's.
func (w *Writer) candidate() (*candidate, error) {
	if w.o.ElectionID == "" {
		return nil, errors.New("election: its Lease has no name")
	}
	identity := w.o.PodName
	if identity == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("election: no POD_NAME and no host name: %w", err)
		}
		identity = host + "_" + rand.Text()
	}
	namespace := cmp.Or(w.o.Namespace, metav1.NamespaceDefault)
	c := &candidate{ttl: w.o.ElectionTTL, log: w.log.With("lease", namespace+"/"+w.o.ElectionID)}
	c.lock = &lock{
		Interface: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: w.o.ElectionID},
			Client:     w.o.Client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
		},
		refused: func(err error) bool {
			return w.permissions.refused(err, "get, create, update leases in namespace "+namespace)
		},
		log: c.log,
	}
	return c, nil
}

// run hands out a context for each time this replica is elected, which ends
// with the term. It returns when ctx ends, after giving the Lease back.
func (c *candidate) run(ctx context.Context, terms chan<- context.Context) {
	// The library logs by its own logger unless there is one in the context.
	quiet := logr.NewContext(ctx, logr.Discard())
	for ctx.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock:            c.lock,
			LeaseDuration:   c.ttl,
			RenewDeadline:   c.ttl / 2,
			RetryPeriod:     c.ttl / 4,
			ReleaseOnCancel: true,
			Name:            c.lock.Describe(),
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(term context.Context) {
					select {
					case terms <- term:
					case <-term.Done():
					}
				},
				OnStoppedLeading: func() {},
				OnNewLeader:      func(identity string) { c.log.Info("leader elected", "leader", identity) },
			},
		})
		if err != nil { // of the durations, which all follow from one
			c.log.Error("no election is possible: nothing is written", "error", err)
			return
		}
		elector.Run(quiet)
	}
}

// lock is the Lease, with a word in the log where it can't be had.
type lock struct {
	resourcelock.Interface
	refused func(error) bool
	log     *slog.Logger
	failing bool // said so; the elector calls from one goroutine at a time
}

func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	l.note(ctx, err)
	return record, raw, err
}

func (l *lock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Create(ctx, r)
	l.note(ctx, err)
	return err
}

func (l *lock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	err := l.Interface.Update(ctx, r)
	l.note(ctx, err)
	return err
}

// note logs the first of a row of failures. That there is no Lease yet, or
// that another replica was faster, is none.
func (l *lock) note(ctx context.Context, err error) {
	switch {
	case err == nil:
		l.failing = false
	case ctx.Err() != nil, l.refused(err):
	case apierrors.IsNotFound(err), apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
	case !l.failing:
		l.failing = true
		l.log.Warn("lease can't be read or written", "error", err)
	}
}
