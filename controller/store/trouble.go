package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
)

// trouble says in the log what an informer complains of: each text once, until
// something arrives again.
type trouble struct {
	log     *slog.Logger
	kind    kind
	refused func() // says that we may not read a kind that we can do without

	mu   sync.Mutex
	last string
}

func (t *trouble) handle(_ context.Context, _ *cache.Reflector, err error) {
	optional := t.kind == classes && apierrors.IsForbidden(err)
	// A watch that the server ends, or that got too old, is daily routine.
	routine := apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || errors.Is(err, io.EOF)
	switch {
	case routine || !t.isNew(err.Error()):
	case optional:
		t.log.Warn("IngressClasses may not be read: going on without them", "error", err)
	default:
		t.log.Warn("cannot read from the API server, trying again", "kind", string(t.kind), "error", err)
	}
	if optional {
		t.refused()
	}
}

func (t *trouble) isNew(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == text {
		return false
	}
	t.last = text
	return true
}

func (t *trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = ""
}
