package main

import (
	"slices"
	"strings"
)

// A licence is one by its SPDX identifier, or where it has none by the name that
// Debian gives it.
type licence struct{ id, name string }

// spdx are SPDX's identifiers by Debian's names of the same licences
// (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/#license-short-name),
// and by what maintainers write in their place.
var spdx = map[string]string{
	"apache-2.0": "Apache-2.0", "artistic": "Artistic-1.0-Perl", "0bsd": "0BSD",
	"bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause-uc": "BSD-4-Clause-UC",
	"bsl-1.0": "BSL-1.0", "cc0-1.0": "CC0-1.0", "cc-by-sa-4.0": "CC-BY-SA-4.0", "curl": "curl",
	"expat": "MIT", "mit": "MIT", "isc": "ISC", "x11": "X11", "zlib": "Zlib", "openssl": "OpenSSL",
	"fsfap": "FSFAP", "fsful": "FSFUL", "fsfullr": "FSFULLR", "openldap-2.8": "OLDAP-2.8", "unicode-dfs-2016": "Unicode-DFS-2016",
	"gpl-1+": "GPL-1.0-or-later", "gpl-2": "GPL-2.0-only", "gpl-2.0-only": "GPL-2.0-only", "gpl-2+": "GPL-2.0-or-later",
	"gpl-3": "GPL-3.0-only", "gpl-3+": "GPL-3.0-or-later", "gplv3+": "GPL-3.0-or-later", "agpl-3+": "AGPL-3.0-or-later",
	"lgpl-2": "LGPL-2.0-only", "lgpl-2+": "LGPL-2.0-or-later", "lgpl-2.1": "LGPL-2.1-only", "lgpl-2.1+": "LGPL-2.1-or-later",
	"lgplv2.1+": "LGPL-2.1-or-later", "lgpl-3": "LGPL-3.0-only", "lgpl-3+": "LGPL-3.0-or-later", "lgpl-3.0+": "LGPL-3.0-or-later",
	"gfdl-niv-1.3+": "GFDL-1.3-no-invariants-or-later", "mpl-2.0": "MPL-2.0",
}

// licencesIn are those that a copyright file in Debian's machine-readable form
// names for files, in the order of their names; none where it has another form. A
// licence with an exception, and a choice of several, stand as they are written.
func licencesIn(copyright string) []licence {
	seen := map[string]licence{}
	files := false // within a paragraph about files
	for line := range strings.Lines(copyright) {
		field, value, ok := strings.Cut(line, ":")
		switch {
		case strings.TrimSpace(line) == "":
			files = false
		case !ok || strings.TrimLeft(field, " \t") != field:
			// The text of a field goes on.
		case strings.EqualFold(field, "Files"):
			files = true
		case files && strings.EqualFold(field, "License"):
			name := strings.TrimSpace(value)
			id := spdx[strings.ToLower(name)]
			if id != "" {
				seen[id] = licence{id: id}
			} else if name != "" {
				seen[name] = licence{name: name}
			}
		}
	}
	var all []licence
	for _, l := range seen {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b licence) int { return strings.Compare(a.id+a.name, b.id+b.name) })
	return all
}
