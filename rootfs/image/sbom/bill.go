package main

import (
	"bytes"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
	"github.com/package-url/packageurl-go"
)

// specification is the newest that scanners commonly read.
const specification = cdx.SpecVersion1_6

// bill is the whole list. release is Debian's, such as "13.2".
func bill(version, release string, debian []debianPackage, built []program) *cdx.BOM {
	release = strings.TrimSpace(release)
	image := cdx.Component{
		BOMRef: "image", Type: cdx.ComponentTypeContainer, Name: "sallyport", Version: version,
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
	}
	system := cdx.Component{
		BOMRef: "debian", Type: cdx.ComponentTypeOS, Name: "debian", Version: release,
	}
	components, needs := []cdx.Component{system}, []cdx.Dependency{}
	direct := []string{system.BOMRef}
	for _, p := range debian {
		c := p.component(release)
		components, direct = append(components, c), append(direct, c.BOMRef)
	}
	listed := map[string]bool{}
	for _, p := range built {
		c := p.component(version)
		components, direct = append(components, c), append(direct, c.BOMRef)
		var of []string
		for _, m := range append([]module{{"std", p.library}}, p.modules...) {
			c := m.component()
			of = append(of, c.BOMRef)
			if !listed[c.BOMRef] {
				listed[c.BOMRef] = true
				components = append(components, c)
			}
		}
		needs = append(needs, cdx.Dependency{Ref: c.BOMRef, Dependencies: &of})
	}
	needs = append([]cdx.Dependency{{Ref: image.BOMRef, Dependencies: &direct}}, needs...)

	b := cdx.NewBOM()
	b.SpecVersion = specification
	b.Metadata = &cdx.Metadata{Component: &image}
	b.Components, b.Dependencies = &components, &needs
	return b
}

func (p debianPackage) component(release string) cdx.Component {
	qualifiers := map[string]string{"arch": p.architecture, "distro": "debian-" + release}
	if p.source != p.name || p.sourceVersion != p.version {
		// Advisories are about source packages.
		qualifiers["upstream"] = p.source + "@" + p.sourceVersion
	}
	url := packageurl.NewPackageURL(packageurl.TypeDebian, "debian", p.name, p.version, packageurl.QualifiersFromMap(qualifiers), "").ToString()
	c := cdx.Component{
		BOMRef: url, PackageURL: url, Type: cdx.ComponentTypeLibrary,
		Name: p.name, Version: p.version, Publisher: p.maintainer,
	}
	var licences cdx.Licenses
	for _, l := range p.licences {
		licences = append(licences, cdx.LicenseChoice{License: &cdx.License{ID: l.id, Name: l.name}})
	}
	if len(licences) > 0 {
		c.Licenses = &licences
	}
	return c
}

func (p program) component(version string) cdx.Component {
	return cdx.Component{
		BOMRef: p.path, Type: cdx.ComponentTypeApplication, Name: p.path[strings.LastIndexByte(p.path, '/')+1:], Version: version,
		Hashes:   &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: p.sha256}},
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
	}
}

// component of the library that comes with Go is that of the module std, by which
// advisories know it.
func (m module) component() cdx.Component {
	at := strings.LastIndexByte(m.path, '/')
	url := packageurl.NewPackageURL(packageurl.TypeGolang, m.path[:max(at, 0)], m.path[at+1:], m.version, nil, "").ToString()
	return cdx.Component{BOMRef: url, PackageURL: url, Type: cdx.ComponentTypeLibrary, Name: m.path, Version: m.version}
}

// encode gives the text of a list, with a serial number that is a digest of the
// rest.
func encode(b *cdx.BOM) ([]byte, error) {
	text, err := print(b)
	if err != nil {
		return nil, err
	}
	b.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, slices.Concat([]byte("sallyport "), text)).URN()
	return print(b)
}

func print(b *cdx.BOM) ([]byte, error) {
	var text bytes.Buffer
	err := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(b, specification)
	return text.Bytes(), err
}
