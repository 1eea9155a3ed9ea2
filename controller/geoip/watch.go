package geoip

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
)

// quiet is how long a folder has to be left alone before it is read: whoever
// brings a database writes for a while.
const quiet = time.Second

// Watch gives nginx the databases of the folder as they change; nginx looks for
// them as the ConfigMap says. One that can't be read is told, and the one before
// stays. Where there is no folder there is nothing to watch.
func Watch(ctx context.Context, o Options, tell func(problem string)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("databases of addresses: %w", err)
	}
	defer watcher.Close()
	if err := watcher.Add(o.Folder); errors.Is(err, fs.ErrNotExist) {
		<-ctx.Done()
		return nil
	} else if err != nil {
		return fmt.Errorf("databases of addresses: %w", err)
	}
	told := map[string]string{}
	due := time.NewTimer(0) // what changed since Find looked
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-watcher.Events:
			due.Reset(quiet)
		case err := <-watcher.Errors:
			tell(err.Error())
			due.Reset(quiet)
		case <-due.C:
			for _, edition := range annotation.GeoEditions() {
				problem := ""
				if err := o.copy(edition); err != nil && !errors.Is(err, fs.ErrNotExist) {
					problem = err.Error()
				}
				if problem != "" && told[edition] != problem {
					tell(problem)
				}
				told[edition] = problem
			}
		}
	}
}
