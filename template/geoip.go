package template

import (
	"maps"
	"path"
	"slices"

	"github.com/sallyport-ingress/sallyport/controller/annotation"
)

// A geoDatabase is a database of addresses and what the file shows of it.
type geoDatabase struct {
	Path      string
	Variables []annotation.GeoVariable
}

// places are what the file shows of databases of addresses, each of the first
// database that has it. The rest is empty.
func (f *frame) places() (from []geoDatabase, empty []string) {
	shown := map[string]bool{}
	for _, text := range []string{f.LogFormat, string(f.HTTPSnippet), string(f.ServerSnippet), string(f.LocationSnippet)} {
		annotation.GeoVariablesIn(text, shown)
	}
	for _, edition := range f.GeoDatabases.All() {
		d := geoDatabase{Path: path.Join(f.Env.GeoFolder, edition+".mmdb")}
		for _, v := range annotation.GeoVariables(edition) {
			if shown[v.Name] {
				d.Variables = append(d.Variables, v)
				delete(shown, v.Name)
			}
		}
		if d.Variables != nil {
			from = append(from, d)
		}
	}
	return from, slices.Sorted(maps.Keys(shown))
}
