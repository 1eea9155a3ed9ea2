package option

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bool accepts what strconv.ParseBool does.
var Bool = Check[bool]{
	Values: "`true` or `false`",
	Parse: func(s string) (bool, error) {
		v, err := strconv.ParseBool(s)
		if err != nil {
			return false, fmt.Errorf("%s is neither true nor false", quote(s))
		}
		return v, nil
	},
}

// Int accepts whole numbers from least to most.
func Int(least, most int) Check[int] {
	return Check[int]{
		Values: fmt.Sprintf("a whole number from %d to %d", least, most),
		Parse: func(s string) (int, error) {
			n, err := strconv.Atoi(s)
			if err != nil {
				return 0, fmt.Errorf("%s is not a whole number", quote(s))
			}
			if n < least || n > most {
				return 0, fmt.Errorf("%s is not in the range from %d to %d", quote(s), least, most)
			}
			return n, nil
		},
	}
}

// Seconds accepts a whole number of seconds.
var Seconds = Check[time.Duration]{
	Values: "seconds, a whole number",
	Parse: func(s string) (time.Duration, error) {
		n, err := strconv.Atoi(strings.TrimSuffix(s, "s"))
		if err != nil || n < 0 || n > 1<<31-1 {
			return 0, fmt.Errorf("%s is not a number of seconds", quote(s))
		}
		return time.Duration(n) * time.Second, nil
	},
	Format: func(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) },
}

var nginxTime = regexp.MustCompile(`^[0-9]{1,9}(ms|[smhd])?$`)

// Duration accepts a number with one of nginx's units; without a unit it means
// seconds. The smallest step is a millisecond.
var Duration = Check[time.Duration]{
	Values: "a number with `ms`, `s`, `m`, `h` or `d`; without a unit, seconds",
	Parse: func(s string) (time.Duration, error) {
		if !nginxTime.MatchString(s) {
			return 0, fmt.Errorf("%s is not a duration such as 30s or 5m", quote(s))
		}
		digits := strings.TrimRight(s, "smhd")
		n, err := strconv.Atoi(digits)
		if err != nil {
			return 0, fmt.Errorf("%s is not a duration such as 30s or 5m", quote(s))
		}
		unit := map[string]time.Duration{"ms": time.Millisecond, "": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
		return time.Duration(n) * unit[s[len(digits):]], nil
	},
	Format: func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s" },
}

var nginxSize = regexp.MustCompile(`^[0-9]{1,12}[kKmMgG]?$`)

// maxSize is more than any size means, and fits all of nginx's integers.
const maxSize = 1 << 40

// Size accepts a number of bytes with one of nginx's units.
var Size = Check[string]{
	Values: "bytes, a whole number with `k`, `m` or `g` where wanted",
	Parse: func(s string) (string, error) {
		bare := strings.TrimSuffix(strings.ToLower(s), "b") // 8kb was accepted, and meant 8k
		if !nginxSize.MatchString(bare) {
			return "", fmt.Errorf("%s is not a size such as 8k or 10m", quote(s))
		}
		n := Bytes(bare)
		if n < 0 {
			return "", fmt.Errorf("%s is more than %d bytes", quote(s), int64(maxSize))
		}
		if strings.HasSuffix(bare, "g") {
			return strconv.FormatInt(n>>20, 10) + "m", nil // only some of nginx's directives take a g
		}
		return bare, nil
	},
}

// SizeFrom accepts what Size does, from least to most bytes.
func SizeFrom(least, most int64) Check[string] {
	return Check[string]{
		Values: fmt.Sprintf("%s; from %d to %d", Size.Values, least, most),
		Parse: func(s string) (string, error) {
			size, err := Size.Parse(s)
			if err != nil {
				return "", err
			}
			if n := Bytes(size); n < least || n > most {
				return "", fmt.Errorf("%s is not in the range from %d to %d bytes", quote(s), least, most)
			}
			return size, nil
		},
	}
}

// Bytes is how many bytes a size means, -1 for more than any size may.
func Bytes(size string) int64 {
	digits := strings.TrimRight(size, "kKmMgG")
	shift := map[string]int{"": 0, "k": 10, "m": 20, "g": 30}[strings.ToLower(size[len(digits):])]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > maxSize>>shift {
		return -1
	}
	return n << shift
}

// Buffers accepts a number and a size, as in "4 8k".
var Buffers = Check[string]{
	Values: "a number and a size, as in `4 8k`",
	Parse: func(s string) (string, error) {
		number, size, _ := strings.Cut(s, " ")
		size, err := SizeFrom(512, 1<<24).Parse(strings.TrimSpace(size))
		if n, bad := strconv.Atoi(number); err != nil || bad != nil || n < 1 || n > 1<<16 {
			return "", fmt.Errorf("%s is not a number and a size such as 4 8k", quote(s))
		}
		return number + " " + size, nil
	},
}

// Switch accepts nginx's on and off.
var Switch = Check[bool]{
	Values: "`on` or `off`",
	Parse: func(s string) (bool, error) {
		switch s {
		case "on", "true":
			return true, nil
		case "off", "false":
			return false, nil
		}
		return false, fmt.Errorf("%s is neither on nor off", quote(s))
	},
	Format: func(on bool) string {
		if on {
			return "on"
		}
		return "off"
	},
}

// OneOf accepts one of the words.
func OneOf(words ...string) Check[string] {
	return Check[string]{
		Values: "one of `" + strings.Join(words, "`, `") + "`",
		Parse: func(s string) (string, error) {
			if !slices.Contains(words, s) {
				return "", fmt.Errorf("%s is not one of %s", quote(s), strings.Join(words, ", "))
			}
			return s, nil
		},
	}
}

// Words accepts a list of the words, parted by spaces, none of them twice.
func Words(words ...string) Check[string] {
	return Check[string]{
		Values: "a list of `" + strings.Join(words, "`, `") + "`, parted by spaces",
		Parse: func(s string) (string, error) {
			var seen []string
			for _, w := range strings.Fields(s) {
				if !slices.Contains(words, w) {
					return "", fmt.Errorf("%s is not one of %s", quote(w), strings.Join(words, ", "))
				}
				if slices.Contains(seen, w) {
					return "", fmt.Errorf("%s stands there twice", quote(w))
				}
				seen = append(seen, w)
			}
			return strings.Join(seen, " "), nil
		},
	}
}

// maxText keeps a text within what nginx takes as one word (4,096 bytes, each
// of which quoting may double).
const maxText = 2000

// Pattern accepts a text that the expression matches as a whole; what says what
// that is, for users.
func Pattern(expr, what string) Check[string] {
	re := regexp.MustCompile(`^(?:` + expr + `)$`)
	return Check[string]{
		Values: what,
		Parse: func(s string) (string, error) {
			if !re.MatchString(s) {
				return "", fmt.Errorf("%s is not %s", quote(s), what)
			}
			if len(s) > maxText {
				return "", fmt.Errorf("%s is longer than %d bytes", quote(s), maxText)
			}
			return s, nil
		},
	}
}

// errorf is an error about a value, which the format's first %s shows.
func errorf(format, value string, more ...any) error {
	return fmt.Errorf(format, append([]any{quote(value)}, more...)...)
}

// quote shows a value in a message: printable, and not longer than a line.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(s)
}
