package settings

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ingress/sallyport/controller/option"
)

func every(value string) map[string]string {
	data := map[string]string{}
	for _, doc := range Docs() {
		data[doc.Name] = value
	}
	return data
}

// Each key is told once, in a few words, however wrong all of them are.
func TestEveryKeyWrong(t *testing.T) {
	for name, value := range map[string]string{
		"a directive": "\x01\"; } load_module x.so; # $document_root",
		"long":        strings.Repeat("\x01", 1<<20), "brackets": strings.Repeat("(", 1<<16), "list": strings.Repeat("\x01,", 1<<15), "words": strings.Repeat("\x01 ", 1<<15),
	} {
		t.Run(name, func(t *testing.T) {
			data := every(value)
			_, problems := Parse(data)
			told := map[string]int{}
			for _, p := range problems {
				told[p.Key]++
				if len(p.Reason) > 1000 {
					t.Errorf("%s is told in %d bytes: %.100s", p.Key, len(p.Reason), p.Reason)
				}
			}
			for key := range data {
				if told[key] != 1 {
					t.Errorf("%s is told %d times: %s", key, told[key], reasons(problems, key))
				}
			}
		})
	}
}

// A megabyte that is right for some keys is read in no more than a list's own time.
func TestALongList(t *testing.T) {
	for i, format := range []string{"a%d,", "X-%d, ", "/%d,", "::%x,", "~a%d,", "text/a%d ", "a%d:"} {
		var b strings.Builder
		length := 1 << 14
		if i == 0 {
			length = 1 << 20
		}
		for i := 0; b.Len() < length; i++ {
			fmt.Fprintf(&b, format, i%65536)
		}
		_, problems := Parse(every(b.String()))
		for _, p := range problems {
			if len(p.Reason) > 1000 {
				t.Errorf("%s is told in %d bytes: %.100s", p.Key, len(p.Reason), p.Reason)
			}
		}
	}
}

func reasons(all []option.Problem, key string) string {
	var text []string
	for _, p := range all {
		if p.Key == key {
			text = append(text, fmt.Sprintf("%.80s", p.Reason))
		}
	}
	return strings.Join(text, "; ")
}
