package controller

import (
	"github.com/sallyport-ingress/sallyport/controller/model"
	"github.com/sallyport-ingress/sallyport/nginx"
)

// files are what the configuration reads by name.
func (a *applied) files() map[string]nginx.File {
	files := make(map[string]nginx.File, len(a.config.Files))
	for id, f := range a.config.Files {
		files[string(id)] = nginx.File{Content: f.Content, Private: f.Private}
	}
	return files
}

// tidy removes the files that neither the configuration before nor the next
// one reads: workers of the one before may still have requests.
func (c *Controller) tidy(before, next *applied) {
	err := c.o.Proxy.Drop(func(name string) bool {
		for _, a := range []*applied{before, next} {
			if a == nil {
				continue
			}
			if _, ok := a.config.Files[model.FileID(name)]; ok {
				return true
			}
		}
		return false
	})
	if err != nil {
		c.log.Error("files that nobody reads are left", "error", err)
	}
}
