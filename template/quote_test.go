package template

import (
	"strings"
	"testing"
	"time"
)

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"/plain-path/1.2_x~y": `/plain-path/1.2_x~y`,
		"":                    `""`,
		"/with space":         `"/with space"`,
		`/a"b`:                `'/a"b'`,
		`/a'b`:                `"/a'b"`,
		`/a'b"c`:              `"/a'b\"c"`,
		`/a\b`:                `"/a\\b"`,
		`/a\"b'`:              `"/a\\\"b'"`,
		"/a;}{#$x":            `"/a;}{#$x"`,
		"/é":                  `"/é"`,
		"= /":                 `"= /"`,
		"a\tb":                "\"a\tb\"",
	} {
		if got, err := quote(text); err != nil || got != want {
			t.Errorf("quote(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"a\nb", "a\rb", "\x00", "a\x7f", `a\`, "\x1b[0m"} {
		if got, err := quote(text); err == nil {
			t.Errorf("quote(%q) = %s", text, got)
		}
	}
}

func TestServerName(t *testing.T) {
	for host, want := range map[string]string{
		"":              "_",
		"a.example.org": "a.example.org",
		"*.example.org": `"~^[^.]+\\.example\\.org$"`,
		"a_b.c":         "a_b.c",
	} {
		if got, err := serverName(host); err != nil || got != want {
			t.Errorf("serverName(%q) = %s, %v; want %s", host, got, err, want)
		}
	}
	for _, host := range []string{"*", "*.", "~.*", "a b", "a;b", "A", "a.*", "*.*.a", "a\n", `"`, "-a", ".a", strings.Repeat(".", 9)} {
		if got, err := serverName(host); err == nil {
			t.Errorf("serverName(%q) = %s", host, got)
		}
	}
}

func TestTime(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", time.Second: "1s", 1500 * time.Millisecond: "1500ms", time.Hour: "3600s"} {
		if got := nginxTime(d); got != want {
			t.Errorf("%v is %s, not %s", d, got, want)
		}
	}
}
