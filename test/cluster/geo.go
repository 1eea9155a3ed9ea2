package cluster

import (
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// GeoDatabase writes a database of addresses, in which each range has the
// ISO code of a country.
func GeoDatabase(t T, file string, countries map[string]string) {
	t.Helper()
	edition := strings.TrimSuffix(filepath.Base(file), ".mmdb")
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: edition, RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatalf("database of addresses: %v", err)
	}
	for cidr, code := range countries {
		_, network, err := net.ParseCIDR(cidr)
		if err == nil {
			err = tree.Insert(network, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}})
		}
		if err != nil {
			t.Fatalf("database of addresses: %v", err)
		}
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatalf("database of addresses: %v", err)
	}
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatalf("database of addresses: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatalf("database of addresses: %v", err)
	}
}
