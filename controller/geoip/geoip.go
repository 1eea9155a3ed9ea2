// Package geoip brings databases of addresses to where nginx reads them: from a
// folder, or from MaxMind or a mirror of theirs.
//
// nginx refuses a configuration with a database that it can't read. So each is
// read here first, and nginx gets a copy, which nobody cuts off while it is in
// use. One that can't be read is named, and what was there before stays.
package geoip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
)

// Options say where databases come from and go to.
type Options struct {
	Folder     string   // where they may be already
	Into       string   // where nginx reads them
	Editions   []string // what is downloaded, as in GeoLite2-City
	LicenseKey string   // MaxMind's; with neither it nor a mirror nothing is downloaded
	Mirror     string   // the URL of a folder of EDITION.tar.gz
	Attempts   int
	// Wait is the time between the first two attempts; it grows by half with each
	// further one. 0: there is one attempt.
	Wait   time.Duration
	Client *http.Client
}

// Found is what there is for nginx.
type Found struct {
	Editions []string // sorted; each is EDITION.mmdb in Into
	Problems []string // a sentence for each that can't be used
}

// largest is more than any database has, in bytes.
const largest = 1 << 30

// Find brings the databases. It waits for downloads: an nginx that runs goes on
// meanwhile.
func Find(ctx context.Context, o Options) Found {
	var f Found
	got := map[string]bool{}
	if o.LicenseKey != "" || o.Mirror != "" {
		for _, edition := range o.Editions {
			if err := o.download(ctx, edition); err != nil {
				f.Problems = append(f.Problems, fmt.Sprintf("%s can't be downloaded: %v", edition, err))
			} else {
				got[edition] = true
			}
		}
	}
	for _, edition := range annotation.GeoEditions() {
		if !got[edition] {
			if err := o.copy(edition); err != nil && !errors.Is(err, fs.ErrNotExist) {
				f.Problems = append(f.Problems, err.Error())
			}
		}
		if Check(o.file(edition)) == nil {
			f.Editions = append(f.Editions, edition)
		}
	}
	slices.Sort(f.Editions)
	return f
}

func (o Options) file(edition string) string { return filepath.Join(o.Into, edition+".mmdb") }

// copy takes the edition out of the folder, unless nginx has that one already.
func (o Options) copy(edition string) error {
	source, err := os.Open(filepath.Join(o.Folder, edition+".mmdb"))
	if err != nil {
		return err
	}
	defer source.Close()
	now, err := source.Stat()
	if err != nil {
		return err
	}
	if old, err := os.Stat(o.file(edition)); err == nil && now.Size() == old.Size() && !now.ModTime().After(old.ModTime()) {
		return nil
	}
	return o.put(edition, source)
}

// put gives nginx a database that can be read. The name is that of the new one
// or the old one at each moment.
func (o Options) put(edition string, from io.Reader) error {
	if err := os.MkdirAll(o.Into, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(o.Into, "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	n, err := io.Copy(f, io.LimitReader(from, largest+1))
	if err == nil && n > largest {
		err = fmt.Errorf("has more than %d bytes", largest)
	}
	err = errors.Join(err, f.Chmod(0o644), f.Close()) // nginx's workers read it again
	if err == nil {
		err = Check(f.Name())
	}
	if err != nil {
		return fmt.Errorf("%s.mmdb: %w", edition, err)
	}
	return os.Rename(f.Name(), o.file(edition))
}

// Check says why nginx could not read a database.
func Check(file string) error {
	db, err := maxminddb.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		return fmt.Errorf("is cut off, or no database of addresses: %s", strings.ReplaceAll(err.Error(), file, "the file"))
	}
	return db.Close()
}
