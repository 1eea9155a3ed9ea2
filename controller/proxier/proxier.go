// Package proxier keeps the kernel of one node in step with the Services of a
// cluster: a snapshot goes in, a plan is made of it, and a Backend is told what
// changed in the plan.
//
// It may not decide what a packet gets, which is plan's, nor how a kernel is
// told, which is a Backend's. It programs nothing before everything has been
// read once, and takes nothing away because nothing can be read.
package proxier

import (
	"context"

	"github.com/sallyport-ingress/sallyport/controller/proxier/plan"
)

// A Backend tells a kernel of plans. One goroutine calls its methods, one at a
// time; Connections alone may be called at any time by another.
type Backend interface {
	// Sync makes the kernel hold a plan and nothing else of ours: at the start,
	// when the Settings changed, when Intact said no, and when something failed.
	// It takes over what a Sync of an earlier process has left behind without a
	// connection being lost, and touches nothing that isn't ours. The error is
	// plan.Refused where some ports alone could not be programmed.
	Sync(ctx context.Context, p *plan.Plan) error
	// Apply brings changes in. It costs what changed, and is as one step for
	// each port: no connection to a port that has endpoints before and after
	// fails. The error is plan.Refused where some ports alone could not be
	// programmed; after any other the state is unknown, and Sync is due.
	Apply(ctx context.Context, changes []plan.Change) error
	// Intact says whether the kernel still holds what it was told: somebody may
	// have deleted it. It is called every second or so, and so it is cheap.
	Intact(ctx context.Context) (bool, error)
	// Connections counts the new connections that each port got since it was
	// first programmed. A port that is not in it has no count.
	Connections(ctx context.Context) (map[plan.ID]uint64, error)
	// Close ends what needs this process, such as sockets. What the kernel
	// does by itself goes on.
	Close() error
}
