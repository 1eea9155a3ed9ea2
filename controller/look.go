package controller

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/build"
)

// A Look is what the controller knows at one moment, for people who ask what it
// is doing. Nobody changes what it refers to.
type Look struct {
	Result     *build.Result // of the last build; nil before the first
	Conf       []byte        // what nginx runs with; nil while it doesn't run
	Generation string        // of that
	Pending    bool          // something is not applied yet
}

// errNotRunning is for those who ask a controller that has ended.
var errNotRunning = errors.New("the controller is not running")

// Look takes a look. It waits for the loop to come round, which is never for
// nginx.
func (c *Controller) Look(ctx context.Context) (Look, error) {
	answer := make(chan Look, 1)
	select {
	case c.looks <- answer:
		return <-answer, nil
	case <-c.ended:
		return Look{}, errNotRunning
	case <-ctx.Done():
		return Look{}, ctx.Err()
	}
}

// look copies what the loop goes on to change.
func (c *Controller) look() Look {
	l := Look{Pending: c.dirty || c.applying}
	if c.live != nil {
		l.Conf, l.Generation = c.live.conf.Bytes, c.live.conf.Generation
	}
	if c.result != nil {
		result, config := *c.result, *c.result.Config
		config.Backends = maps.Clone(config.Backends)
		result.Config, result.Ingresses = &config, slices.Clone(result.Ingresses)
		l.Result = &result
	}
	return l
}
