package nginx

// known is as of 2026-11-28. Sources: https://nginx.org/en/security_advisories.html;
// F5's records, https://github.com/CVEProject/cvelistV5/tree/main/cves/2026, which
// say since when and until when; and for Debian the changelogs of its packages,
// in /usr/share/doc/nginx-common of 1.22.1-9+deb12u11 and 1.26.3-3+deb13u11. An
// earlier, incomplete mending is not taken for one.
var known = []Flaw{
	{
		CVE: "CVE-2026-123007", What: "a client of HTTP/2 can overflow memory", // and run code, F5 says
		Since: [3]int{1, 9, 5}, Mended: [][3]int{{1, 31, 9}, {1, 30, 7}},
		Packages: []string{"1.22.1-9+deb12u11", "1.26.3-3+deb13u11"},
	}, {
		CVE: "CVE-2026-123633", What: "a client of HTTP/2 can have freed memory used",
		Since: [3]int{1, 19, 7}, Mended: [][3]int{{1, 31, 9}, {1, 30, 7}},
		Packages: []string{"1.22.1-9+deb12u11", "1.26.3-3+deb13u11"},
	}, {
		CVE: "CVE-2026-121810", What: "a client of HTTP/3 can have freed memory used",
		Since: [3]int{1, 25, 0}, Mended: [][3]int{{1, 31, 9}, {1, 30, 7}},
		Packages: []string{"1.26.3-3+deb13u11"},
	}, {
		CVE: "CVE-2026-93479", What: "a request can overflow memory where a map has expressions",
		Since: [3]int{1, 30, 0}, Mended: [][3]int{{1, 31, 7}, {1, 30, 6}},
		Packages: []string{"1.22.1-9+deb12u11", "1.26.3-3+deb13u10"},
	}, {
		CVE: "CVE-2026-95101", What: "a client of HTTP/3 can put data into a request",
		Since: [3]int{1, 25, 0}, Mended: [][3]int{{1, 31, 7}, {1, 30, 6}},
		Packages: []string{"1.26.3-3+deb13u10"},
	}, {
		CVE: "CVE-2026-42533", What: "a request can overflow memory where a map has expressions",
		Since: [3]int{0, 9, 6}, Mended: [][3]int{{1, 31, 3}, {1, 30, 4}},
		Packages: []string{"1.22.1-9+deb12u10", "1.26.3-3+deb13u8"},
	}, {
		CVE: "CVE-2026-42530", What: "a client of HTTP/3 can have freed memory used",
		Since: [3]int{1, 31, 0}, Mended: [][3]int{{1, 31, 2}},
	}, {
		CVE: "CVE-2026-42055", What: "a request to a gRPC endpoint can overflow memory",
		Since: [3]int{1, 13, 10}, Mended: [][3]int{{1, 31, 2}, {1, 30, 3}},
		Packages: []string{"1.22.1-9+deb12u9", "1.26.3-3+deb13u7"},
	}, {
		CVE: "CVE-2026-9256", What: "a request can overflow memory where its path is rewritten",
		Since: [3]int{0, 1, 17}, Mended: [][3]int{{1, 31, 1}, {1, 30, 2}},
		Packages: []string{"1.22.1-9+deb12u8", "1.26.3-3+deb13u6"},
	}, {
		CVE: "CVE-2026-42945", What: "a request can overflow memory where its path is rewritten",
		Since: [3]int{0, 6, 27}, Mended: [][3]int{{1, 31, 0}, {1, 30, 1}},
		Packages: []string{"1.22.1-9+deb12u7", "1.26.3-3+deb13u5"},
	}, {
		CVE: "CVE-2026-40460", What: "a client of HTTP/3 can pretend to have another address",
		Since: [3]int{1, 26, 0}, Mended: [][3]int{{1, 31, 0}, {1, 30, 1}},
		Packages: []string{"1.26.3-3+deb13u5"},
	}, {
		CVE: "CVE-2026-1642", What: "whoever is between nginx and an endpoint with TLS can put data into a response",
		Since: [3]int{1, 3, 0}, Mended: [][3]int{{1, 29, 5}, {1, 28, 2}},
		Packages: []string{"1.22.1-9+deb12u4", "1.26.3-3+deb13u2"},
	},
}
