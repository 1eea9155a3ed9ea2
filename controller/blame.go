package controller

import (
	"context"
	"errors"

	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// blame says whose text nginx refuses, and with which words.
type blame struct {
	owners   map[string]string // "namespace/name" of Ingresses
	settings string            // of the ConfigMap
}

func (b blame) found() bool { return len(b.owners) > 0 || b.settings != "" }

// blame finds out why nginx refused a configuration, by testing parts of it:
// about log2(servers) tests for each culprit. It finds nothing where err is not
// about the configuration.
func (c *Controller) blame(ctx context.Context, err error, live, next *applied) blame {
	var refused *nginx.ConfigError
	if !errors.As(err, &refused) {
		return blame{}
	}
	test := func(servers []model.Server) error {
		conf, err := c.sampler.Sample(next.config.Settings, servers)
		if err != nil {
			return err
		}
		return c.o.Proxy.Test(ctx, conf.Bytes)
	}
	if err := test(nil); err != nil {
		return blame{settings: reasonOf(err)}
	}
	suspects := next.config.Servers
	if live != nil {
		if changed := changedServers(live.config, next.config); changed != nil {
			suspects = changed
		}
	}
	b := blame{owners: map[string]string{}}
	for _, server := range culprits(suspects, test) {
		found := c.owners(server, func(part model.Server) error { return test([]model.Server{part}) })
		for owner, reason := range found.owners {
			b.owners[owner] = reason
		}
	}
	return b
}

// culprits are the servers that don't pass the test by themselves.
func culprits(servers []model.Server, test func([]model.Server) error) []model.Server {
	if len(servers) == 0 || test(servers) == nil {
		return nil
	}
	if len(servers) == 1 {
		return servers
	}
	half := len(servers) / 2
	return append(culprits(servers[:half], test), culprits(servers[half:], test)...)
}

// owners are the Ingresses whose locations in the server don't pass the test by
// themselves; where each of them does, all of them together are to blame.
func (c *Controller) owners(server model.Server, test func(model.Server) error) blame {
	parts := map[string]*model.Server{}
	for _, l := range server.Locations {
		if l.Owner == "" {
			continue
		}
		if parts[l.Owner] == nil {
			parts[l.Owner] = &model.Server{Host: server.Host}
		}
		parts[l.Owner].Locations = append(parts[l.Owner].Locations, l)
	}
	b := blame{owners: map[string]string{}}
	for owner, part := range parts {
		if err := test(*part); err != nil {
			b.owners[owner] = reasonOf(err)
		}
	}
	if len(b.owners) > 0 {
		return b
	}
	if err := test(server); err != nil {
		for owner := range parts {
			b.owners[owner] = reasonOf(err)
		}
	}
	return b
}

func reasonOf(err error) string {
	var refused *nginx.ConfigError
	if errors.As(err, &refused) {
		return refused.Message
	}
	return err.Error()
}
