package geoip

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fsnotify/fsnotify"
)

func TestWatch(t *testing.T) {
	const edition = "GeoLite2-City"
	o := Options{Folder: t.TempDir(), Into: t.TempDir()}
	seen, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer seen.Close()
	if err := seen.Add(o.Into); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	problems, ended := make(chan string), make(chan error)
	go func() { ended <- Watch(ctx, o, func(problem string) { problems <- problem }) }()

	good := database(t, edition)
	write(t, o.Folder, edition, good[:len(good)/2])
	if problem := <-problems; !strings.Contains(problem, edition+".mmdb: is cut off") {
		t.Errorf("said %s", problem)
	}
	if Check(o.file(edition)) == nil {
		t.Error("nginx has one that is cut off")
	}
	write(t, o.Folder, edition, good)
	for event := range seen.Events {
		if event.Name == filepath.Join(o.Into, edition+".mmdb") && Check(event.Name) == nil {
			break
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWatchWithoutFolder(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := Watch(ctx, Options{Folder: filepath.Join(t.TempDir(), "none")}, func(problem string) { t.Error(problem) }); err != nil {
		t.Error(err)
	}
}
