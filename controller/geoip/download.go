package geoip

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

const maxMind = "https://download.maxmind.com/app/geoip_download"

// download gets one edition, with as many attempts as it may take.
func (o Options) download(ctx context.Context, edition string) error {
	attempts, wait := max(o.Attempts, 1), o.Wait
	if wait <= 0 {
		attempts = 1
	}
	var err error
	for i := range attempts {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
			wait += wait / 2
		}
		if err = o.attempt(ctx, edition); err == nil {
			return nil
		}
	}
	return err
}

func (o Options) attempt(ctx context.Context, edition string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute) // a City database has 60 MB
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.address(edition), nil)
	if err != nil {
		return withoutURL(err)
	}
	response, err := cmp.Or(o.Client, http.DefaultClient).Do(request)
	if err != nil {
		return withoutURL(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server's answer is %s", response.Status)
	}
	return o.unpack(edition, response.Body)
}

func (o Options) address(edition string) string {
	if o.Mirror != "" {
		return strings.TrimSuffix(o.Mirror, "/") + "/" + edition + ".tar.gz"
	}
	return maxMind + "?" + url.Values{"license_key": {o.LicenseKey}, "edition_id": {edition}, "suffix": {"tar.gz"}}.Encode()
}

// withoutURL is the error without the address, which has the license key.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// unpack takes the database out of the archive, in which it is in a folder.
func (o Options) unpack(edition string, body io.Reader) error {
	unzipped, err := gzip.NewReader(io.LimitReader(body, largest))
	if err != nil {
		return err
	}
	archive := tar.NewReader(io.LimitReader(unzipped, 2*largest))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the archive has no %s.mmdb", edition)
		}
		if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeReg && path.Base(header.Name) == edition+".mmdb" {
			return o.put(edition, archive)
		}
	}
}
