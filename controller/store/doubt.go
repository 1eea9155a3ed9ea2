package store

import (
	"log/slog"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// doubtful is how long a relist that takes objects away is looked at before it
// is believed: it tells of them one after the other.
const doubtful = 200 * time.Millisecond

// A doubt holds back what a relist says is gone, of one kind, until it is clear
// that the list was not simply empty. An API server whose store was lost or is
// not filled yet answers with an empty list; no cluster is ever without Services
// and EndpointSlices, for it has its own. A deletion that a watch tells of is
// beyond doubt.
type doubt struct {
	log    *slog.Logger
	kind   kind
	remove func(ref)
	stock  stock

	mu    sync.Mutex
	held  map[ref]bool
	timer *time.Timer // not nil while it runs
	told  bool
}

// A stock is what an informer holds.
type stock interface {
	ListKeys() []string
	GetByKey(key string) (item any, exists bool, err error)
}

func newDoubt(c *cluster, k kind, s stock) *doubt {
	return &doubt{log: c.options.Log, kind: k, remove: c.pending.remove, stock: s, held: map[ref]bool{}}
}

// gone is told of each object that is no longer there.
func (d *doubt) gone(o any) {
	unseen, ok := o.(cache.DeletedFinalStateUnknown)
	if ok {
		o = unseen.Obj
	}
	object, isObject := o.(metav1.Object)
	if !isObject {
		return
	}
	r, known := refOf(object)
	switch {
	case !known:
	case ok:
		d.hold(r)
	default:
		d.release(r)
	}
}

func (d *doubt) hold(r ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[r] = true
	d.judgeSoon()
}

func (d *doubt) release(r ref) {
	d.mu.Lock()
	delete(d.held, r)
	d.mu.Unlock()
	d.remove(r)
}

// arrived is told of each object that is there, after a relist too.
func (d *doubt) arrived() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.held) > 0 {
		d.judgeSoon()
	}
}

// judgeSoon needs the lock.
func (d *doubt) judgeSoon() {
	if d.timer == nil {
		d.timer = time.AfterFunc(doubtful, d.judge)
	}
}

// judge believes the relist if it left anything. What came again since is no
// longer in doubt.
func (d *doubt) judge() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer = nil
	if len(d.stock.ListKeys()) == 0 {
		if !d.told {
			d.told = true
			d.log.Warn("the API server says that there are none at all: what was read stays in force",
				"kind", string(d.kind), "kept", len(d.held))
		}
		return
	}
	for r := range d.held {
		if _, exists, err := d.stock.GetByKey(r.key.String()); !exists && err == nil {
			d.remove(r)
		}
	}
	clear(d.held)
	d.told = false
}
