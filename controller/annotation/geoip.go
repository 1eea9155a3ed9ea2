package annotation

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A GeoVariable is a variable that tells of the client's address, and where
// databases have it.
type GeoVariable struct{ Name, Path string }

var (
	geoCountry = []GeoVariable{
		{"geoip2_country_code", "country iso_code"}, {"geoip2_country_name", "country names en"}, {"geoip2_country_geoname_id", "country geoname_id"},
		{"geoip2_continent_code", "continent code"}, {"geoip2_continent_name", "continent names en"}, {"geoip2_continent_geoname_id", "continent geoname_id"},
	}
	geoCity = []GeoVariable{
		{"geoip2_city_country_code", "country iso_code"}, {"geoip2_city_country_name", "country names en"}, {"geoip2_city_country_geoname_id", "country geoname_id"},
		{"geoip2_city", "city names en"}, {"geoip2_city_geoname_id", "city geoname_id"}, {"geoip2_postal_code", "postal code"}, {"geoip2_dma_code", "location metro_code"},
		{"geoip2_latitude", "location latitude"}, {"geoip2_longitude", "location longitude"}, {"geoip2_time_zone", "location time_zone"},
		{"geoip2_region_code", "subdivisions 0 iso_code"}, {"geoip2_region_name", "subdivisions 0 names en"}, {"geoip2_region_geoname_id", "subdivisions 0 geoname_id"},
		{"geoip2_subregion_code", "subdivisions 1 iso_code"}, {"geoip2_subregion_name", "subdivisions 1 names en"}, {"geoip2_subregion_geoname_id", "subdivisions 1 geoname_id"},
		{"geoip2_city_continent_code", "continent code"}, {"geoip2_city_continent_name", "continent names en"},
	}
	geoASN = []GeoVariable{{"geoip2_asn", "autonomous_system_number"}, {"geoip2_org", "autonomous_system_organization"}}
	geoISP = []GeoVariable{
		{"geoip2_isp", "isp"}, {"geoip2_isp_org", "organization"}, {"geoip2_asn", "autonomous_system_number"}, {"geoip2_org", "autonomous_system_organization"},
	}
	geoAnonymous = []GeoVariable{
		{"geoip2_is_anon", "is_anonymous"}, {"geoip2_is_anonymous", "is_anonymous"}, {"geoip2_is_anonymous_vpn", "is_anonymous_vpn"},
		{"geoip2_is_hosting_provider", "is_hosting_provider"}, {"geoip2_is_public_proxy", "is_public_proxy"}, {"geoip2_is_tor_exit_node", "is_tor_exit_node"},
	}
	geoEditions = map[string][]GeoVariable{
		"GeoIP2-Country": geoCountry, "GeoLite2-Country": geoCountry, "GeoIP2-City": geoCity, "GeoLite2-City": geoCity,
		"GeoIP2-ASN": geoASN, "GeoLite2-ASN": geoASN, "GeoIP2-ISP": geoISP, "GeoIP2-Anonymous-IP": geoAnonymous,
		"GeoIP2-Connection-Type": {{"geoip2_connection_type", "connection_type"}}, "GeoIP2-Domain": nil, "GeoIP2-Enterprise": geoCity,
	}
	geoNames = geoVariableNames()
)

func geoVariableNames() map[string]bool {
	names := map[string]bool{}
	for _, variables := range geoEditions {
		for _, v := range variables {
			names[v.Name] = true
		}
	}
	return names
}

// GeoEditions are the databases that are known, sorted.
func GeoEditions() []string { return slices.Sorted(maps.Keys(geoEditions)) }

// GeoVariables are those of a database.
func GeoVariables(edition string) []GeoVariable { return geoEditions[edition] }

// IsGeoVariable says whether some database has that variable.
func IsGeoVariable(name string) bool { return geoNames[name] }

var geoText = regexp.MustCompile(`\$\{?(geoip2_[a-z0-9_]+)`)

// GeoVariablesIn adds those that a text with variables shows.
func GeoVariablesIn(text string, names map[string]bool) {
	if !strings.Contains(text, "geoip2_") {
		return
	}
	for _, m := range geoText.FindAllStringSubmatch(text, -1) {
		if IsGeoVariable(m[1]) {
			names[m[1]] = true
		}
	}
}
